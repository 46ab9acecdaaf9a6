"""Rolling a store back to the end of an earlier run.

Prompts are made of active patches and of examples, so those are restored exactly, with the evidence
for and against them; traces, reports and the histories of patches are records and stay. A rollback
is one unit of work: one that is killed has been done, or nothing of it has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from patchlab_agent.errors import InputError, StoreError, in_short
from patchlab_agent.learning.lifecycle import Lifecycle
from patchlab_agent.models.evidence import Record
from patchlab_agent.models.patch import ROLLED_BACK, SUPERSEDED_BY, Patch, Status
from patchlab_agent.models.rollback import PutBack, RollbackReport
from patchlab_agent.models.trace import LAST, named_run, run_name
from patchlab_agent.store.patch_records import describe
from patchlab_agent.store.store import Store

MAX_NAMED = 10
"""Number of runs that a message lists; of more it names the first and the last."""


def roll_back(store: Store, lifecycle: Lifecycle, wanted: str) -> RollbackReport:
    """Restore prompts to what they were at the end of a run, byte for byte.

    Patches get the state they had then. Later ones are retired, except those that a person has
    disabled, and the gate decides on them again as soon as a failure teaches them again. Changes
    made by hand to earlier ones since then are undone.

    Args:
        store: a store open for writing.
        lifecycle: stores the patches, with an event in the history of each.
        wanted: name or number of the run: `run-0003`, or `3`.

    Raises:
        InputError: there is no such run.
        StoreError: the run has no snapshot, or one that cannot be read; nothing was changed.
    """
    snapshot = store.snapshot(find_snapshot(store, wanted))
    now = {patch.id: patch for patch in store.patches.all()}
    then = {patch.id: patch for patch in snapshot.patches}
    later = [_set_aside(patch) for patch in now.values() if patch.id not in then]
    changes = [
        _Change(target, now.get(target.id), is_later=target.id not in then)
        for target in (*then.values(), *later)
    ]
    # Patches that contradict each other must not be active together, so all that have to leave do
    # so before any comes in.
    due = sorted(
        (change for change in changes if change.differences),
        key=lambda change: (change.target.status is Status.ACTIVE, change.target.id),
    )
    store.traces.flush()
    with store.unit():
        for change in due:
            lifecycle.put_back(change.patch, change.cause(snapshot.run))
        replaced = store.examples.replace(snapshot.examples)
    return RollbackReport(
        run=snapshot.run,
        patches=tuple(change.told() for change in due),
        unchanged=len(changes) - len(due),
        examples_removed=replaced.removed,
        examples_restored=replaced.added,
        examples_reset=replaced.reset,
        examples=sum(not example.withdrawn for example in snapshot.examples),
    )


@dataclass(frozen=True)
class _Change:
    """The change that a rollback makes to a patch.

    Attributes:
        target: the patch in the state to restore.
        present: the patch as stored; None if it was deleted by another program.
        is_later: True if it did not exist at the end of the run.
    """

    target: Patch
    present: Patch | None
    is_later: bool

    @property
    def differences(self) -> tuple[str, ...]:
        """The parts to restore; none if it is as it should be."""
        return self.target.differences(self.present) if self.present else ("deleted",)

    @property
    def patch(self) -> Patch:
        """The target with the present history."""
        history = (self.present or self.target).history
        return self.target.model_copy(update={"history": history})

    def cause(self, run: str) -> str:
        """Return the cause of the event, which keeps what had superseded the patch then."""
        winner = None if self.is_later else self.target.superseded_by
        return f"{ROLLED_BACK}{run}" + (f": {SUPERSEDED_BY}{winner}" if winner else "")

    def told(self) -> PutBack:
        """Return the change as a report lists it."""
        return PutBack(
            patch_id=self.target.id,
            trigger=self.target.trigger_text,
            teaches=describe(self.target),
            before=self.present and self.present.status,
            after=self.target.status,
            is_later=self.is_later,
            changed=self.differences,
        )


def find_snapshot(store: Store, wanted: str) -> str:
    """Return the name of the run to roll back to.

    Raises:
        InputError: there is no such run.
        StoreError: it has no snapshot.
    """
    name, kept = named_run(wanted), store.snapshots()
    if name == LAST and kept:
        return kept[-1]
    if name in kept:
        return name
    if not _was_started(store, name):
        if not kept:
            raise InputError(
                f"There is no run {in_short(wanted)} in {store.path}, and no other run to roll "
                "back to; make one with `patchlab-agent run`."
            )
        raise InputError(
            f"There is no run {in_short(wanted)} to roll back to in {store.path}; name "
            f"{_listed(kept)}."
        )
    remedy = (
        f"roll back to {_listed(kept)}"
        if kept
        else "every run that finishes leaves one, or start over with `run --fresh`"
    )
    raise StoreError(
        f"{name} left no snapshot, as it was cut off or made by an older version; {remedy}."
    )


def _was_started(store: Store, name: str) -> bool:
    found = re.fullmatch(r"run-([0-9]{4,12})", name)
    number = int(found[1]) if found else 0
    return name == run_name(number) and 1 <= number <= store.info.runs


def _listed(runs: Sequence[str]) -> str:
    if len(runs) > MAX_NAMED:
        return f"one of {runs[0]} to {runs[-1]}"
    *others, last = runs
    return f"{', '.join(others)} or {last}" if others else last


def _set_aside(patch: Patch) -> Patch:
    """Return a later patch as one that is yet to be decided on."""
    # A decision without conditions never stands, so the next failure brings the patch before the
    # gate; the rest of the report still says why it was once let in.
    gate = patch.gate and patch.gate.model_copy(update={"conditions": ""})
    # What a person has disabled, only a person enables again.
    status = Status.DISABLED if patch.status is Status.DISABLED else Status.RETIRED
    update = {"status": status, "gate": gate, "record": Record(), "recurrences": 0}
    return patch.model_copy(update=update)
