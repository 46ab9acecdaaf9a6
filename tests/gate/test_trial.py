"""One patch's requests, draw by draw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchlab_agent.agent.agent import Agent
from patchlab_agent.gate.batching import Dialogue, in_batches
from patchlab_agent.gate.evidence import Labeled, Probe, labeled_probe, refereed_probe
from patchlab_agent.gate.paired_answers import OutOfCalls
from patchlab_agent.gate.request_trial import NOT_AGAIN, Limits, RequestTrial
from patchlab_agent.gate.trial import PatchTrial
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.evidence import Claim
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Feedback
from tests.support.gates import NoExamples, Shelf, asked, zok
from tests.support.make import labeled
from tests.support.words_skill import Reader, WordsReferee, WordsTask, write_templates

pytestmark = pytest.mark.quick

PATIENCE = 6
LONG = Limits(varies=True, patience=PATIENCE, max_pairs=2 * PATIENCE, bound=20)
ONCE = Limits(varies=False, patience=1, max_pairs=1, bound=20)


def trial_of(
    folder: Path, backend: Reader, patch: Patch | None = None, *, max_calls: int = 400
) -> tuple[PatchTrial, Agent]:
    agent = Agent(WordsTask(write_templates(folder / "t")), backend, Shelf(), NoExamples())
    trial = PatchTrial(
        agent,
        patch or zok(),
        judged=agent.task.judged,
        limits=LONG if backend.varies else ONCE,
        max_calls=max_calls,
    )
    return trial, agent


def run(agent: Agent, dialogue: Dialogue[object]) -> object:
    [found] = in_batches(agent.attempts, [dialogue])
    return found


def probe(request: str = "a zok") -> Probe:
    return refereed_probe(request, WordsReferee())


@pytest.mark.parametrize(
    ("with_it", "teaches"),
    [
        ({"zok": "red", "blim": "odd"}, True),
        ({"zok": "odd", "blim": "odd"}, False),
        # A field that becomes null says nothing, right or wrong.
        ({"zok": None, "blim": "odd"}, None),
        ({"blim": "odd"}, None),
    ],
)
def test_what_a_patch_changes_in_a_wrong_answer_may_be_right_there(
    tmp_path: Path, with_it: JsonObject, teaches: bool | None
) -> None:
    def answer(request: str, draw: str, answer: JsonObject) -> None:
        told = answer.get("zok") == "red"
        answer.clear()
        answer.update(with_it if told else {"zok": "green", "blim": "odd"})

    trial, agent = trial_of(tmp_path, Reader(answer))
    wrong = Feedback(label="odd")
    case = Labeled("zok blim", {"zok": "red", "blim": "green"}, lambda _quote: wrong)
    [own] = trial.begin([labeled_probe(case)])
    run(agent, trial.keeps([own]))
    assert trial.teaches_right(own) is teaches


def by_draw(with_it: str, without: str) -> Callable[[str, str, JsonObject], None]:
    """Right in these draws with the patch, and in these without it."""

    def disturb(request: str, draw: str, answer: JsonObject) -> None:
        told = with_it if answer.get("zok") else without
        answer["zok"] = "red" if draw.removeprefix("gate:") in told.split() else None

    return disturb


def mended(folder: Path, with_it: str, without: str) -> RequestTrial:
    trial, agent = trial_of(folder, Reader(by_draw(with_it, without), varies=True))
    [tried] = trial.begin([probe()])
    run(agent, trial.mends([tried]))
    return tried


def kept(folder: Path, with_it: str, without: str) -> RequestTrial:
    trial, agent = trial_of(folder, Reader(by_draw(with_it, without), varies=True))
    [tried] = trial.begin([probe()])
    run(agent, trial.keeps([tried]))
    return tried


ALL = " ".join(map(str, range(99)))


@pytest.mark.parametrize(
    ("with_it", "without", "outcome", "asked_for"),
    [
        (ALL, "", "mended", (6, 5)),
        # Not once right with the patch, in as many draws as patience has.
        ("", "", "failed", (PATIENCE, 0)),
        ("", ALL, "failed", (PATIENCE, 0)),
        # Right at last, and from then on.
        ("5 6 7 8 9 10 11", "", "mended", (11, 5)),
        # The draw that shows it can be right is not counted for it.
        ("0", "", "open", (1 + 2 * PATIENCE, 2 * PATIENCE)),
        # Right without it as well.
        (ALL, ALL, "kept", (1 + NOT_AGAIN, NOT_AGAIN)),
        # Right before, and wrong now.
        ("0", ALL, "failed", (6, 5)),
        # As often this way as that.
        ("0 1 3 5 7 9 11", "2 4 6 8 10 12", "open", (1 + 2 * PATIENCE, 2 * PATIENCE)),
    ],
)
def test_a_request_is_drawn_until_it_tells(
    tmp_path: Path, with_it: str, without: str, outcome: str, asked_for: tuple[int, int]
) -> None:
    tried = mended(tmp_path, with_it, without)
    assert tried.outcome == outcome
    assert (len(tried.given), len(tried.pairs)) == asked_for


@pytest.mark.parametrize(
    ("with_it", "without", "outcome", "draws"),
    [
        (ALL, "", "kept", 1),
        (ALL, ALL, "kept", 1),
        # One right answer shows that the request is not lost to the patch.
        ("4", ALL, "kept", 5),
        ("", ALL, "broken", 5),
        ("", "0 2 4 6 8", "broken", 9),
        # Wrong either way so often, it has something else wrong with it.
        ("", "", "kept", PATIENCE),
    ],
)
def test_harm_takes_as_many_pairs_as_help(
    tmp_path: Path, with_it: str, without: str, outcome: str, draws: int
) -> None:
    tried = kept(tmp_path, with_it, without)
    assert (tried.outcome, len(tried.given)) == (outcome, draws)


def test_what_is_right_with_the_patch_is_not_asked_without_it(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    trial, agent = trial_of(tmp_path, backend)
    run(agent, trial.keeps(trial.begin([probe("a zok"), probe("the zok")])))
    assert asked(backend) == [("a zok", True), ("the zok", True)]
    assert trial.calls == 2


def test_a_request_taken_up_anew_stands_in_the_results_once_and_is_not_asked_again(
    tmp_path: Path,
) -> None:
    backend = Reader()
    trial, agent = trial_of(tmp_path, backend)
    tried = trial.begin([probe("a zok"), probe("the zok")])
    run(agent, trial.keeps(tried))
    run(agent, trial.mends(trial.begin_again(tried[1:])))
    assert [(r.request, r.outcome) for r in trial.results] == [
        ("a zok", "kept"),
        ("the zok", "mended"),
    ]
    assert asked(backend) == [("a zok", True), ("the zok", True), ("the zok", False)]
    assert trial.calls == 3


def test_the_cap_is_kept_to_before_anything_is_asked(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    trial, agent = trial_of(tmp_path, backend, max_calls=4)
    with pytest.raises(OutOfCalls):
        run(agent, trial.mends(trial.begin([probe()])))
    # One draw with the patch, one pair; the second pair would be one call too many.
    assert (trial.calls, len(backend.prompts)) == (3, 3)


def test_obedience_is_asked_for_until_it_is_shown(tmp_path: Path) -> None:
    def late(request: str, draw: str, answer: JsonObject) -> None:
        if request == "late zok" and draw != "gate:2":
            answer["zok"] = None

    backend = Reader(late, varies=True)
    trial, agent = trial_of(tmp_path, backend)
    assert run(agent, trial.obeyed(["one zok", "late zok"])) is True
    assert [(r.request, r.outcome, r.draws, r.right_with) for r in trial.claims] == [
        ("one zok", "kept", 1, 1),
        ("late zok", "kept", 3, 1),
    ]
    # Most are enough, so the third is not asked.
    trial, agent = trial_of(tmp_path, Reader(late, varies=True))
    assert run(agent, trial.obeyed(["one zok", "two zok", "late zok"])) is True
    assert [r.request for r in trial.claims] == ["one zok", "two zok"]
    trial, agent = trial_of(tmp_path, Reader(late, varies=True))
    assert run(agent, trial.obeyed(["late zok", "two zok", "one zok"])) is True
    assert [(r.outcome, r.draws) for r in trial.claims] == [("failed", 1), ("kept", 1), ("kept", 1)]
    assert run(agent, trial.obeyed([])) is True


def test_only_what_changes_is_asked_whether_it_stays_the_same(tmp_path: Path) -> None:
    backend = Reader()
    trial, agent = trial_of(tmp_path, backend)
    assert run(agent, trial.unchanged(["a blim", "salt"])) is True
    assert backend.prompts == []
    assert run(agent, trial.unchanged(["a blim", "a zok"])) is False
    assert asked(backend) == [("a zok", False), ("a zok", True)]


def test_satisfied_is_a_request_with_a_complete_answer_by_the_patch(tmp_path: Path) -> None:
    backend = Reader()
    trial, agent = trial_of(tmp_path, backend)
    requests = ["a zok", "zok blim"]
    assert run(agent, trial.satisfies(requests)) == ["a zok"]
    other, agent = trial_of(tmp_path, Reader(by_draw("", "")))
    assert run(agent, other.satisfies(requests)) == []


def test_a_quarter_of_the_calls_is_left_for_the_claims(tmp_path: Path) -> None:
    def always_wrong(request: str, draw: str, answer: JsonObject) -> None:
        answer["zok"] = None

    trial, agent = trial_of(tmp_path, Reader(always_wrong, varies=True), max_calls=8)
    [tried] = trial.begin([probe()])
    run(agent, trial.keeps([tried]))
    # Three pairs, and no fourth.
    assert (trial.calls, tried.outcome, len(tried.pairs)) == (6, "open", 3)
    with pytest.raises(OutOfCalls):
        run(agent, trial.obeyed(["one zok"]))
    assert trial.calls == 8


def test_as_many_requests_are_weighed_as_calls_allow(tmp_path: Path) -> None:
    backend = Reader()
    trial, agent = trial_of(tmp_path, backend, max_calls=8)
    probes = [labeled_probe(labeled(f"zok {n}", {"zok": "red"})) for n in range(9)]
    tried = run(agent, trial.weigh(probes))
    assert isinstance(tried, list)
    assert [each.probe.request for each in tried] == ["zok 0", "zok 1", "zok 2"]
    assert [(each.outcome, len(each.pairs)) for each in tried] == [("mended", 1)] * 3
    assert run(agent, trial.weigh(probes)) == []
    other, agent = trial_of(tmp_path, Reader())
    weighed = run(agent, other.weigh([labeled_probe(labeled("zok", {"zok": "blue"}))]))
    assert isinstance(weighed, list)
    assert [each.outcome for each in weighed] == ["kept"]


def test_a_right_answer_teaches_nothing_by_its_changes(tmp_path: Path) -> None:
    trial, agent = trial_of(tmp_path, Reader())
    [own] = trial.begin([labeled_probe(labeled("a zok", {"zok": "red"}))])
    assert trial.teaches_right(own) is None
    run(agent, trial.mends([own]))
    assert own.outcome == "mended"
    assert trial.teaches_right(own) is None
    assert trial.speaks(own)


def test_a_claim_is_reported_without_pairs(tmp_path: Path) -> None:
    trial, agent = trial_of(tmp_path, Reader())
    run(agent, trial.obeyed(["one zok"]))
    run(agent, trial.unchanged(["a blim", "a zok"]))
    told = [(r.source, r.request, r.outcome, r.draws, r.right_with) for r in trial.results]
    assert told == [
        (Claim.OBEDIENCE, "one zok", "kept", 1, 1),
        (Claim.UNCONCERNED, "a blim", "kept", 0, 1),
        (Claim.UNCONCERNED, "a zok", "failed", 1, 0),
    ]
    assert {(r.pairs, r.gained, r.lost) for r in trial.results} == {(0, 0, 0)}
