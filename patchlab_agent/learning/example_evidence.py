"""Evidence for and against the few-shot examples in prompts, and their withdrawal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from patchlab_agent.gate.base import AcceptanceCriterion
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.gate.grading import is_better
from patchlab_agent.gate.standing import is_outweighed
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.evidence import Record
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.trace import Context, Feedback, Retrieved, Trace
from patchlab_agent.store.examples import ExampleStore
from patchlab_agent.store.patches import PatchStore


class ExampleEvidence:
    """The evidence on examples, by which those that do harm are withdrawn.

    Args:
        examples: keeps their records.
        patches: the lessons that prompts may have shown with them.
        gate: confirms harm.
    """

    def __init__(
        self, examples: ExampleStore, patches: PatchStore, gate: AcceptanceCriterion
    ) -> None:
        self._examples = examples
        self._patches = patches
        self._gate = gate

    def weigh(
        self, trace: Trace, feedback: Feedback, referee: Referee | None
    ) -> tuple[PatchEvent, ...]:
        """Count a use for or against the examples, if the baseline's answer has another score.

        A better answer with lessons in its prompt says nothing about examples: the lessons may have
        done it. A worse one counts only against the examples without which it is better.

        Args:
            trace: an answer of the agent.
            feedback: the feedback on it.
            referee: judges the answers without an example; if None, nothing counts against any.

        Returns:
            An event for each example that is withdrawn.

        Raises:
            Interruption: the model or the skill failed.
        """
        if trace.baseline is None:
            return ()
        is_mended = is_better(feedback, trace.baseline.feedback)
        if not (is_mended or is_better(trace.baseline.feedback, feedback)):
            return ()
        shown = self._examples.of_traces(trace.examples)
        # Each request counts once, and withdrawn examples already have their verdict.
        open_ones = [
            each
            for each in shown.values()
            if not each.withdrawn and _after(each, trace, is_mended) != each.record
        ]
        if is_mended:
            if not trace.applied:
                self._examples.update(_counted(open_ones, trace, mended=True))
            return ()
        context = self._context(trace, shown)
        if referee is None or context is None or not open_ones:
            return ()
        names = {
            each.id for each in self._gate.confirms_harmful(open_ones, trace, context, referee)
        }
        harmful = [each for each in open_ones if each.id in names]
        told = [_judged(each) for each in _counted(harmful, trace, mended=False)]
        self._examples.update(told)
        return tuple(
            PatchEvent(kind=EventKind.WITHDRAWN, example_id=each.id, text=each.withdrawn)
            for each in told
            if each.withdrawn
        )

    def _context(self, trace: Trace, shown: Mapping[str, StoredExample]) -> Context | None:
        """Return the context of the trace's prompt; None if part of it no longer exists."""
        applied = [(ref, self._patches.get(ref.patch_id)) for ref in trace.retrieved if ref.applied]
        if not shown.keys() >= set(trace.examples) or any(patch is None for _, patch in applied):
            return None
        return Context(
            retrieved=tuple(
                Retrieved(patch=patch, distance=ref.distance, occurs=True)
                for ref, patch in applied
                if patch is not None
            ),
            examples=tuple(shown[name].shown for name in trace.examples),
        )


def _after(example: StoredExample, trace: Trace, mended: bool) -> Record:
    return example.record.with_outcome(mended, trace.request)


def _counted(
    examples: Iterable[StoredExample], trace: Trace, *, mended: bool
) -> list[StoredExample]:
    return [each.model_copy(update={"record": _after(each, trace, mended)}) for each in examples]


def _judged(example: StoredExample) -> StoredExample:
    """Return the example, withdrawn if its record says so."""
    record = example.record
    if not is_outweighed(record):
        return example
    noun = "request" if record.broken == 1 else "requests"
    text = (
        f"{record.broken} {noun} turned wrong by it, each confirmed by leaving it out, "
        f"and {record.mended} right"
    )
    return example.model_copy(update={"withdrawn": text})
