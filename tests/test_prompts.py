"""Templates: loaded, checked, and rendered in one pass."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from patchlab_agent.errors import PromptError
from patchlab_agent.models.trace import Example
from patchlab_agent.prompts import Prompts, literal
from patchlab_agent.resources import resource
from tests.support.words_skill import WordFix, write_templates

pytestmark = pytest.mark.quick

ZOK = WordFix(word="zok", meaning="red")
SHIPPED = Prompts(resource("prompts", "shipping"))
ANY_TEXT = st.text(st.characters())
HOSTILE = [
    "{{ 7*7 }}",
    "{% raw %}",
    "{# gone #}",
    "{% for x in range(3) %}{{ x }}{% endfor %}",
    '"quoted" and \\ escaped',
    "{{ request }}",
]


def prompts(folder: Path, **changed: str) -> Prompts:
    return Prompts(write_templates(folder / "templates", **changed))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_request_is_never_looked_at_as_a_template(tmp_path: Path, text: str) -> None:
    rendered = prompts(tmp_path).user(text, [])
    assert rendered == f"Request: {json.dumps(text)}\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_rule_and_an_example_are_never_looked_at_as_templates(tmp_path: Path, text: str) -> None:
    rule, quoted = WordFix(word=text, meaning=text), json.dumps(text)
    shown = Example(request=text, answer={"a": text}, rules=(rule,))
    asked, answered = prompts(tmp_path).turns(shown)
    assert (asked.role, answered.role) == ("user", "assistant")
    assert asked.content == f"Request: {quoted}\n- {quoted} means {quoted}\n"
    assert answered.content == f'{{"a":{quoted}}}'


@pytest.mark.parametrize("text", HOSTILE)
def test_a_problem_is_never_looked_at_as_a_template(tmp_path: Path, text: str) -> None:
    assert prompts(tmp_path).repair(text) == f"That was {json.dumps(text)}."


def test_an_example_asks_as_the_request_itself_would(tmp_path: Path) -> None:
    loaded = prompts(tmp_path)
    asked, _ = loaded.turns(Example(request="a zok", answer={}, rules=(ZOK,)))
    assert asked.content == loaded.user("a zok", [ZOK])


@given(ANY_TEXT)
@settings(derandomize=True, max_examples=300)
@example("\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r\n\x7f")
@example("\u202e\u200b\ufeff\U000e0041\xad")
@example("\ud800 \udfff")
@example('" \\ \\u0022')
def test_a_literal_is_one_visible_line_that_means_the_text(text: str) -> None:
    quoted = literal(text)
    assert len(quoted.splitlines()) == 1
    assert not {unicodedata.category(char) for char in quoted} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    # JSON cannot tell a pair of surrogates from the character that it stands for.
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert json.loads(quoted) in (text, paired)


def test_a_literal_leaves_readable_text_readable() -> None:
    assert literal("España → 東京, 2½ kg") == '"España → 東京, 2½ kg"'
    assert literal({"a": [1, None, True], "b": "x: y, z"}) == '{"a":[1,null,true],"b":"x: y, z"}'


@given(ANY_TEXT)
@settings(derandomize=True, max_examples=60)
def test_no_request_adds_a_line_to_the_shipped_prompt(text: str) -> None:
    assert len(SHIPPED.user(text, []).splitlines()) == 2
    assert len(SHIPPED.repair(text).splitlines()) == 2
    assert len(SHIPPED.turns(Example(request="x", answer={"a": text}))[1].content.splitlines()) == 1


def test_all_unknown_names_are_listed_together(tmp_path: Path) -> None:
    with pytest.raises(PromptError) as caught:
        prompts(
            tmp_path,
            system="{{ rules }} {{ weather }} {{ request }}",
            user="{{ request }} {% if mood %}{{ mood }}{% endif %}",
            rule="{{ fix }} {{ patch }}",
            repair="{{ problem }} {{ answer }}",
        )
    for name in ("system.j2: request", "system.j2: weather", "user.j2: mood", "rule.j2: patch"):
        assert name in str(caught.value)
    assert "repair.j2: answer" in str(caught.value)


def test_examples_are_no_part_of_the_turn_that_asks(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"user\.j2: examples"):
        prompts(tmp_path, user="{{ request }} {{ examples }}")


def test_a_name_that_a_template_sets_itself_is_no_unknown_one(tmp_path: Path) -> None:
    found = prompts(tmp_path, user="{% set loud = request | upper %}{{ loud }}")
    assert found.user("ship", []) == "SHIP"


@pytest.mark.parametrize("name", ["system", "user", "rule", "repair"])
def test_a_missing_template_is_named(tmp_path: Path, name: str) -> None:
    folder = write_templates(tmp_path / "t")
    (folder / f"{name}.j2").unlink()
    with pytest.raises(PromptError, match=rf"{name}\.j2 cannot be read; restore it"):
        Prompts(folder)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% for rule in rules %}", "endfor|end of template"),
        ("{{ rules", "expected token|end of"),
        ("{{ rules | shout }}", "shout"),
    ],
)
def test_a_broken_template_is_refused_at_loading(tmp_path: Path, source: str, problem: str) -> None:
    with pytest.raises(PromptError, match=problem):
        prompts(tmp_path, system=source)


def test_a_field_that_a_fix_does_not_have_is_refused_when_rendered(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"rule\.j2 cannot be rendered.*colour"):
        prompts(tmp_path, rule="{{ fix.colour }}").rule(ZOK)


@pytest.mark.parametrize("source", ["", "{{ fix.word }}\n{{ fix.meaning }}", "{# nothing #}"])
def test_a_rule_is_one_line_or_an_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(PromptError, match="one line for kind 'word'"):
        prompts(tmp_path, rule=source).rule(ZOK)


def test_templates_cannot_reach_into_python(tmp_path: Path) -> None:
    unsafe = prompts(tmp_path, user="{{ request.__class__.__mro__ }}")
    with pytest.raises(PromptError):
        unsafe.user("x", [])


def test_the_digest_names_the_templates_content(tmp_path: Path) -> None:
    one, same = prompts(tmp_path / "a"), prompts(tmp_path / "b")
    other = prompts(tmp_path / "c", user="Now: {{ request }}")
    mended = prompts(tmp_path / "d", repair="No: {{ problem }}")
    assert one.digest == same.digest
    assert len({one.digest, other.digest, mended.digest}) == 3


def test_the_system_part_holds_rules_and_schema_and_nothing_of_a_request(tmp_path: Path) -> None:
    loaded = prompts(tmp_path)
    expected = 'Say what the words mean.\n- "zok" means "red"\nSchema: {"type":"object"}'
    assert loaded.system([ZOK], {"type": "object"}) == expected
    loaded.user("a request", [WordFix(word="blim", meaning="green")])
    assert loaded.system([ZOK], {"type": "object"}) == expected


def test_a_template_that_changed_is_read_anew_and_one_of_the_same_text_keeps_its_name(
    tmp_path: Path,
) -> None:
    before = prompts(tmp_path, repair="{{ problem }}")
    after = prompts(tmp_path, repair="Not {{ problem }}")
    assert (before.repair("odd"), after.repair("odd")) == ("odd", "Not odd")
    assert before.digest != after.digest
    same = prompts(tmp_path, user="{{ rules.nothing }}", system="{{ rules.nothing }}")
    with pytest.raises(PromptError, match=r"^user\.j2 cannot be rendered"):
        same.user("a zok", [])
    with pytest.raises(PromptError, match=r"^system\.j2 cannot be rendered"):
        same.system([], {})
