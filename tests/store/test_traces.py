"""Traces in Chroma: written in batches, found as if each had been written at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from patchlab_agent.embedding import Distances, HashingEmbedder
from patchlab_agent.models.selection import Selection
from patchlab_agent.models.tally import Tally
from patchlab_agent.models.trace import OK, Feedback, Trace
from patchlab_agent.models.trigger import Always, Similar, Trigger
from patchlab_agent.store import chroma as chroma_module
from patchlab_agent.store import traces as traces_module
from patchlab_agent.store.examples import MAX_EXAMPLE_CHARS
from patchlab_agent.store.store import Store
from patchlab_agent.store.traces import BATCH, TraceStore
from patchlab_agent.text import phrases
from tests.support.make import WRONG, make_trace
from tests.support.words_skill import words_store

WORDS = ("zok", "blim", "tarn", "quil", "salt", "gorm", "feld", "murn")


def stream(count: int) -> list[Trace]:
    """Traces as a run makes them: some failed, some unjudged, some of a request seen before."""
    rng = random.Random(3)
    outcomes: list[Feedback | None] = [OK, OK, OK, WRONG, None]
    return [
        make_trace(
            f"t-{index:07d}",
            f"{rng.randrange(1, 9)} kg " + " ".join(rng.sample(WORDS, rng.choice((2, 3)))),
            feedback=rng.choice(outcomes),
            index=index,
        )
        for index in range(count)
    ]


def found(store: Store, request: str, n: int = 3) -> list[str]:
    return [example.id for example in store.examples.similar(request, n)]


def test_batches_change_nothing_about_what_is_found(tmp_path: Path) -> None:
    asked = ("2 kg zok blim", "5 kg salt quil", "7 kg murn feld gorm", "send 3 kg tarn")
    with words_store(tmp_path / "a") as batched, words_store(tmp_path / "b") as direct:
        for number, trace in enumerate(stream(150)):
            batched.traces.add(trace)
            direct.traces.add(trace)
            direct.traces.flush()
            for request in (asked[number % 4], trace.request):
                assert batched.examples.similar(request, 3) == direct.examples.similar(request, 3)
        before = [found(batched, request, 5) for request in asked]
        batched.traces.flush()
        assert [found(batched, request, 5) for request in asked] == before
    with words_store(tmp_path / "a", write=False) as again:
        assert [found(again, request, 5) for request in asked] == before
        assert again.traces.count() == 150


def test_traces_are_on_disk_after_a_full_batch(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for trace in stream(BATCH + 1):
            store.traces.add(trace)
        assert store.traces.count() == BATCH + 1
        assert len(list(store.traces.newest(200))) == BATCH


def test_the_nearest_successful_requests_are_shown_the_nearest_first(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number, request in enumerate(("zok", "zok blim", "zok blim tarn", "quil")):
            store.traces.add(make_trace(f"t-{number}", request))
        assert found(store, "zok blim", 3) == ["t-1", "t-2", "t-0"]
        assert found(store, "zok blim", 0) == []
        assert len(found(store, "zok blim", 9)) == 4


@pytest.mark.parametrize("flushed", [True, False])
@pytest.mark.parametrize(
    "hidden",
    [
        make_trace("t-1", feedback=WRONG),
        make_trace("t-1", feedback=None),
        make_trace("t-1", answer={}),
        make_trace("t-1", "zok " * 50 + "!"),
        make_trace("t-1", "a secret zok"),
    ],
    ids=["failed", "unjudged", "no answer", "too long", "not to be shown"],
)
def test_only_plain_short_successes_are_shown(tmp_path: Path, hidden: Trace, flushed: bool) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(hidden)
        store.traces.add(make_trace("t-2", "another zok"))
        if flushed:
            store.traces.flush()
        assert found(store, hidden.request) == ["t-2"]
        assert store.traces.get("t-1") == hidden


def test_a_request_of_the_longest_length_is_still_shown(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-1", "z" * MAX_EXAMPLE_CHARS))
        assert found(store, "zok") == ["t-1"]


def test_one_request_is_shown_once_by_its_first_trace(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for trace_id, request in (("t-3", "a zok"), ("t-1", "A  ZOK"), ("t-2", "a blim")):
            store.traces.add(make_trace(trace_id, request))
            store.traces.flush()
        assert found(store, "a zok") == ["t-3", "t-2"]


def test_successes_behind_many_failures_are_found(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number in range(40):
            request = f"a zok and {WORDS[number % 8]} by {WORDS[number // 8]}"
            store.traces.add(make_trace(f"t-{number:02d}", request, feedback=WRONG))
        store.traces.add(make_trace("t-99", "something quite different"))
        store.traces.flush()
        assert found(store, "a zok", 1) == ["t-99"]


def test_equal_distances_are_told_apart_by_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Distances, "__call__", lambda self, one, other: 0.5)
    for name, order in (("a", (2, 0, 1)), ("b", (1, 2, 0))):
        with words_store(tmp_path / name) as store:
            for number in order:
                store.traces.add(make_trace(f"t-{number}", f"zok {WORDS[number]}"))
            assert found(store, "tarn zok") == ["t-0", "t-1", "t-2"]
            store.traces.flush()
            assert found(store, "tarn zok") == ["t-0", "t-1", "t-2"]


def test_the_same_words_in_another_order_are_one_example(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number, request in enumerate(("zok blim tarn", "tarn blim zok", "blim")):
            store.traces.add(make_trace(f"t-{number}", request))
        assert found(store, "tarn zok") == ["t-0", "t-2"]


def test_an_example_is_the_request_with_the_models_answer(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-1", "a Zok", answer={"zok": "red", "n": 1.5}))
        shown = store.examples.similar("zok", 1)[0]
    assert (shown.id, shown.request, shown.answer) == ("t-1", "a Zok", {"zok": "red", "n": 1.5})


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    trace = make_trace("t-1", applied=("p1", "p2"), baseline=WRONG, ceiling=OK, feedback=WRONG)
    with words_store(tmp_path) as store:
        store.traces.add(trace)
        assert store.traces.get("t-1") == trace
        store.traces.flush()
        assert store.traces.get("t-1") == trace
        assert store.traces.get("t-2") is None


def test_newest_first_in_pages(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for trace in stream(7):
            store.traces.add(trace)
        assert list(store.traces.newest(3)) == []
        store.traces.flush()
        indices = [[t.index for t in store.traces.newest(3, offset)] for offset in (0, 3, 6, 9)]
    assert indices == [[6, 5, 4], [3, 2, 1], [0], []]


def test_a_flush_of_nothing_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces_module, "metadata_of", None)
    with words_store(tmp_path) as store:
        store.traces.flush()
        assert store.traces.count() == 0


def judged(number: int, feedback: Feedback | None, baseline: Feedback | None, *ids: str) -> Trace:
    return make_trace(
        f"t-{number:07d}", feedback=feedback, baseline=baseline, applied=ids, index=number
    )


TOLD = (
    judged(0, WRONG, WRONG),
    judged(1, OK, WRONG, "ab", "cd"),
    judged(2, OK, OK, "ab"),
    judged(3, WRONG, OK, "ab"),
    judged(4, OK, None, "cd"),
    judged(5, None, None),
)


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        (Selection(), [5, 4, 3, 2, 1, 0]),
        (Selection(label="word_unknown"), [3, 0]),
        (Selection(label="OK"), [4, 2, 1]),
        (Selection(failed=True), [3, 0]),
        (Selection(better=True), [1]),
        (Selection(applied="ab"), [3, 2, 1]),
        (Selection(applied="a"), []),
        (Selection(applied="ab", failed=True), [3]),
        (Selection(run="run-0001", label="OK"), [4, 2, 1]),
        (Selection(run="run-0002"), []),
    ],
)
def test_a_selection_is_found_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: Selection, numbers: list[int]
) -> None:
    with words_store(tmp_path) as store:
        for trace in TOLD:
            store.traces.add(trace)
        store.traces.flush()
        monkeypatch.setattr(traces_module, "BATCH", 2)
        assert [trace.index for trace in store.traces.select(selection)] == numbers


def test_tallies_count_uses_saves_and_harms_over_pages_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with words_store(tmp_path) as store:
        assert store.traces.tallies() == {}
        for trace in TOLD:
            store.traces.add(trace)
        store.traces.flush()
        for page in (1, 2, 100):
            monkeypatch.setattr(chroma_module, "PAGE", page)
            assert store.traces.tallies() == {
                "ab": Tally(uses=3, saves=1, harms=1),
                "cd": Tally(uses=2, saves=1, harms=0),
            }


def test_ids_are_found_by_their_beginning(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for trace in TOLD:
            store.traces.add(trace)
        store.traces.flush()
        assert store.traces.find("t-000000") == [trace.id for trace in TOLD]
        assert store.traces.find("t-0000003") == ["t-0000003"]
        assert store.traces.find("x") == []


def test_looking_up_puts_what_holds_the_text_first_and_equal_ones_by_id(tmp_path: Path) -> None:
    requests = ["2 kg zok tarn", "a TARN box", "tarn box a", "zok", *["blim quil"] * 30]
    with words_store(tmp_path) as store:
        for number, request in enumerate(requests):
            store.traces.add(make_trace(f"t-{number:07d}", request, feedback=None, index=number))
        store.traces.flush()
        found = store.traces.look_up("a tarn box", 3)
        assert [trace.index for trace, _ in found] == [1, 2, 0]
        assert [distance for _, distance in found][:2] == pytest.approx([0, 0], abs=1e-6)
        walled = store.traces.look_up("quil blim", 4)
        assert [trace.index for trace, _ in walled] == [4, 5, 6, 7]
        assert store.traces.look_up("(.*[", 100)[0][1] <= 2


def test_sketches_find_the_nearest_of_many_whole_vectors(tmp_path: Path) -> None:
    rng = random.Random(5)
    syllables = ["ba", "do", "ki", "lu", "mo", "ne", "ra", "su", "ti", "vo"]
    words = ["".join(rng.choices(syllables, k=3)) for _ in range(80)]
    requests = [" ".join(rng.choices(words, k=6)) for _ in range(600)]
    distances = Distances(HashingEmbedder())
    with words_store(tmp_path) as store:
        for number, request in enumerate(requests):
            store.traces.add(make_trace(f"t-{number:07d}", request, feedback=None, index=number))
        store.traces.flush()
        asked = [" ".join(rng.choices(words, k=6)) for _ in range(20)]
        for text in asked:
            found = [distance for _, distance in store.traces.look_up(text, 5)]
            assert found == sorted(distances(text, request) for request in requests)[:5]


def accepted(store: Store, trigger: Trigger, n: int = 9) -> list[str]:
    return [trace.id for trace in store.traces.accepted(trigger, n)]


def test_accepted_answers_of_the_next_batch_are_found_as_well(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number in range(4):
            store.traces.add(make_trace(f"t-{number}", f"a zok {number}"))
            store.traces.flush()
            assert accepted(store, "zok") == [f"t-{n}" for n in range(number, -1, -1)]


@pytest.mark.parametrize("flushed", [True, False, None], ids=["flushed", "pending", "half"])
def test_accepted_answers_are_found_by_an_exact_trigger_the_newest_first(
    tmp_path: Path, flushed: bool | None
) -> None:
    requests = (
        ("a zok", OK),
        ("A ZOK!", OK),
        ("zoks", OK),
        ("a zoq", OK),
        ("the zok", WRONG),
        ("one zok", None),
        ("2zok", OK),
        ("zok", OK),
    )
    with words_store(tmp_path) as store:
        for number, (request, feedback) in enumerate(requests):
            store.traces.add(make_trace(f"t-{number:07d}", request, feedback=feedback))
            if flushed is None and number == 3:
                store.traces.flush()
        if flushed:
            store.traces.flush()
        found = ["t-0000007", "t-0000006", "t-0000001", "t-0000000"]
        assert accepted(store, "zok") == found
        assert accepted(store, "zok", 2) == found[:2]
        assert accepted(store, "zok", 0) == []
        assert accepted(store, "blim") == []


def test_of_one_request_the_newest_accepted_answer_is_found(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number, request in enumerate(["a zok", "the zok", "a zok", "a zok"]):
            store.traces.add(make_trace(f"t-{number:07d}", request))
            if number == 1:
                store.traces.flush()
        assert accepted(store, "zok") == ["t-0000003", "t-0000001"]
        assert accepted(store, "zok", 1) == ["t-0000003"]


def test_what_is_judged_otherwise_later_is_accepted_no_more(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001"))
        store.traces.flush()
        assert accepted(store, "zok") == ["t-0000001"]
        store.traces.add(make_trace("t-0000001", feedback=WRONG))
        assert accepted(store, "zok") == []
        store.traces.flush()
        assert accepted(store, "zok") == []


@pytest.mark.parametrize(
    ("trigger", "request_text", "is_found"),
    [
        ("dry ice", "2 kg dry ice to US", True),
        ("dry ice", "Dry-Ice to US", False),
        ("dry ice", "dry,  ICE", True),
        ("dry ice", "dry\n ice", True),
        ("dry ice", "ice dry", False),
        ("dry ice", "dry old ice", False),
        ("ice", "dry-ice", False),
        ("мёд", "2 кг МЁД в Токио", True),
        ("мёд", "медок", False),
        ("蜂蜜", "2 kg 蜂蜜 box", True),
        ("φάρμακα", "5 ΦΆΡΜΑΚΑ", True),
        ("crème brûlée", "1 kg Crème   brûlée", True),
        ("o'neill", "for O'Neill", True),
        ("2 lb", "a 2 lb box", True),
        ("2 lb box", "a 2lb box", True),
        ("2 lb", "zok2 lb", True),
        ("box 2", "box 2lb", True),
        ("ice", "icecream", False),
        ("ice", "justice", False),
        ("dry ice", "dryice", False),
    ],
)
@pytest.mark.parametrize("flushed", [True, False])
def test_a_trigger_is_found_in_any_script_as_whole_words_in_a_row(
    tmp_path: Path, flushed: bool, trigger: str, request_text: str, is_found: bool
) -> None:
    assert (trigger in phrases(request_text)) is is_found
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001", request_text))
        if flushed:
            store.traces.flush()
        assert bool(accepted(store, trigger)) is is_found


@pytest.mark.parametrize(
    ("trigger", "request_text"), [("strasse", "in der Straße 5"), ("zok", "a \uff5a\uff4f\uff4b")]
)
@pytest.mark.parametrize("flushed", [True, False])
def test_a_trigger_is_found_where_normalising_changes_more_than_the_case(
    tmp_path: Path, flushed: bool, trigger: str, request_text: str
) -> None:
    assert trigger in phrases(request_text)
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001", request_text))
        if flushed:
            store.traces.flush()
        assert accepted(store, trigger) == ["t-0000001"]


def test_longer_words_do_not_hide_the_exact_ones(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001", "a zok"))
        for number in range(2, 5):
            store.traces.add(make_trace(f"t-{number:07d}", f"a zoks {number}"))
        store.traces.flush()
        assert accepted(store, "zok", 1) == ["t-0000001"]


ODD = (
    "a",
    "ab",
    "é",
    'say "q" \\n',
    "a\nb",
    "100 %",
    "a_b*",
    "don't",
    "日本",
    "🙂",
    "a" * 1500,
    "A",
)


def test_the_traces_of_a_request_are_found_whatever_it_says(tmp_path: Path) -> None:
    with words_store(tmp_path / "store") as store:
        for index, request in enumerate((*ODD, *ODD)):
            store.traces.add(make_trace(f"t-{index:07d}", request, index=index))
        store.traces.flush()
        for number, request in enumerate(ODD):
            ids = [trace.id for trace in store.traces.of_request(request)]
            assert ids == [f"t-{number:07d}", f"t-{number + len(ODD):07d}"]
        assert list(store.traces.of_request("nothing")) == []


def test_the_next_index_is_above_all_there_are_written_or_not(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        assert store.traces.next_index() == 0
        store.traces.add(make_trace("t-0000004", "a zok"))
        assert store.traces.next_index() == 5
        store.traces.add(make_trace("t-0000002", "the zok"))
        store.traces.add(make_trace("other", "one zok"))
        assert store.traces.next_index() == 5
    with words_store(tmp_path) as again:
        assert again.traces.next_index() == 5


def test_what_was_written_is_counted_once_and_what_was_given_up_is_gone(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000000", "a zok"))
        assert store.traces.count() == 1
        store.traces.flush()
        assert store.traces.count() == 1
        store.traces.add(make_trace("t-0000000", "a zok", feedback=WRONG))
        store.traces.add(make_trace("t-0000001", "the zok"))
        assert store.traces.count() == 2
        assert store.traces.give_up() == 2
        assert (store.traces._pending, store.traces._metadata, store.traces.added()) == ({}, {}, ())
        assert store.traces.count() == 1
        assert store.traces.get("t-0000001") is None
        assert store.traces.get("t-0000000") == make_trace("t-0000000", "a zok")


def test_a_lesson_for_every_request_concerns_every_accepted_answer(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number, feedback in enumerate([OK, WRONG, None, OK]):
            store.traces.add(make_trace(f"t-{number:07d}", f"{number} zok", feedback=feedback))
        store.traces.flush()
        store.traces.add(make_trace("t-0000004", "blim"))
        found = [trace.id for trace in store.traces.accepted(Always(), 9)]
        assert found == ["t-0000004", "t-0000003", "t-0000000"]


def test_of_similar_requests_the_nearest_few_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = ["zok", "zok blim", "zok blim tarn", "quil", "zok zok"]
    near = Similar(requests=("zok",), radius=0.4)
    with words_store(tmp_path) as store:
        for number, request in enumerate(requests):
            feedback = WRONG if request == "zok zok" else OK
            store.traces.add(make_trace(f"t-{number}", request, feedback=feedback))
        store.traces.flush()
        assert accepted(store, near) == ["t-1", "t-0"]
        assert accepted(store, near.model_copy(update={"radius": 2.0})) == [
            "t-3",
            "t-2",
            "t-1",
            "t-0",
        ]
        # Of each request that it is like.
        two = Similar(requests=("zok", "quil"), radius=2.0)
        monkeypatch.setattr(traces_module, "MAX_NEAR", 1)
        assert accepted(store, two) == ["t-3", "t-0"]
        assert accepted(store, near) == ["t-0"]


def test_whoever_is_alone_asks_which_traces_have_a_trigger_once_between_two_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0"))
        store.traces.flush()
        get = store.traces._collection.get

        def counted(**condition: object) -> object:
            asked.append(condition.get("where_document"))
            return get(**condition)

        monkeypatch.setattr(store.traces._collection, "get", counted)

        def looks() -> int:
            """How often the texts of all traces are searched for one trigger, asked for twice."""
            asked.clear()
            for _ in range(2):
                assert "t-0" in accepted(store, "zok")
            return len([condition for condition in asked if condition])

        assert looks() == 1
        assert looks() == 0
        store.traces.add(make_trace("t-1", "the zok"))
        store.traces.flush()
        assert looks() == 1
        monkeypatch.setattr(store.traces, "_is_alone", False)
        assert looks() == 2


def test_only_traces_that_may_have_a_trigger_are_read_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    parse = traces_module._parse

    def counted(metadata: object) -> Trace:
        read.append(metadata)
        return parse(metadata)

    with words_store(tmp_path) as store:
        for number, request in enumerate(["zok", "blim", "zoks", "tarn"]):
            store.traces.add(make_trace(f"t-{number}", request))
        store.traces.flush()
        monkeypatch.setattr(traces_module, "_parse", counted)
        assert accepted(store, "zok") == ["t-0"]
    assert len(read) == 1


def test_what_was_written_is_held_in_memory_no_more(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for trace in stream(5):
            store.traces.add(trace)
        assert (len(store.traces._pending), len(store.traces._metadata)) == (5, 5)
        store.traces.flush()
        assert (len(store.traces._pending), len(store.traces._metadata)) == (0, 0)


def test_no_example_is_there_while_its_trace_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []
    with words_store(tmp_path) as store:
        for name in ("t-0", "t-1"):
            store.traces.add(make_trace(name, f"{name} zok"))
        store.traces.flush()
        written = store.traces._collection.upsert

        def watched(**records: object) -> None:
            shown.append(store.examples._collection.get(include=["documents"])["documents"])
            written(**records)

        monkeypatch.setattr(store.traces._collection, "upsert", watched)
        # Whoever reads the database meanwhile, or after it failed, is shown no wrong answer.
        store.traces.add(make_trace("t-1", "t-1 zok", feedback=WRONG))
        store.traces.flush()
    assert shown == [["t-0 zok"]]


def test_traces_that_are_taken_back_were_never_stored(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000000"))
        store.traces.flush()
        with store.unit():
            store.traces.add(make_trace("t-0000001", "the zok"))
            assert store.traces.added() == ("t-0000001",)
            changed = store.changed()
        assert store.traces.next_index() == 2
        assert accepted(store, "zok") == ["t-0000001", "t-0000000"]
        with store.unit():
            store.take_back(changed)
        assert store.traces.next_index() == 1
        assert store.traces.count() == 1
        assert accepted(store, "zok") == found(store, "zok") == ["t-0000000"]
        # One that is not written yet goes, too.
        with store.unit():
            store.traces.add(make_trace("t-0000002", "one zok"))
            store.traces.remove(["t-0000002"])
            assert store.traces.added() == ()
        assert store.traces.get("t-0000002") is None
    with words_store(tmp_path) as again:
        assert again.traces.find("") == ["t-0000000"]
        assert found(again, "zok") == ["t-0000000"]


def test_where_others_store_traces_too_indices_are_taken_before_they_are_used(
    tmp_path: Path,
) -> None:
    asked: list[tuple[int, int]] = []

    def reserve(traces: int, free: int) -> int:
        asked.append((traces, free))
        return 7

    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000003"))
        assert store.traces.take(5) == store.traces.take() == 4
        parts = (store.traces._collection, store.examples, Distances(HashingEmbedder()))
        shared = TraceStore(*parts, store._units, is_alone=False, reserve=reserve)
        store.traces.flush()
        assert shared.take(5) == 7
        assert shared.take() == 7
    assert asked == [(5, 4), (1, 4)]
