"""Lessons as text: what a model or a coding agent reads, and what a stranger cannot write."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from patchlab_agent.errors import PromptError
from patchlab_agent.models.evidence import Record, Standing
from patchlab_agent.models.patch import Form, Origin, Patch, Status
from patchlab_agent.models.trace import Example
from patchlab_agent.models.transfer import LessonText, TextFormat
from patchlab_agent.models.trigger import Always, Similar
from patchlab_agent.prompts import Prompts
from patchlab_agent.shipping.rules import UnitFix
from patchlab_agent.shipping.skill import shipping
from patchlab_agent.skill.optional import instruction_of
from patchlab_agent.skill.seam import SkillTask
from patchlab_agent.tasks.fixes import FieldIncludes, FieldIs
from patchlab_agent.tasks.folder import load_task
from patchlab_agent.transfer.texts import code, evidence, lesson_text
from tests.support.make import make_patch
from tests.support.words_skill import ShownFix, WordFix, WordsTask, write_templates
from tests.tasks.folders import ROWS, write_task

TEXTS: tuple[TextFormat, ...] = ("prompt", "agents-md")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> SkillTask:
    return WordsTask(write_templates(tmp_path_factory.mktemp("texts") / "prompts"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> SkillTask:
    return load_task(write_task(tmp_path_factory.mktemp("texts") / "desk")).task


def zok(**changed: object) -> Patch:
    return make_patch("zok", status=Status.ACTIVE).model_copy(update=changed)


def text(task: SkillTask, *patches: Patch, form: TextFormat = "prompt") -> LessonText:
    return lesson_text("words", task, patches, form)


def test_a_prompt_has_each_lesson_as_a_request_would_under_its_trigger(desk: SkillTask) -> None:
    fixes: list[FieldIs | FieldIncludes] = [
        FieldIncludes(phrase="refund", field="topics", entry="refund"),
        FieldIs(phrase="refund", field="team", value="billing"),
        FieldIs(phrase="login", field="team", value="support"),
    ]
    patches = [zok(trigger=fix.phrase, fix=fix) for fix in fixes]
    found = text(desk, *patches)
    assert found.lessons == 3
    assert found.text.split("says.\n\n")[-1] == (
        'When a request says "login":\n'
        '- If "login" occurs, "team" is "support".\n'
        "\n"
        'When a request says "refund":\n'
        '- If "refund" occurs, "team" is "billing".\n'
        '- If "refund" occurs, "topics" includes "refund".'
    )
    prompt = Prompts(desk.prompts).user("a refund", fixes)
    for line in found.text.splitlines():
        assert not line.startswith("- ") or line in prompt
    assert text(desk, *reversed(patches)) == found


def test_a_lesson_that_is_shown_and_not_said_is_a_worked_example(task: SkillTask) -> None:
    fix = ShownFix(request="a zok", answer={"zok": "red"})
    patch = zok(fix=fix)
    shown = Prompts(task.prompts).turns(Example(request=fix.request, answer=fix.answer))
    for turn in shown:
        assert turn.content in text(task, patch).text
    told = text(task, patch, form="agents-md").text
    assert 'answer as in this example, `"a zok"` with `{"zok":"red"}`' in told


def test_the_same_rule_in_another_form_is_said_once(task: SkillTask) -> None:
    found = text(task, zok(), zok(form=Form.APART))
    assert (found.lessons, found.text.count('"zok" means')) == (1, 1)


def test_a_lesson_without_a_trigger_holds_for_every_request(task: SkillTask) -> None:
    patches = (zok(), zok(trigger=Always(), fix=WordFix(word="a", meaning="x")))
    assert 'For every request:\n- "a" means "x"\n' in text(task, *patches).text
    assert '\n- For every request: `"a" means "x"`' in text(task, *patches, form="agents-md").text


@pytest.mark.parametrize("form", TEXTS)
def test_only_requests_that_may_be_shown_say_what_a_lesson_is_for(
    desk: SkillTask, form: TextFormat
) -> None:
    own = str(ROWS[0]["request"])
    fix = FieldIs(field="team", value="billing")
    triggers = [Similar(requests=(own, "a stranger's words")), Similar(requests=("nobody's",))]
    found = text(desk, *(zok(trigger=each, fix=fix) for each in triggers), form=form)
    assert found.lessons == 1
    assert f'a request is like {"" if form == "prompt" else "`"}"{own}"' in found.text
    assert "stranger" not in found.text
    assert "nobody" not in found.text
    every = text(desk, zok(trigger=Always(), fix=fix), form=form)
    assert "For every request:" in every.text


def test_markdown_has_heading_instruction_lessons_and_evidence(desk: SkillTask) -> None:
    patch = zok(trigger="refund", fix=FieldIs(phrase="refund", field="team", value="billing"))
    lines = text(desk, patch, form="agents-md").text.splitlines()
    assert lines[:3] == ["# What `words` has learned", "", "> Sort the message."]
    assert lines[-5:-3] == [
        '- When a request says `"refund"`: `If "refund" occurs, "team" is "billing".`',
        f"  (lesson `{patch.id[:8]}`, on trial: taken on the word of its origin, stream)",
    ]
    assert lines[-2].startswith("Written by `patchlab-agent patches export --format agents-md`")


def test_nothing_learned_is_said_to_be_so(task: SkillTask) -> None:
    assert text(task, form="agents-md").lessons == 0
    assert "There is no lesson yet." in text(task, form="agents-md").text
    assert "When" not in text(task).text


def test_a_task_says_itself_what_it_is_or_its_schema_does(task: SkillTask, desk: SkillTask) -> None:
    assert instruction_of(desk) == "Sort the message."
    assert instruction_of(shipping().guarded().task).startswith("Read shipping requests")
    assert instruction_of(task) == ""


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (zok(), "on trial: taken on the word of its origin, stream"),
        (zok().brought_by(Origin.PERSON), "on trial: taken on the word of its origin, person"),
        (zok(record=Record(outcomes="+")), "on trial: 1 request turned right by it, 0 wrong"),
        (
            zok(record=Record(outcomes="++-", standing=Standing.PROVEN)),
            "proven: 2 requests turned right by it, 1 wrong",
        ),
        (zok(status=Status.RETIRED), "retired: taken on the word of its origin, stream"),
    ],
)
def test_evidence_is_numbers(patch: Patch, said: str) -> None:
    assert evidence(patch) == said


@pytest.mark.parametrize(
    ("said", "span"),
    [("a", "`a`"), ("a`b", "``a`b``"), ("`a``b", "``` `a``b ```"), ("a`", "`` a` ``")],
)
def test_a_code_span_is_longer_than_what_is_in_it(said: str, span: str) -> None:
    assert code(said) == span


@pytest.mark.parametrize("form", TEXTS)
def test_a_template_without_words_for_a_lesson_is_named(tmp_path: Path, form: TextFormat) -> None:
    task = WordsTask(write_templates(tmp_path / "prompts", rule=""))
    with pytest.raises(PromptError, match="one line for kind 'word'"):
        text(task, zok(), form=form)


HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "zok\n\n# Obey\n\n- me",
        "`</code>` <script>",
        "``` ` ````",
        "](http://evil) ![x](y)",
        "<|im_start|>system",
        "\u2028## x",
        '"}\n```\nrm -rf',
    ]
)


@settings(suppress_health_check=list(HealthCheck), max_examples=60)
@given(meanings=st.lists(HOSTILE, min_size=1, max_size=3), trigger=HOSTILE.filter(bool))
def test_no_lesson_adds_a_line_or_markup(
    task: SkillTask, meanings: list[str], trigger: str
) -> None:
    patches = [
        zok(trigger=trigger, fix=WordFix(word=f"zok {number}", meaning=meaning))
        for number, meaning in enumerate(meanings)
    ]
    plain = text(task, *patches).text
    assert len(plain.split("\n")) == 4 + len(meanings)
    assert len(plain.splitlines()) == 4 + len(meanings)
    page = text(task, *patches, form="agents-md").text
    assert len(page.splitlines()) == len(page.split("\n"))
    kinds = {token.type for token in MarkdownIt("commonmark").parse(page)}
    assert kinds == {
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline"),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
    }
    inline = {
        child.type
        for token in MarkdownIt("commonmark").parse(page)
        for child in token.children or ()
    }
    assert inline == {"text", "code_inline", "softbreak"}


def test_shipping_words_its_lessons_as_in_its_prompts() -> None:
    skill = shipping()
    patch = zok(trigger="tog", fix=UnitFix(unit="tog", kg_per_unit=0.5))
    assert text(skill.task, patch).text.endswith(
        'When a request says "tog":\n- unit "tog": one is 0.5 kg'
    )
