"""Other names for a lesson's subject: units by Pint, countries by ISO 3166, things by English.

The names come from outside the simulator, as they would in production: no table of the carrier is
read. A name is only a suggestion; the gate finds out whether the lesson holds under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import ValidationError

from patchlab_agent.models.patch import Fix, Patch, close
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.fix import SubjectFix
from patchlab_agent.shipping.patch_tests import patch_tests
from patchlab_agent.shipping.rules import (
    DestinationFix,
    ExampleFix,
    ShippingFix,
    UnitFix,
    parse_fix,
)
from patchlab_agent.text import as_trigger, occurs, words

if TYPE_CHECKING:
    import inflect
    import pint

MAX_VARIANTS = 6
"""Maximum number of other names for one lesson."""
MIN_LETTERS = 2
"""Minimum length of a name: a single letter, such as the tonne's `t`, is too ambiguous."""


class ShippingThesaurus:
    """A thesaurus of units, countries and things.

    Args:
        known: the rules of every prompt; their names are never offered for anything else.
    """

    def __init__(self, known: Iterable[Fix]) -> None:
        self._taken = {as_trigger(fix.about) for fix in known if isinstance(fix, SubjectFix)}

    def variants(self, patch: Patch) -> tuple[Patch, ...]:
        """Return the lesson under up to `MAX_VARIANTS` other names, always in the same order.

        Names that the trigger matches anyway, names of known rules, and words that name nothing
        are left out. Variants have no failing test, since no request with their name failed.
        """
        fix = patch.fix
        # The number word of an example has no other name, and its request contains the old one.
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

    def renamed(self, patch: Patch, name: str) -> Patch | None:
        """Return a rule under any other name of its subject; None if it cannot have that name."""
        fix = patch.fix
        if not isinstance(fix, SubjectFix) or isinstance(fix, ExampleFix):
            return None
        is_nameable = as_trigger(fix.about) == patch.trigger
        is_free = name == patch.trigger or self._is_free(name)
        return _renamed(patch, fix, name) if is_nameable and is_free else None

    def relatives(self, phrase: str) -> tuple[str, ...]:
        """Return the other names of the unit, country or thing that a phrase may name."""
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
    match fix.request_part:
        case "unit":
            agrees = isinstance(fix, UnitFix) and _is_defined_so(name, fix.kg_per_unit)
            return _units(name) if agrees else _inflected(name)
        case "destination":
            country = _countries().get(name)
            # A city is in a country but is not another name for it.
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
    """Return all spellings of each unit of mass without a prefix, by canonical name."""
    registry = _registry()
    found: dict[str, list[str]] = {}
    for name in dir(registry):
        if (canonical := _canonical(name)) is not None:
            found.setdefault(canonical, []).append(name)
    return found


def _canonical(name: str) -> str | None:
    """Return Pint's name for a unit of mass; None for anything else."""
    registry = _registry()
    # Pint would parse an expression such as `5 lb` or `a*b`.
    if not name.replace("_", "").isalpha():
        return None
    try:
        is_mass = registry.Quantity(1.0, name).check("[mass]")
        return registry.get_name(name) if is_mass else None
    except (AttributeError, ValueError, TypeError, KeyError):
        return None


def defined_kg(name: str) -> float | None:
    """Return the kilograms in a unit of mass, as commonly defined; None for anything else."""
    canonical = _canonical(name)
    if canonical is None:
        return None
    return float(_registry().Quantity(1.0, canonical).to("kilogram").magnitude)


def _is_defined_so(name: str, kg_per_unit: float) -> bool:
    """Return whether a lesson agrees with the common definition of a unit."""
    defined = defined_kg(name)
    return defined is not None and close(kg_per_unit, defined)


@lru_cache(maxsize=4096)
def _units(name: str) -> tuple[str, ...]:
    """Return the symbol, aliases and plurals of a unit of mass, single words first."""
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
    """Return alpha-2 codes by the names of ISO 3166-1."""
    import pycountry  # noqa: PLC0415 - only learning needs it

    codes = [country.alpha_2 for country in pycountry.countries]
    return {name: code for code in codes for name in _country_names(code)}


@lru_cache(maxsize=512)
def _country_names(code: str | None) -> tuple[str, ...]:
    """Return a country's names of at most four words; codes such as `in` or `us` are words.

    ISO's `Korea, Republic of` is put in spoken order.
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
    import typeguard  # noqa: PLC0415 - only learning needs it

    checked = typeguard.typechecked
    # It rewrites 23 functions of inflect, and parses the whole module for each: most of the seconds
    # that the import takes.
    typeguard.typechecked = lambda function: function  # type: ignore[assignment]
    try:
        import inflect  # noqa: PLC0415 - only learning needs it
    finally:
        typeguard.typechecked = checked
    return inflect.engine()


@lru_cache(maxsize=4096)
def _inflected(phrase: str) -> tuple[str, ...]:
    """Return the plural of a singular and vice versa; both if a word may be either."""
    return tuple(dict.fromkeys(_inflections(phrase)))


def _inflections(phrase: str) -> Iterator[str]:
    letters = phrase.replace(" ", "")
    # The rules are those of English; for anything else they would produce nonsense.
    if not letters.isascii() or not letters.isalpha():
        return
    singular = _engine().singular_noun(phrase)
    if singular and singular != phrase and _plural(singular) == phrase:
        yield singular
    # `lens` looks like a plural, as `vases` is; only for the latter inflect makes `vasess`.
    plural = _plural(phrase)
    if plural != phrase and not plural.endswith("ss"):
        yield plural


def _plural(phrase: str) -> str:
    return _engine().plural_noun(phrase)
