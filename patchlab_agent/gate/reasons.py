"""The reasons for and against a patch, each as a code and a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from patchlab_agent.gate.evidence import Probe, agreement
from patchlab_agent.gate.grading import Subject
from patchlab_agent.gate.hearing import Hearing
from patchlab_agent.gate.request_trial import RequestTrial
from patchlab_agent.gate.trial import PatchTrial
from patchlab_agent.models.evidence import Reason
from patchlab_agent.models.patch import Patch
from patchlab_agent.skill.guard import shown


def named(patch: Patch) -> str:
    """Return a patch's trigger as sentences name it."""
    return repr(patch.trigger) if isinstance(patch.trigger, str) else patch.trigger_text


def contradicted(patch: Patch, known: Sequence[Probe]) -> Reason | None:
    """Object if most right answers to requests with the trigger contradict the patch.

    A false rule need not break an answer: a misread word can be taught as the name of anything,
    and does no harm next to the right word.
    """
    said = agreement(patch, known)
    wrong = len(said) - sum(said)
    if 2 * wrong <= len(said):
        return None
    text = f"{wrong} of {len(said)} right answers to requests with {named(patch)} say otherwise"
    return Reason(code="contradicted", text=text)


def outweighed(hearing: Hearing, broken: Sequence[RequestTrial]) -> Reason:
    """Say that a patch turns no fewer requests wrong than right."""
    first = broken[0].probe
    verb, right, wrong = _words(hearing.trial)
    text = (
        f"{_requests(len(broken), verb)} {wrong} and {hearing.mended} {right}; {wrong} is "
        f"{shown(first.request)} ({first.source})"
    )
    if len(broken) < hearing.mended:
        text += f", and the score changes by {hearing.change:+.2f} in all"
    return Reason(code="outweighed", text=text)


def no_evidence(hearing: Hearing) -> Reason:
    """Say that nothing but the patch itself says that it is true."""
    text = "nothing outside the patch shows that it is true"
    if hearing.mended:
        text += ": the answer that was taken says nothing of it"
    return Reason(code="no_evidence", text=text)


def not_mended(patch: Patch, failing: Sequence[RequestTrial]) -> Reason | None:
    """Object if the referee does not accept the new answers to the requests that failed.

    A failure that does not recur says nothing about the patch.
    """
    mended = sum(trial.outcome == "mended" for trial in failing)
    wrong = sum(trial.outcome == "failed" for trial in failing)
    if mended and mended >= wrong:
        return None
    kept = [trial for trial in failing if trial.outcome == "kept"]
    if kept and not wrong:
        pairs = kept[0].pairs
        is_partial = kept[0].is_partial
        fine = sum(pair.is_calm if is_partial else pair.without.ok for pair in pairs)
        text = (
            f"the failure did not come again: without the patch {fine} of {len(pairs)} fresh draws "
            f"are {'free of it' if is_partial else 'right'}"
        )
        return Reason(code="not_reproduced", text=text)
    refused = [trial for trial in failing if trial.outcome == "failed"]
    complaints = [found for trial in refused if (found := trial.complaint) is not None]
    born = Subject.of(patch)
    own = [said for _, said in complaints if born.is_complained_of(said)]
    if own:
        text = f"with the patch the referee still says: {born.complaint_in(own[0])}"
        return Reason(code="still_wrong", text=text)
    if complaints:
        text = f"with the patch the referee says something else: {complaints[0][1]}"
        return Reason(code="other_complaint", text=text)
    return Reason(code="undecided", text="the draws do not tell whether the failure is mended")


def speaks_for(hearing: Hearing) -> Reason:
    """Say what speaks for a patch that nothing objects to."""
    if hearing.mended:
        return _mends(hearing.trial)
    if hearing.vouched:
        record = hearing.candidate.patch.record
        gained, lost = record.in_words
        text = f"its record stands: {record.mended} requests {gained}, {record.broken} {lost}"
        return Reason(code="mends", text=text)
    if hearing.is_unprompted:
        return _agrees(hearing)
    text = (
        "nobody can judge the answer again and nothing at hand says otherwise: taken on the "
        f"word of its origin ({hearing.candidate.patch.provenance.origin})"
    )
    return Reason(code="taken_on_trust", text=text)


def _agrees(hearing: Hearing) -> Reason:
    """Say that right answers at hand agree with a patch that no failure taught."""
    trigger = named(hearing.candidate.patch)
    text = f"right answers to requests with {trigger} at hand say the same, or turn out so"
    return Reason(code="agrees", text=text)


def _mends(trial: PatchTrial) -> Reason:
    """Say which requests a patch turns right, and by whose word."""
    mended = [each for each in trial.trials if each.outcome == "mended"]
    broken = sum(each.outcome == "broken" for each in trial.trials)
    sources = " and ".join(dict.fromkeys(str(each.probe.source) for each in mended))
    verb, right, wrong = _words(trial)
    text = (
        f"by the {sources}, {_requests(len(mended), verb)} {right} and {broken or 'none'} {wrong}"
    )
    return Reason(code="mends", text=text)


def _words(trial: PatchTrial) -> tuple[str, str, str]:
    """Return what requests do by the patch: `turn`, `right`, `wrong`."""
    is_partial = any(each.is_partial for each in trial.trials)
    return ("get", "better", "worse") if is_partial else ("turn", "right", "wrong")


def _requests(number: int, verb: str) -> str:
    return f"1 request {verb}s" if number == 1 else f"{number} requests {verb}"
