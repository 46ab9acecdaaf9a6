"""Prompts: the same request and context are rendered once, and any other anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from patchlab_agent.agent import rendering
from patchlab_agent.agent.agent import EMPTY
from patchlab_agent.agent.rendering import Renderer
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix, Form
from patchlab_agent.models.trace import Context, Example
from patchlab_agent.prompts import Prompts
from patchlab_agent.skill.seam import Reading
from tests.support.make import make_hit, make_patch
from tests.support.words_skill import WordFix, WordsTask, write_templates


class Counting(WordsTask):
    """Counts how often a prompt is made."""

    made = 0
    apart: Sequence[Fix] = ()

    def examples_of(
        self, fixes: Sequence[Fix], request: str = "", apart: Sequence[Fix] = ()
    ) -> Sequence[Example]:
        self.made += 1
        self.apart = list(apart)
        return super().examples_of(fixes, request, apart)


def renderer(path: Path) -> tuple[Renderer, Counting]:
    task = Counting(write_templates(path))
    return Renderer(task, Prompts(path)), task


def given(word: str, meaning: str = "red") -> Context:
    return Context(given=(WordFix(word=word, meaning=meaning),))


def test_a_prompt_that_is_asked_again_is_not_rendered_again(tmp_path: Path) -> None:
    render, task = renderer(tmp_path)
    first = render.prompt("a zok", given("zok"), "0")
    again = render.prompt("a zok", given("zok"), "1")
    assert task.made == 1
    assert (again.messages, again.draw) == (first.messages, "1")
    # A learned rule makes the same prompt as the same rule given.
    learned = Context(retrieved=(make_hit(make_patch("zok")),))
    assert (
        render.prompt("a zok", learned, "0").messages
        == render.prompt(
            "a zok", given("zok", learned.fixes[0].model_dump()["meaning"]), "0"
        ).messages
    )


def test_whatever_a_prompt_shows_makes_another_one(tmp_path: Path) -> None:
    render, task = renderer(tmp_path)
    patch = make_patch("zok")
    contexts = [
        EMPTY,
        given("zok"),
        given("zok", "green"),
        given("blim"),
        Context(examples=(Example(request="a tarn", answer={"tarn": "blue"}),)),
        Context(examples=(Example(request="a tarn", answer={"tarn": "red"}),)),
        Context(retrieved=(make_hit(patch.model_copy(update={"form": Form.REPEATED})),)),
    ]
    prompts = [render.prompt(request, c, "0") for c in contexts for request in ("a zok", "zok")]
    assert len({prompt.messages for prompt in prompts}) == task.made == 14


def test_only_the_latest_prompts_are_remembered(tmp_path: Path) -> None:
    render, task = renderer(tmp_path)
    for number in range(rendering.REMEMBERED + 1):
        render.prompt(f"{number} zok", EMPTY, "0")
    render.prompt(f"{rendering.REMEMBERED} zok", EMPTY, "0")
    assert task.made == rendering.REMEMBERED + 1
    render.prompt("0 zok", EMPTY, "0")
    assert task.made == rendering.REMEMBERED + 2


class Widening(WordsTask):
    """Its schema names what its lessons are about."""

    def schema_under(self, fixes: Sequence[Fix]) -> JsonObject:
        return {"lessons": len(fixes)}

    def read_under(self, text: str, fixes: Sequence[Fix]) -> Reading:
        return self.read(text)


def test_the_schema_is_that_of_the_lessons_where_they_widen_it(tmp_path: Path) -> None:
    widening = Renderer(Widening(write_templates(tmp_path)), Prompts(tmp_path))
    assert widening.prompt("a zok", given("zok"), "0").answer_schema == {"lessons": 1}
    assert widening.prompt("a zok", EMPTY, "0").answer_schema == {"lessons": 0}
    plain, task = renderer(tmp_path)
    assert plain.prompt("a zok", given("zok"), "0").answer_schema == task.answer_schema


def test_the_skill_is_told_which_lessons_stand_apart(tmp_path: Path) -> None:
    render, task = renderer(tmp_path)
    zok, blim = make_patch("zok").model_copy(update={"form": Form.APART}), make_patch("blim")
    render.prompt("zok blim", Context(retrieved=(make_hit(zok), make_hit(blim))), "0")
    assert task.apart == [zok.fix]
