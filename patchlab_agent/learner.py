"""A failure to a stored patch: propose → gate → store."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from patchlab_agent.curation import Curator, event
from patchlab_agent.errors import BackendError
from patchlab_agent.gate import Admission
from patchlab_agent.models.patch import Patch, PatchEvent, Status
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.skill import AskingProposer, Proposer
from patchlab_agent.store.patches import PatchStore


class Learner:
    """Learns from judged traces.

    Args:
        proposer: makes patches of failures.
        gate: tells whether a decision still stands.
        curator: puts new patches before the gate, and stores them.
        store: what is known already.
    """

    def __init__(
        self, proposer: Proposer, gate: Admission, curator: Curator, store: PatchStore
    ) -> None:
        self._proposer = proposer
        self._gate = gate
        self._curator = curator
        self._store = store

    def learn(self, trace: Trace, feedback: Feedback) -> tuple[PatchEvent, ...]:
        """Take a carrier's feedback on a trace, and say what became of it.

        A failure becomes a patch, active or quarantined. A patch that is quarantined or retired
        already is gated again only if something that its decision rests on has changed; one that a
        person disabled is left alone. A new active patch retires those that say something else of
        the same subject.

        Args:
            trace: an answer of the agent.
            feedback: what the carrier, or a person, said to it; OK teaches nothing.

        Returns:
            The events, at least one for a failure, none for OK.

        Raises:
            BackendError: the model failed during the gate; nothing was stored then.
        """
        if feedback.ok:
            return ()
        proposal = self._proposer.propose(trace, feedback)
        if proposal.patch is None:
            return (PatchEvent(kind="none", text=proposal.reason),)
        patch = proposal.patch
        known = self._store.get(patch.id)
        if known is None:
            return self._curator.decide(patch, "new", trace.id)
        if text := self._still_stands(known, patch):
            kind = "active_already" if known.status is Status.ACTIVE else "known"
            return (event(kind, known, text),)
        again = patch.model_copy(update={"history": known.history})
        return self._curator.decide(again, "gated again", trace.id)

    def _still_stands(self, known: Patch, patch: Patch) -> str:
        """Why nothing is decided anew on a patch that is there already; empty if it is."""
        if known.status is Status.ACTIVE:
            return "an active patch says so already; the failure is not for want of it"
        if known.status is Status.DISABLED:
            return "a person has disabled it"
        if known.gate is not None and known.gate.conditions == self._gate.conditions(patch):
            return f"{known.status} already, and nothing has changed"
        return ""

    def prepare(self, traces: Iterable[Trace]) -> None:
        """Ask the model ahead what learning from these judged traces will need."""
        failures = [(t, t.feedback) for t in traces if t.feedback is not None and not t.ok]
        patches = {}
        if isinstance(self._proposer, AskingProposer) and not self._proposer.prepare(failures):
            return
        for trace, feedback in failures:
            # A failure of the model's side is met again, and told, when the trace is learned from.
            with suppress(BackendError):
                patch = self._proposer.propose(trace, feedback).patch
                if patch is not None and self._store.get(patch.id) is None:
                    patches[patch.id] = patch
        self._gate.prepare(patches.values())
