"""Variants: lessons under other names of their subject that are worth putting before the gate.

A lesson that `lb` is 0.4536 kg also holds for `lbs` and `pounds`. Thesauri offer the names: the
skill's, and a model that is asked for them; each variant needs evidence of its own to be let in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from patchlab_agent.gate.base import AcceptanceCriterion
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.skill.seam import Thesaurus
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.text import phrases


@dataclass(frozen=True)
class Variant:
    """A lesson under another name.

    Attributes:
        patch: the variant, as stored or new.
        of: the active lesson that it repeats.
    """

    patch: Patch
    of: Patch

    @property
    def cause(self) -> str:
        """The lesson it is a variant of, as events and histories state it."""
        return f"variant of {self.of.id} ({self.of.trigger_text})"

    def failed(self, request: str) -> Variant:
        """Return a copy to be tried on this failed request as well."""
        return Variant(self.patch.with_failing(request), self.of)


MAX_TRIED = 2
"""Maximum number of variants that one failure brings before the gate."""


class Variants:
    """A finder of variants of active lessons that can be tested.

    Nothing is kept between calls: a request leads to the lessons that it may concern through the
    thesauri and the store's triggers, which is as fast in a store of thousands.

    Args:
        thesauri: know other names; those of the first are offered first.
        gate: tells whether labels or accepted answers bear on a variant.
        store: the patches known so far.
    """

    def __init__(
        self, thesauri: Sequence[Thesaurus], gate: AcceptanceCriterion, store: PatchStore
    ) -> None:
        self._thesauri = thesauri
        self._gate = gate
        self._store = store

    def to_offer(self, lesson: Patch) -> Iterator[Variant]:
        """Yield the variants of a new active lesson that labels or accepted answers bear on.

        A variant that was kept out before is yielded again only after something that its decision
        depends on has changed; once a request with its name has failed, only failures bring it
        back.
        """
        offered = {v.id: v for thesaurus in self._thesauri for v in thesaurus.variants(lesson)}
        for variant in offered.values():
            known = self._store.get(variant.id)
            if known is not None and not self._is_open(known):
                continue
            if not self._is_settled(variant) and self._gate.can_tell(variant):
                yield Variant(known or variant, lesson)

    def to_try(self, request: str, own: Iterable[Patch] = ()) -> list[Variant]:
        """Return up to `MAX_TRIED` variants whose name occurs in a request, as stored or new.

        Args:
            request: a request that failed and taught nothing by itself.
            own: lessons that it did propose; variants that say the same as one of these are left
                out.
        """
        said = [patch.fix for patch in own]
        found = self._in(request)
        fresh = (each for each in found if not any(map(each.patch.fix.repeats, said)))
        return list(islice(fresh, MAX_TRIED))

    def _in(self, request: str) -> Iterator[Variant]:
        seen: set[str] = set()
        for phrase, thesaurus in product(phrases(request), self._thesauri):
            for name in thesaurus.relatives(phrase):
                for lesson in self._store.active_about(name):
                    for variant in thesaurus.variants(lesson):
                        is_new = variant.id not in seen and variant.trigger == phrase
                        if is_new and not self._is_settled(variant):
                            seen.add(variant.id)
                            yield Variant(self._store.get(variant.id) or variant, lesson)

    def _is_open(self, known: Patch) -> bool:
        if known.failing or known.status not in (Status.QUARANTINED, Status.RETIRED):
            return False
        return known.gate is None or known.gate.conditions != self._gate.conditions(known)

    def _is_settled(self, variant: Patch) -> bool:
        """Return True if the name has a meaning already, or a person has ruled the lesson out."""
        decided = {Status.ACTIVE, Status.DISABLED}
        known = self._store.get(variant.id)
        if known is not None and known.status in decided:
            return True
        return any(each.status in decided for each in self._store.rivals(variant))
