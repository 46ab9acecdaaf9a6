"""Patches out of a store and into another one: only by the gate, and to the same answers."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchlab_agent import open_lab
from patchlab_agent.errors import BackendUnavailable, InputError
from patchlab_agent.gate.base import Candidate
from patchlab_agent.gate.gate import Gate
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.models.base import Output
from patchlab_agent.models.patch import Origin, Patch, Status
from patchlab_agent.models.transfer import ImportReport
from patchlab_agent.runs.evaluation import stratified
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import AgentSettings, RunSettings
from patchlab_agent.transfer.difference import difference
from patchlab_agent.transfer.importer import Importer
from patchlab_agent.transfer.lines import export_lines, read_export
from tests.support.gates import OTHERS
from tests.support.make import failing, labeled, make_patch
from tests.support.words_skill import CLOCK, Reader, words_lab, words_skill

RUNS, GOLDEN = 120, 60


@pytest.fixture(autouse=True)
def words_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lets exports of the second skill be read."""
    from patchlab_agent.skill.skill import load_skill  # noqa: PLC0415

    def load(name: str) -> Any:
        return words_skill(tmp_path / "templates") if name == "words" else load_skill(name)

    monkeypatch.setattr("patchlab_agent.transfer.lines.load_skill", load)


def take(lab: Lab, patches: list[Patch], source: str = "f") -> ImportReport:
    """Import patches from a file of that name."""
    importer = Importer(lab.store.patches, lab.gate, lab.lifecycle, source)
    importer.run(patches, lambda: None)
    return importer.report


def outcomes(report: ImportReport) -> list[tuple[str, str]]:
    return [(patch.trigger, patch.outcome) for patch in report.patches]


def stored(lab: Lab, patch: Patch) -> Patch:
    found = lab.store.patches.get(patch.id)
    assert found is not None
    return found


def zok(meaning: str = "red", *besides: str) -> Patch:
    """Teaches what a zok is, and is tested on it beside other words."""
    test = failing(" ".join(["a zok", *besides]))
    return make_patch("zok", meaning, tests=(test,)).brought_by(Origin.PERSON)


def blim() -> Patch:
    return make_patch("blim", "green", tests=(failing("a blim"),)).brought_by(Origin.PERSON)


def golden_answers(lab: Lab) -> list[Output | None]:
    cases = stratified(lab.skill.simulator.golden(), GOLDEN)
    return [lab.agent.answer(case.request, draw="golden").output for case in cases]


def test_an_import_into_an_empty_store_answers_the_golden_set_as_before(tmp_path: Path) -> None:
    def settings(name: str) -> RunSettings:
        return RunSettings(store=tmp_path / name, runs=RUNS, golden=0, examples=0)

    with lab_of(settings("a")) as lab:
        Runner(lab, settings("a")).run()
    with lab_of(settings("a")) as lab:
        lines = list(export_lines("shipping", lab.store.patches.all()))
        before, uncovered = golden_answers(lab), lab.store.patches.active_count
    skill, patches = read_export("f", lines)
    assert skill == "shipping"
    with lab_of(settings("b")) as lab:
        nothing = golden_answers(lab)
        report = take(lab, patches)
        # Of those that a carrier had let in, a few cannot be told to be true without one.
        assert report.count("quarantined") <= len(patches) / 15
        answers = golden_answers(lab)
        assert sum(map(operator.ne, answers, before)) <= 3 < sum(map(operator.ne, nothing, before))
        for patch in patches:
            if patch.status is Status.ACTIVE and stored(lab, patch).status is not Status.ACTIVE:
                lab.lifecycle.enable(stored(lab, patch))
        assert golden_answers(lab) == before
        assert lab.store.patches.active_count == uncovered > 20
        # An export of the import is in the same order, though its events share their time.
        again = [json.loads(line) for line in export_lines("shipping", lab.store.patches.all())]
        at_once = {p.id for p in patches if len(stored(lab, p).history) == len(p.history) + 1}
    ids = [line["id"] for line in again[1:] if line["id"] in at_once]
    assert ids == [patch.id for patch in patches if patch.id in at_once]
    assert len(ids) > 0.8 * len(patches)


def test_what_was_active_passes_the_gate_and_the_rest_comes_as_it_is(tmp_path: Path) -> None:
    others = [
        make_patch(word, status=status, tests=(failing(f"a {word}"),))
        for word, status in (
            ("tarn", Status.QUARANTINED),
            ("quil", Status.DISABLED),
            ("gorm", Status.RETIRED),
        )
    ]
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        report = take(lab, [*others, zok()])
        assert outcomes(report)[:3] == [(patch.trigger, "as_it_was") for patch in others]
        assert outcomes(report)[3] == ("zok", "activated")
        for patch in others:
            here = stored(lab, patch)
            assert here.status is patch.status
            (event,) = here.history
            assert (event.cause, event.trace_id, event.at) == ("imported from f", "", CLOCK)
        assert all("zok" in prompt.request for prompt in backend.prompts)
        assert stored(lab, zok()).history[-1].cause.startswith("imported from f: nobody can judge")


def test_what_was_active_elsewhere_and_fails_here_is_quarantined(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        lab.gate.use_suite([labeled("zok one", {"zok": "red"}), *OTHERS])
        wrong = make_patch("zok", "blue", tests=(failing("a zok"),))
        report = take(lab, [wrong])
        assert outcomes(report) == [("zok", "quarantined")]
        assert report.patches[0].was is Status.ACTIVE
        assert stored(lab, wrong).status is Status.QUARANTINED


def test_an_import_is_taken_on_its_word_where_imports_are_trusted(tmp_path: Path) -> None:
    born_in_a_run = make_patch("zok", tests=(failing("a zok"),))
    assert born_in_a_run.provenance.origin is Origin.STREAM
    with words_lab(tmp_path / "a") as lab:
        assert outcomes(take(lab, [born_in_a_run])) == [("zok", "activated")]
        here = stored(lab, born_in_a_run)
        assert here.provenance.origin is Origin.IMPORT
        assert here.gate is not None
        assert here.gate.codes == ("taken_on_trust",)
    with words_lab(tmp_path / "b") as lab:
        lab.settings = AgentSettings(trust="person")
        assert outcomes(take(lab, [born_in_a_run])) == [("zok", "quarantined")]


def test_a_refused_patch_is_gated_again_once_those_are_there_that_it_was_born_among(
    tmp_path: Path,
) -> None:
    needs_blim = zok("red", "blim")
    with words_lab(tmp_path) as lab:
        report = take(lab, [needs_blim, blim()])
        assert outcomes(report) == [("zok", "activated"), ("blim", "activated")]
        causes = [change.cause for change in stored(lab, needs_blim).history]
        assert causes[0].startswith(
            "imported from f: its failing request still gets no complete answer"
        )
        assert causes[1].startswith("imported from f, gated again beside the others: nobody")


def test_a_refused_patch_is_not_gated_again_where_nothing_has_changed(tmp_path: Path) -> None:
    needs_blim = zok("red", "blim")
    with words_lab(tmp_path) as lab:
        tarn = make_patch("tarn", "blue", tests=(failing("a tarn"),))
        report = take(lab, [needs_blim, tarn])
        assert outcomes(report) == [("zok", "quarantined"), ("tarn", "activated")]
        assert len(stored(lab, needs_blim).history) == 1


def test_a_superseded_patch_stays_so_and_its_successor_gets_in(tmp_path: Path) -> None:
    with words_lab(tmp_path / "a") as lab:
        for patch in (zok("red"), blim(), zok("blue")):
            lab.lifecycle.decide(Candidate(patch), "new")
        before = list(lab.store.patches.all())
        assert [patch.status for patch in before].count(Status.RETIRED) == 1
        lines = list(export_lines("words", before))
    with words_lab(tmp_path / "b") as lab:
        take(lab, read_export("f", lines)[1])
        diff = difference("a", before, "b", lab.store.patches.all())
        assert (diff.differences, diff.equal) == ((), 3)


def test_an_imported_patch_takes_the_place_of_what_says_otherwise_here(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        lab.lifecycle.decide(Candidate(zok("blue")), "new")
        report = take(lab, [zok("red")])
        assert report.patches[0].superseded == (zok("blue").id,)
        assert stored(lab, zok("blue")).superseded_by == zok("red").id


def test_known_patches_are_left_alone_whatever_their_status(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        lab.lifecycle.decide(Candidate(zok()), "new")
        lab.lifecycle.disable(stored(lab, zok()))
        before = stored(lab, zok())
        report = take(lab, [zok()])
        assert outcomes(report) == [("zok", "known")]
        assert report.patches[0].text == "disabled here"
        assert stored(lab, zok()) == before


def test_an_outage_leaves_what_came_before_it(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(outage_at=1)) as lab:
        importer = Importer(lab.store.patches, lab.gate, lab.lifecycle, "f")
        with pytest.raises(BackendUnavailable):
            importer.run([zok(), blim()], lambda: None)
        assert outcomes(importer.report) == [("zok", "activated")]
        assert lab.store.patches.count() == 1


def test_an_import_that_was_cut_off_goes_on_with_what_it_had_refused(tmp_path: Path) -> None:
    # What a zok is can only be told beside a blim, and that one comes after it.
    first, other = zok("red", "blim"), blim()
    backend = Reader(outage_at=1)
    with words_lab(tmp_path, backend) as lab:
        importer = Importer(lab.store.patches, lab.gate, lab.lifecycle, "f")
        with pytest.raises(BackendUnavailable):
            importer.run([first, other], lambda: None)
        assert outcomes(importer.report) == [("zok", "quarantined")]
        backend.outage_at = None
        lab.lifecycle.decide(Candidate(other), "new")
        # Now zok would pass; but only the export that had it refused goes on with it.
        for name in ("g", "", "f2"):
            assert outcomes(take(lab, [first], source=name)) == [("zok", "known")]
        assert outcomes(take(lab, [first, other])) == [("zok", "activated"), ("blim", "known")]
        before = list(lab.store.patches.all())
        assert outcomes(take(lab, [first, other])) == [("zok", "known"), ("blim", "known")]
        assert list(lab.store.patches.all()) == before


def test_an_import_that_was_cut_off_knows_the_noise_that_it_had_seen(tmp_path: Path) -> None:
    patches, unknown = [zok(), blim()], (1, 3)

    def noise_after(taken: list[Patch], source: str, before: tuple[int, int]) -> tuple[int, int]:
        with words_lab(tmp_path) as lab:
            assert isinstance(lab.gate, Gate)
            lab.gate.noise = before
            take(lab, taken, source)
            return lab.gate.noise

    assert noise_after(patches[:1], "f", (7, 9)) == (7, 9)
    assert noise_after(patches, "f", unknown) == (7, 9)
    # What one import has seen is nothing to another one.
    assert noise_after(patches, "g", unknown) == unknown


def lines_of(*patches: Patch) -> list[str]:
    return list(export_lines("words", patches))


def changed(change: Callable[[dict[str, Any]], object]) -> list[str]:
    """An export of one patch whose line was changed by hand."""
    header, line = lines_of(zok())
    data = json.loads(line)
    change(data)
    return [header, json.dumps(data)]


def test_lines_come_back_as_the_patches_that_they_were() -> None:
    patches = [zok(), blim(), make_patch("ünïcode \u2028 x", trigger="ünïcode x")]
    patches[2] = patches[2].model_copy(update={"tests": zok().tests})
    for ascii_only in (True, False):
        lines = list(export_lines("words", patches, ascii_only=ascii_only))
        assert "".join(lines).isascii() == ascii_only
        assert {patch.id: patch for patch in read_export("f", lines)[1]} == {
            patch.id: patch for patch in patches
        }


def test_a_patch_that_was_changed_is_a_new_one_without_its_id() -> None:
    def correct(data: dict[str, Any]) -> None:
        data["fix"]["meaning"] = "blue"

    with pytest.raises(InputError, match=r"f, line 2: the patch was changed.*omit its id"):
        read_export("f", changed(correct))

    def correct_rightly(data: dict[str, Any]) -> None:
        correct(data)
        del data["id"]

    (patch,) = read_export("f", changed(correct_rightly))[1]
    assert patch.id == make_patch("zok", "blue").id


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda data: data.update(trigger="Zok!"), "'Zok!' is not a valid trigger"),
        (lambda data: data.update(trigger="a b c d e"), "is not a valid trigger"),
        (lambda data: data.update(trigger={"kind": "always"}), "requests with its phrase"),
        (lambda data: data.update(trigger={"kind": "often"}), "trigger: phrase: "),
        (
            lambda data: data.update(trigger={"kind": "similar", "requests": []}),
            "trigger: similar: requests: ",
        ),
        (lambda data: data.update(tests=[]), "has no test"),
        (lambda data: data.update(skill="shipping"), "is of skill 'shipping'"),
        (lambda data: data.update(statsu="active"), "statsu: Extra inputs"),
        (lambda data: data.update(status="great"), "status: "),
        (lambda data: data["fix"].update(kind="magic"), "fix: "),
        (lambda data: data.pop("fix"), "fix: "),
        (lambda data: data.pop("provenance"), "provenance: Field required"),
    ],
)
def test_a_line_that_is_no_patch_is_refused_by_name(
    change: Callable[[dict[str, Any]], object], word: str
) -> None:
    with pytest.raises(InputError) as refused:
        read_export("f", changed(change))
    assert str(refused.value).startswith("f, line 2: ")
    assert word in str(refused.value)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda data: data["provenance"].update(value=nested(210)), "more than 32 levels"),
        (lambda data: data["provenance"].update(value=10**400), "value: the number is too large"),
        (lambda data: data.update(recurrences=10**30), "recurrences: the number is too large"),
        (
            lambda data: data["provenance"].update(detail="x" * 200_000),
            "detail: 200,000 characters",
        ),
        (lambda data: data["provenance"].update(value=["a"] * 60_000), "more than 50,000 values"),
        (lambda data: data.update(trigger="x" * 2_000_000), "a patch up to 1,000,000"),
        (lambda data: data["tests"].extend(data["tests"] * 3_000), "3,001 tests; leave 100"),
        (
            lambda data: data["tests"][0].update(request="x" * 3_000),
            "tests.0: The request has 3,000",
        ),
        (lambda data: data["tests"][0].update(request="x" * 300_000), "tests.0.request: 300,000"),
        (
            lambda data: data["tests"][0].update(request="a\0b"),
            "tests.0: The request contains control",
        ),
        (lambda data: data["tests"][0].update(request=" "), "tests.0: The request is empty"),
        (lambda data: data["tests"][0].update(taken=nested(40)), "more than 32 levels"),
        (lambda data: data["tests"][0].update(taken={"\0" * 110_000: 1}), "110,000 characters"),
    ],
)
def test_what_a_store_could_not_keep_or_read_back_is_refused(
    change: Callable[[dict[str, Any]], object], word: str
) -> None:
    with pytest.raises(InputError) as refused:
        read_export("f", changed(change))
    assert str(refused.value).startswith("f, line 2")
    assert word in str(refused.value)
    assert len(str(refused.value)) < 300


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
        max_leaves=20,
    ),
    st.sampled_from(["value", "detail", "label", "field", "request", "trace_id"]),
)
@settings(
    derandomize=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_line_is_refused_or_comes_back_as_it_was(value: Any, name: str) -> None:
    try:
        _, [patch] = read_export(
            "f", changed(lambda data: data["provenance"].update({name: value}))
        )
    except InputError:
        return
    kept = patch.model_dump_json().encode()
    assert Patch.model_validate({**json.loads(kept), "fix": patch.fix}) == patch


def test_a_key_given_twice_is_refused_by_its_line() -> None:
    header, line = lines_of(zok())
    with pytest.raises(InputError, match="f, line 2: the key 'trigger' is given twice"):
        read_export("f", [header, f'{line[:-1]}, "trigger": "other"}}'])


def test_half_a_character_is_refused_by_its_line() -> None:
    def halve(data: dict[str, Any]) -> None:
        data["provenance"]["request"] = "\ud800"

    with pytest.raises(InputError, match="f, line 2 is not valid JSON in UTF-8"):
        read_export("f", changed(halve))


def test_a_patch_stands_in_an_export_once() -> None:
    header, line = lines_of(zok())
    with pytest.raises(InputError, match=r"f, line 4: patch .* occurs twice"):
        read_export("f", [header, line, "", line])


@pytest.mark.parametrize(
    ("first", "word"),
    [
        ("{}", "is not the first line of an export"),
        ('{"format": 2, "skill": "words"}', "format 2, this version reads format 1"),
        ('{"format": 1, "skill": "words", "x": 1}', "x: Extra inputs"),
        ("[" * 100_000, "is not valid JSON"),
    ],
)
def test_an_odd_first_line_is_refused(first: str, word: str) -> None:
    with pytest.raises(InputError, match="f, line 1") as refused:
        read_export("f", [first])
    assert word in str(refused.value)


def test_a_diff_pairs_what_says_otherwise_of_the_same_subject() -> None:
    ours = [zok("red"), blim(), make_patch("tarn")]
    theirs = [
        zok("blue"),
        make_patch("zok", "black", status=Status.RETIRED),
        blim().moved(Status.DISABLED, "", "", CLOCK),
        make_patch("quil"),
    ]
    diff = difference("a", ours, "b", theirs)
    found = [
        (d.kind, d.a and d.a.teaches.split("=")[-1], d.b and d.b.teaches.split("=")[-1])
        for d in diff.differences
    ]
    assert diff.equal == 0
    assert sorted(found, key=str) == sorted(
        [
            ("status", "green", "green"),
            ("fix", "red", "blue"),
            ("only_in_b", None, "black"),
            ("only_in_b", None, "red"),
            ("only_in_a", "red", None),
        ],
        key=str,
    )
    back = difference("b", theirs, "a", ours)
    assert {(d.a, d.b) for d in diff.differences} == {(d.b, d.a) for d in back.differences}


def test_a_store_needs_no_cli_to_be_exported(tmp_path: Path) -> None:
    with open_lab(store=tmp_path / "s") as lab:
        assert list(export_lines(lab.skill.name, lab.store.patches.all())) == [
            '{"format":1,"skill":"shipping"}'
        ]
