"""Whatever stands in requests, patches and answers, it stays text on the page."""

from __future__ import annotations

import pytest

from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.evidence import GateReport, Reason
from patchlab_agent.models.golden import GoldenAnswer, Mistake
from patchlab_agent.models.patch import PatchTest, Provenance, Role, Status, StatusChange
from patchlab_agent.models.report import Stop
from patchlab_agent.models.trace import Feedback
from patchlab_agent.report.html.page import page
from patchlab_agent.shipping.rules import RestrictionFix
from tests.report.make import AT, GATE, attempt, full_report, judged, patch, retrieved, trace
from tests.report.parsed import parsed

HOSTILE = [
    "</script><script>alert(1)</script>",
    "</style></title></textarea></pre><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onmouseover='alert(1)' x=",
    "{{ 7 * 7 }}{% for x in y %}",
    "<!-- <svg/onload=alert(1)>",
    "javascript:alert(1)",
]


def hostile_page(text: str) -> str:
    """A page with the text wherever somebody else's text may stand."""
    cluster = full_report().clusters[0].model_copy(update={"example": text, "label": text})
    highlight = full_report().highlights[0].model_copy(update={"request": text, "applied": (text,)})
    golden = full_report().golden
    assert golden is not None
    case = golden.cases[0].model_copy(update={"request": text, "baseline": text})
    score = golden.labels[0].model_copy(update={"label": text})
    report = full_report(
        backend=text,
        store=text,
        settings={text: text},
        stopped=Stop(kind="outage", reason=text),
        clusters=(cluster,),
        highlights=(highlight,),
        golden=golden.model_copy(update={"cases": (case,), "labels": (score,)}),
    )
    gate = GateReport.model_validate(
        {
            **GATE.model_dump(),
            "reasons": (Reason(code="mends", text=text),),
            "results": [{**GATE.results[0].model_dump(), "request": text, "complaint": text}],
        }
    )
    lesson = patch(
        trigger=text,
        fix=RestrictionFix(item="x", demand="hazmat").model_copy(update={"item": text}),
        provenance=Provenance(trace_id=text, request=text, label=text, field=text, value=text),
        tests=(PatchTest(role=Role.SPOILED, request=text, taken={text: text}),),
        gate=gate,
        history=(StatusChange(status=Status.ACTIVE, cause=text, trace_id=text, at=AT),),
    )
    judgement = Feedback(label=text, field=text, value=text, detail=text)
    told = trace(
        request=text,
        retrieved=(retrieved(text),),
        examples=(text,),
        attempt=attempt(user_prompt=text, raw=text, output=None, problem=text),
        feedback=judgement,
        baseline=judged(text, output={text: text}),
        ceiling=judged(text),
        events=(PatchEvent(kind="activated", patch_id=text, trigger=text, text=text),),
    )
    answer = GoldenAnswer(
        trace=told.model_copy(update={"index": 1}),
        mistakes=(Mistake(label=text, baseline="missed", patched="right"),),
    )
    return page(report, [lesson], [told], [answer])


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_a_tag_an_attribute_or_a_script(text: str) -> None:
    plain, hostile = (parsed(hostile_page(each)) for each in ("harmless", text))
    assert [tag.name for tag in hostile.tags] == [tag.name for tag in plain.tags]
    assert [sorted(tag.attributes) for tag in hostile.tags] == [
        sorted(tag.attributes) for tag in plain.tags
    ]
    assert len(hostile.named("script")) == 1
    assert hostile.text.count(" ".join(text.split())) == plain.text.count("harmless")
    assert not [href for href in hostile.values("href") if not href.startswith("#")]


def test_control_characters_are_shown_and_not_sent() -> None:
    html = hostile_page("a\x00b\x1b[31m\u202ec")
    assert html.encode("utf-8")
    assert not set(html) & {"\x00", "\x1b", "\u202e"}
    assert r"a\x00b\x1b[31m\u202ec" in parsed(html).text
