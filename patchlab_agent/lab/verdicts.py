"""What an answer comes to, whether or not its skill has words of its own for that."""

from __future__ import annotations

from patchlab_agent.models.base import Output
from patchlab_agent.models.trace import Trace
from patchlab_agent.models.verdict import Verdict, listing
from patchlab_agent.skill.optional import TellingTask
from patchlab_agent.skill.skill import Skill


def with_verdict(skill: Skill, trace: Trace) -> Trace:
    """Return a trace with what its answer comes to.

    Raises:
        SkillError: the skill's verdict failed.
    """
    return trace.model_copy(update={"verdict": _verdict(skill, trace)})


def _verdict(skill: Skill, trace: Trace) -> Verdict:
    if trace.output is None:
        problem = " ".join(trace.attempt.problem.split()).rstrip(".")
        return Verdict(outcome="unusable", text=f"The answer cannot be used: {problem}.")
    if isinstance(skill.task, TellingTask):
        return skill.task.verdict(trace.request, trace.output)
    return _plain(trace.output)


def _plain(output: Output) -> Verdict:
    """Say which fields of an answer are null."""
    missing = tuple(name for name, value in output.items() if value is None)
    if missing:
        text = f"Answered without {listing(missing)}."
        return Verdict(outcome="incomplete", text=text, missing=missing)
    return Verdict(outcome="answered", text="Answered.")
