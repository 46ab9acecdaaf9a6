"""Other names of what a lesson is about: units by Pint, countries by ISO 3166, things by English.

The names come from outside the simulation, as they would in production: no table of the carrier's
is read. A name is only offered; whether the lesson holds under it is for the gate to find out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import ValidationError

from patchlab_agent.models.patch import Fix, Patch, close
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.patch_tests import patch_tests
from patchlab_agent.shipping.rules import (
    DestinationFix,
    ExampleFix,
    ShippingFix,
    SubjectFix,
    UnitFix,
    parse_fix,
)
from patchlab_agent.text import as_trigger, occurs, words

if TYPE_CHECKING:
    import inflect
    import pint

MAX_VARIANTS = 6
"""Other names of one lesson, at most."""
MIN_LETTERS = 2
"""Of a name: a single letter, such as the tonne's `t`, stands for too much."""


class ShippingThesaurus:
    """Names units, countries and things otherwise.

    Args:
        known: the rules of every prompt; a name of theirs is never offered for anything else.
    """

    def __init__(self, known: Iterable[Fix]) -> None:
        self._taken = {as_trigger(fix.about) for fix in known if isinstance(fix, SubjectFix)}

    def variants(self, patch: Patch) -> tuple[Patch, ...]:
        """Return the lesson under up to `MAX_VARIANTS` other names, always in the same order.

        Left out are names that the trigger matches anyway, names of a known rule, and words that
        name nothing. The variants have no failing test, since no request with their name failed.
        """
        fix = patch.fix
        # The number words of an example have no other name, and its request holds the old one.
        if not isinstance(fix, SubjectFix) or isinstance(fix, ExampleFix):
            return ()
        if as_trigger(fix.about) != patch.trigger:
            return ()
        found: list[str] = []
        for name in _names(fix, patch.trigger):
            if self._is_free(name) and not any(
                occurs(old, name) for old in (patch.trigger, *found)
            ):
                found.append(name)
        renamed = (_renamed(patch, fix, name) for name in found)
        return tuple(islice(filter(None, renamed), MAX_VARIANTS))

    def relatives(self, phrase: str) -> tuple[str, ...]:
        """Return the other names of whatever a phrase may name: unit, country or thing."""
        if not self._is_free(phrase):
            return ()
        names = (*_units(phrase), *_country_names(_countries().get(phrase)), *_inflected(phrase))
        return tuple(dict.fromkeys(name for name in names if name != phrase))

    def _is_free(self, name: str) -> bool:
        tokens = words(name)
        return (
            len(name) >= MIN_LETTERS
            and name not in self._taken
            and all(any(map(str.isalpha, token)) for token in tokens)
            and FILLERS.isdisjoint(tokens[:1])
            and FILLERS.isdisjoint(tokens[-1:])
            and not SERVICES.keys() & set(tokens)
        )


def _names(fix: SubjectFix, name: str) -> Iterable[str]:
    match fix.request_slot:
        case "unit":
            agrees = isinstance(fix, UnitFix) and _is_defined_so(name, fix.kg_per_unit)
            return _units(name) if agrees else _inflected(name)
        case "destination":
            country = _countries().get(name)
            # A city lies in a country without being another name of it.
            if isinstance(fix, DestinationFix) and fix.country != country:
                return ()
            return _country_names(country)
    return _inflected(name)


def _renamed(patch: Patch, fix: SubjectFix, name: str) -> Patch | None:
    try:
        other = _about(fix, name)
    except ValidationError:
        return None
    return Patch(
        skill=patch.skill,
        trigger=name,
        fix=other,
        tests=tuple(patch_tests(other, name)),
        provenance=patch.provenance,
    )


def _about(fix: SubjectFix, name: str) -> ShippingFix:
    return parse_fix({**fix.model_dump(mode="json"), fix.about_field: name})


@cache
def _registry() -> pint.UnitRegistry[float]:
    import pint  # noqa: PLC0415 - only learning needs it

    return pint.UnitRegistry()


@cache
def _mass_units() -> dict[str, list[str]]:
    """All ways to write each unit of mass that has no prefix, by its canonical name."""
    registry = _registry()
    found: dict[str, list[str]] = {}
    for name in dir(registry):
        if (canonical := _canonical(name)) is not None:
            found.setdefault(canonical, []).append(name)
    return found


def _canonical(name: str) -> str | None:
    """What Pint calls a unit of mass; None for whatever is no such unit."""
    registry = _registry()
    # Pint would take an expression such as `5 lb` or `a*b` apart.
    if not name.replace("_", "").isalpha():
        return None
    try:
        is_mass = registry.Quantity(1.0, name).check("[mass]")
        return registry.get_name(name) if is_mass else None
    except (AttributeError, ValueError, TypeError, KeyError):
        return None


def _is_defined_so(name: str, kg_per_unit: float) -> bool:
    """Whether a unit is, by its common definition, what a lesson says it is."""
    canonical = _canonical(name)
    if canonical is None:
        return False
    defined = _registry().Quantity(1.0, canonical).to("kilogram").magnitude
    return close(kg_per_unit, float(defined))


@lru_cache(maxsize=4096)
def _units(name: str) -> tuple[str, ...]:
    """The symbol, aliases and plurals of a unit of mass, the shorter names first."""
    canonical = _canonical(name)
    if canonical is None:
        return ()
    # Units with a prefix are not listed; they have one name and one symbol.
    listed = _mass_units().get(canonical) or [canonical, _registry().get_symbol(canonical)]
    ordered = sorted(listed, key=lambda each: ("_" in each, each))
    written = (form for each in ordered for form in (each, f"{each}s"))
    return tuple(dict.fromkeys(_spoken(form) for form in written if _canonical(form) == canonical))


def _spoken(name: str) -> str:
    return as_trigger(name.replace("_", " ")) or ""


@cache
def _countries() -> dict[str, str]:
    """Alpha-2 codes by the names of ISO 3166-1."""
    import pycountry  # noqa: PLC0415 - only learning needs it

    codes = [country.alpha_2 for country in pycountry.countries]
    return {name: code for code in codes for name in _country_names(code)}


@lru_cache(maxsize=512)
def _country_names(code: str | None) -> tuple[str, ...]:
    """Names of a country of at most four words, its codes left out: `in`, `us` and `it` are words.

    ISO's `Korea, Republic of` is said the other way round.
    """
    import pycountry  # noqa: PLC0415 - only learning needs it

    country = None if code is None else pycountry.countries.get(alpha_2=code)
    if country is None:
        return ()
    found = [getattr(country, field, "") for field in ("common_name", "name", "official_name")]
    said = (" ".join(reversed(name.split(", "))) for name in found if name)
    return tuple(dict.fromkeys(filter(None, map(as_trigger, said))))


@cache
def _engine() -> inflect.engine:
    import inflect  # noqa: PLC0415 - takes seconds

    return inflect.engine()


@lru_cache(maxsize=4096)
def _inflected(phrase: str) -> tuple[str, ...]:
    """The singular of a plural and the plural of a singular; both where a word may be either."""
    return tuple(dict.fromkeys(_inflections(phrase)))


def _inflections(phrase: str) -> Iterator[str]:
    letters = phrase.replace(" ", "")
    # The rules are those of English; of anything else they would make nonsense.
    if not letters.isascii() or not letters.isalpha():
        return
    singular = _engine().singular_noun(phrase)
    if singular and singular != phrase and _plural(singular) == phrase:
        yield singular
    # `lens` passes for a plural as `vases` does, but only of that one inflect makes `vasess`.
    plural = _plural(phrase)
    if plural != phrase and not plural.endswith("ss"):
        yield plural


def _plural(phrase: str) -> str:
    return _engine().plural_noun(phrase)
