"""The questions that a decision asks of the model, step by step.

Each step returns its objection, or None if the patch passes it.
"""

from __future__ import annotations

from patchlab_agent.gate.batching import Dialogue
from patchlab_agent.gate.evidence import refereed_probe
from patchlab_agent.gate.hearing import Hearing
from patchlab_agent.gate.reasons import named, no_evidence, not_mended, outweighed
from patchlab_agent.models.base import digest
from patchlab_agent.models.evidence import EvidenceSource, Reason
from patchlab_agent.models.patch import Role
from patchlab_agent.models.trigger import Always
from patchlab_agent.statistics import e_value


def objection(hearing: Hearing) -> Dialogue[Reason | None]:
    """Ask until a step objects; return its objection, or None if none does."""
    if found := (yield from _complaint_is_gone(hearing)):
        return found
    if found := (yield from _what_was_right_stays(hearing)):
        return found
    if not (hearing.is_shown or hearing.vouched or hearing.is_trusted):
        return no_evidence(hearing)
    return (yield from _claims_hold(hearing))


def _complaint_is_gone(hearing: Hearing) -> Dialogue[Reason | None]:
    patch, trial = hearing.candidate.patch, hearing.trial
    if hearing.is_unprompted:
        return None
    requests = [request for request in patch.failing if trial.changes(request)]
    if not requests:
        text = "there is no room for the patch in the prompt of its own failing request"
        if not isinstance(patch.trigger, str):
            text = f"{text}, or a nearer lesson speaks there"
        return Reason(code="no_room", text=text)
    if hearing.candidate.referee is not None:
        hearing.failing += trial.begin(
            refereed_probe(request, hearing.candidate.referee) for request in requests
        )
        yield from trial.mends(hearing.failing)
        return not_mended(patch, hearing.failing)
    # Nobody can judge the answer, and it does not show what the patch says: labels have to.
    if not patch.fix.shows_in_answers:
        return None
    if (yield from trial.satisfies(requests)):
        return None
    text = "its failing request still gets no complete answer that agrees with it"
    return Reason(code="still_wrong", text=text)


def _what_was_right_stays(hearing: Hearing) -> Dialogue[Reason | None]:
    """Object if as much turns wrong as right, or if the changed values are wrong."""
    if isinstance(hearing.candidate.patch.trigger, Always):
        return (yield from _gains_everywhere(hearing))
    trial = hearing.trial
    tried = trial.begin(probe for probe in hearing.known if trial.changes(probe.request))
    yield from trial.keeps(tried)
    hearing.labeled += [each for each in tried if each.probe.source is EvidenceSource.LABELS]
    broken = [each for each in tried if each.outcome == "broken"]
    if broken or hearing.is_unprompted or not hearing.is_shown:
        # `keeps` stops at the first right answer, which is cheap but cannot show a gain. Full
        # pairs are drawn only now that it matters what else the patch turns right.
        again = trial.begin_again([each for each in hearing.labeled if each.outcome == "kept"])
        yield from trial.mends(again)
        for each in again:
            if each.outcome != "mended":
                each.outcome = "broken" if each.lost > each.gained else "kept"
        broken = [each for each in trial.trials if each.outcome == "broken"]
    # A lesson has to win by the number of requests and by what they gain: many small gains do
    # not make up for a request that is lost, nor one large gain for many small losses.
    if broken and (len(broken) >= hearing.mended or hearing.change <= 0):
        return outweighed(hearing, broken)
    return _misleading(hearing)


def _gains_everywhere(hearing: Hearing) -> Dialogue[Reason | None]:
    """Object unless a patch in every prompt turns clearly more requests right than wrong.

    The requests that taught it do not count: what is in every prompt has to be good for others.
    """
    changing = [probe for probe in hearing.known if hearing.trial.changes(probe.request)]
    # A sample, as far as calls reach: in an order that has nothing to do with that of the file.
    changing.sort(key=lambda probe: digest(probe.request))
    tried = yield from hearing.trial.weigh(changing)
    hearing.labeled += [each for each in tried if each.probe.source is EvidenceSource.LABELS]
    gained = sum(each.outcome == "mended" for each in tried)
    lost = sum(each.outcome == "broken" for each in tried)
    if e_value(gained, lost) >= hearing.trial.bound:
        return _misleading(hearing)
    text = (
        f"of {len(tried)} other requests {gained} turn right and {lost} wrong, which is not "
        "enough for what stands in every prompt"
    )
    return Reason(code="outweighed" if lost >= gained and lost else "no_evidence", text=text)


def _misleading(hearing: Hearing) -> Reason | None:
    """Object if most of the changes that the patch makes to labeled answers are wrong.

    Labels may state the effect of a rule and not the rule itself, as a weight in kg does not
    name the unit it was converted from.
    """
    trial = hearing.trial
    told = [trial.speaks(each) or trial.teaches_right(each) for each in hearing.labeled]
    wrong, right = told.count(False), told.count(True)
    if wrong <= right:
        return None
    where = f"labeled requests with {named(hearing.candidate.patch)}"
    text = (
        f"in {wrong} of {wrong + right} {where} it changes the "
        "answer to another value than the right one"
    )
    return Reason(code="contradicted", text=text)


def _claims_hold(hearing: Hearing) -> Dialogue[Reason | None]:
    def made(role: Role) -> list[str]:
        return [test.request for test in hearing.candidate.patch.tests if test.role is role]

    if not (yield from hearing.trial.unchanged(made(Role.UNCONCERNED))):
        text = "an answer changes to a request that the patch does not concern"
        return Reason(code="changes_unconcerned", text=text)
    if not (yield from hearing.trial.obeyed(made(Role.OBEDIENCE))):
        text = "the model does not do what the patch says in most requests made for it"
        return Reason(code="disobeyed", text=text)
    return None
