"""A failure to a stored patch: propose → gate → store."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from patchlab_agent.agent import Agent
from patchlab_agent.errors import BackendError
from patchlab_agent.gate import Gate
from patchlab_agent.models.patch import GateReport, Patch, PatchEvent, Status
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.skill import Proposer
from patchlab_agent.store.patches import PatchStore


class Learner:
    """Learns from judged traces.

    Args:
        agent: whose time stamps and answers count.
        proposer: makes patches of failures.
        gate: decides on them.
        store: keeps them.
    """

    def __init__(self, agent: Agent, proposer: Proposer, gate: Gate, store: PatchStore) -> None:
        self._agent = agent
        self._proposer = proposer
        self._gate = gate
        self._store = store

    def learn(self, trace: Trace, feedback: Feedback) -> tuple[PatchEvent, ...]:
        """Take a carrier's feedback on a trace, and say what became of it.

        A failure becomes a patch, active or quarantined. A patch that is quarantined or retired
        already is gated again only if something that its decision rests on has changed. A new
        active patch retires those that say something else of the same subject.

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
            return self._decide(patch, trace, "new")
        if known.status is Status.ACTIVE:
            text = "an active patch says so already; the failure is not for want of it"
            return (_event("active_already", known, text),)
        if known.gate is not None and known.gate.conditions == self._gate.conditions(patch):
            return (_event("known", known, f"{known.status} already, and nothing has changed"),)
        again = patch.model_copy(update={"history": known.history})
        return self._decide(again, trace, "gated again")

    def prepare(self, traces: Iterable[Trace]) -> None:
        """Ask the model ahead what learning from these judged traces will begin with."""
        patches = {}
        for trace in traces:
            if trace.feedback is None or trace.ok:
                continue
            # A failure of the model's side is met again, and told, when the trace is learned from.
            with suppress(BackendError):
                patch = self._proposer.propose(trace, trace.feedback).patch
                if patch is not None and self._store.get(patch.id) is None:
                    patches[patch.id] = patch
        self._gate.prepare(patches.values())

    def _decide(self, patch: Patch, trace: Trace, cause: str) -> tuple[PatchEvent, ...]:
        report = self._gate.examine(patch)
        decided = patch.model_copy(update={"gate": report}).moved(
            report.decision, f"{cause}: {_because(report)}", trace.id, self._agent.clock()
        )
        if report.decision is Status.QUARANTINED:
            self._store.upsert(decided)
            kind = "regated" if patch.history else "quarantined"
            return (_event(kind, decided, _because(report), created=not patch.history),)
        superseded = [old for old in self._store.in_slot(patch.fix.slot) if old.id != patch.id]
        self._store.upsert(decided)
        events = [_event("activated", decided, _because(report), created=not patch.history)]
        for old in superseded:
            text = f"superseded by {decided.id}"
            self._store.upsert(old.moved(Status.RETIRED, text, trace.id, self._agent.clock()))
            events.append(_event("superseded", old, text))
        return tuple(events)


def _because(report: GateReport) -> str:
    return "; ".join(reason.text for reason in report.reasons)


def _event(kind: str, patch: Patch, text: str, *, created: bool = False) -> PatchEvent:
    return PatchEvent.model_validate(
        {
            "kind": kind,
            "patch_id": patch.id,
            "trigger": patch.trigger,
            "fix": patch.fix.model_dump(mode="json"),
            "created": created,
            "text": text,
        }
    )
