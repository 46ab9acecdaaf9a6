"""A lesson under other names of its subject: which of them are worth putting before the gate.

Whoever says that `lb` is 0.4536 kg means `lbs` and `pounds`, too. A skill's thesaurus offers the
names; each is let in by evidence of its own, or by none at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from patchlab_agent.gate.base import AcceptanceCriterion
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.skill.seam import Thesaurus
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.text import phrases


@dataclass(frozen=True)
class Variant:
    """A lesson under another name.

    Attributes:
        patch: as it is stored, or new.
        of: the active lesson that it repeats.
    """

    patch: Patch
    of: Patch

    @property
    def cause(self) -> str:
        """Whose variant it is, as events and histories name it."""
        return f"variant of {self.of.id} ({self.of.trigger})"

    def failed(self, request: str) -> Variant:
        """Return a copy to be tried on a request that failed, too."""
        return Variant(self.patch.with_failing(request), self.of)


MAX_TRIED = 2
"""Variants that one failure brings before the gate, at most."""


class Variants:
    """Finds variants of active lessons about which something can tell.

    Nothing is kept between calls: the way from a request to the lessons that it may concern leads
    through the thesaurus and the triggers of the store, so it is as short in a store of thousands.

    Args:
        thesaurus: the skill's.
        gate: tells whether labels or accepted answers speak of a variant.
        store: what is known already.
    """

    def __init__(self, thesaurus: Thesaurus, gate: AcceptanceCriterion, store: PatchStore) -> None:
        self._thesaurus = thesaurus
        self._gate = gate
        self._store = store

    def to_offer(self, lesson: Patch) -> Iterator[Variant]:
        """Yield the variants of a new active lesson that labels or accepted answers speak of.

        A variant that was kept out before is yielded again only after something changed that its
        decision rests on; once a request with its name has failed, that is for failures alone to
        decide.
        """
        for variant in self._thesaurus.variants(lesson):
            known = self._store.get(variant.id)
            if known is not None and not self._is_open(known):
                continue
            if not self._is_settled(variant) and self._gate.can_tell(variant):
                yield Variant(known or variant, lesson)

    def to_try(self, request: str, own: Iterable[Patch] = ()) -> list[Variant]:
        """Return up to `MAX_TRIED` variants that stand in a request, each as it is stored if it is.

        Args:
            request: one that failed and taught nothing by itself.
            own: lessons that it did propose; variants that say the same as one of them are left
                out.
        """
        said = [patch.fix for patch in own]
        found = self._in(request)
        fresh = (each for each in found if not any(map(each.patch.fix.repeats, said)))
        return list(islice(fresh, MAX_TRIED))

    def _in(self, request: str) -> Iterator[Variant]:
        seen: set[str] = set()
        for phrase in phrases(request):
            for name in self._thesaurus.relatives(phrase):
                for lesson in self._store.active_about(name):
                    for variant in self._thesaurus.variants(lesson):
                        is_new = variant.id not in seen and variant.trigger == phrase
                        if is_new and not self._is_settled(variant):
                            seen.add(variant.id)
                            yield Variant(self._store.get(variant.id) or variant, lesson)

    def _is_open(self, known: Patch) -> bool:
        if known.failing or known.status not in (Status.QUARANTINED, Status.RETIRED):
            return False
        return known.gate is None or known.gate.conditions != self._gate.conditions(known)

    def _is_settled(self, variant: Patch) -> bool:
        """Whether the name stands for something already, or a person has ruled the lesson out."""
        decided = {Status.ACTIVE, Status.DISABLED}
        known = self._store.get(variant.id)
        if known is not None and known.status in decided:
            return True
        return any(each.status in decided for each in self._store.rivals(variant))
