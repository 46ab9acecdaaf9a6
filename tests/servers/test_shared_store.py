"""A store that several processes learn into at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from chromadb.api.models.Collection import Collection
from chromadb.errors import InternalError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchlab_agent.errors import StoreError, UsageError
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.address import Address, located
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.trace import Feedback, trace_index
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.store import change_log, shared_units, units
from patchlab_agent.store import lease as lease_module
from patchlab_agent.store.backup import back_up
from patchlab_agent.store.change_log import ChangeLog, unpacked
from patchlab_agent.store.check import contents
from patchlab_agent.store.lease import Lease
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.store.places import read_info
from patchlab_agent.store.server import Server
from patchlab_agent.store.store import Store
from tests.support.make import make_patch, make_trace
from tests.support.resuming import Killed
from tests.support.words_skill import MEANINGS, case, parse_fix, words_lab, words_store

pytestmark = pytest.mark.xdist_group("chroma")

TOLD = Feedback(label="word_unknown", field="zok", detail="red")


@pytest.fixture
def shared(address: Address) -> Iterator[tuple[Store, Store]]:
    """Two that share a store."""
    with words_store(address, shared=True) as one, words_store(address, shared=True) as other:
        yield one, other


def crash(store: Store) -> None:
    """Leave a store as a process leaves it that is killed, on a machine that knows that."""
    lock, store._lock = store._lock, None
    assert lock is not None
    lock.release()
    store._place.close()


def view(store: Store) -> list[Any]:
    """What a store holds, as whoever has it open sees it."""
    store.follow()
    return [
        sorted(store.patches.statuses().items()),
        [store.patches.get(name) for name in store.patches.find("")],
        store.traces.count(),
        sorted(hit.patch.id for hit in store.patches.search("zok blim tarn quil", 9)),
    ]


def log_of(place: Server, owner: str) -> tuple[ChangeLog, Lease]:
    lease = Lease(place.own_files().collection, "s", lambda: 0.0, owner, shared=True)
    lease.take()
    log = ChangeLog(place.own_files().collection, lease)
    log.begin()
    return log, lease


def test_what_one_learns_serves_the_others(address: Address, tmp_path: Path) -> None:
    with (
        words_lab(tmp_path / "1", store=address, shared=True) as teacher,
        words_lab(tmp_path / "2", store=address, shared=True) as other,
    ):
        assert other.answer("a zok").output == {"a": None, "zok": None, "length": 2}
        trace = teacher.answer("one zok")
        assert trace.id == "t-0000001"
        (event,) = teacher.learn(trace, TOLD).events
        assert event.kind == "activated"
        assert [fix.kind for fix in other.context("the zok").rules] == ["word"]
        assert (other.answer("the zok").output or {})["zok"] == "red"
        assert other.store.patches.get(event.patch_id or "") is not None


def test_answers_of_all_have_ids_of_their_own(shared: tuple[Store, Store]) -> None:
    taken = [store.traces.take(n) for n in (3, 150, 2) for store in shared]
    blocks = sorted(zip(taken, (3, 3, 150, 150, 2, 2), strict=True))
    for (start, size), (after, _) in pairwise(blocks):
        assert start + size <= after
    one, other = shared
    assert one.start_run() != other.start_run()
    assert one.start_run() == "run-0003"


def test_indices_follow_those_of_a_store_that_one_had_alone(address: Address) -> None:
    with words_store(address) as alone:
        alone.traces.keep(make_trace("t-0000041", "a zok"))
    with words_store(address, shared=True) as one:
        assert one.traces.take() == 42


def test_a_store_that_others_made_between_two_looks_is_one(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    words_store(address, shared=True).close()
    with closing(Server(address)) as place:
        files, missing = place.files, iter([None])
        monkeypatch.setattr(place, "files", lambda: next(missing, files()))
        assert place.read_info() is not None


def test_a_store_in_a_folder_is_not_shared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder, which one process writes to at a time"):
        open_lab(store=tmp_path / "s", shared=True)


def test_who_has_it_alone_and_who_shares_it_exclude_each_other(address: Address) -> None:
    with words_store(address, shared=True):
        with pytest.raises(StoreError, match="in use by another"):
            words_store(address)
        words_store(address, shared=True).close()
    with words_store(address), pytest.raises(StoreError, match="in use by another"):
        words_store(address, shared=True)
    words_store(address).close()


def test_what_needs_the_store_alone_is_refused(address: Address, tmp_path: Path) -> None:
    with words_lab(tmp_path, store=address, shared=True) as lab:
        for call in (
            lambda: lab.run(resume=True),
            lambda: lab.regate(status=Status.ACTIVE),
            lambda: lab.import_patches("x", []),
            lambda: lab.patches.enable("x"),
            lambda: lab.patches.rollback("run-0001"),
        ):
            with pytest.raises(UsageError, match="open to be shared, and this needs it alone"):
                call()


def test_contradicting_lessons_are_never_active_together(address: Address, tmp_path: Path) -> None:
    labs = [words_lab(tmp_path / str(n), store=address, shared=True) for n in range(3)]
    traces = [lab.answer("one zok") for lab in labs]

    def learn(number: int) -> None:
        told = TOLD.model_copy(update={"detail": ("red", "blue", "red")[number]})
        labs[number].learn(traces[number], told)

    threads = [threading.Thread(target=learn, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lab in labs:
        lab.store.follow()
        active = list(lab.store.patches.all(Status.ACTIVE))
        assert len({patch.conflict_key for patch in active}) == len(active) == 1
        lab.close()
    with words_store(address, write=False) as store:
        assert store.patches.count() == 2


def test_the_evidence_of_all_counts(address: Address, tmp_path: Path) -> None:
    with (
        words_lab(tmp_path / "1", store=address, shared=True) as one,
        words_lab(tmp_path / "2", store=address, shared=True) as other,
    ):
        (event,) = one.learn(one.answer("one zok"), TOLD).events
        let_in = one.store.patches.get(event.patch_id or "")
        assert let_in is not None
        for lab, request in ((one, "some zok"), (other, "the zok"), (one, "no zok")):
            with lab.store.unit():
                patch = lab.store.patches.get(event.patch_id or "")
                assert patch is not None
                lab.lifecycle.count(patch, request, mended=True, trace_id="t-1")
        for lab in (one, other):
            lab.store.follow()
            counted = lab.store.patches.get(event.patch_id or "")
            assert counted is not None
            assert counted.record.mended == let_in.record.mended + 3


def test_a_run_of_each_counts_all_that_was_done(address: Address, tmp_path: Path) -> None:
    texts = [f"{a} {b}" for a in ("a", "one", "the", "no", "some", "six") for b in MEANINGS]
    reports = {}

    def work(number: int) -> None:
        cases = [case(text) for text in texts[number::2]]
        with words_lab(tmp_path / str(number), store=address, shared=True) as lab:
            wanted = RunSettings(examples=2, golden=3, concurrency=1 + number)
            reports[number] = Runner(lab, wanted, cases=cases).run()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {report.run for report in reports.values()} == {"run-0001", "run-0002"}
    assert all(report.stopped is None for report in reports.values())
    assert all(report.golden and report.golden.all.patched.rate == 1 for report in reports.values())
    with words_store(address, write=False) as store:
        assert store.traces.count() == len(texts)
        requests = [trace.request for trace in store.traces.newest(100)]
        assert sorted(requests) == sorted(texts)
        active = list(store.patches.all(Status.ACTIVE))
        assert sorted(patch.trigger_text for patch in active) == sorted({*MEANINGS} - {"salt"})
        for report in reports.values():
            assert store.report(report.run) == report
    assert wrong_in(address) == []


def wrong_in(address: Address, *, references: bool = True) -> list[str]:
    info = read_info(address)
    assert info is not None
    found = contents(address, info, parse_fix)
    return [*found.problems, *(found.references if references else ())]


@pytest.mark.parametrize("turns", [1, 2])
def test_who_is_killed_in_its_turn_is_passed_over(
    address: Address, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    monkeypatch.setattr(change_log, "PATIENCE", 0.0)
    with words_store(address, shared=True) as left:
        for _ in range(turns):
            killed = words_store(address, shared=True)
            with suppress(Killed), killed.unit():
                killed.patches.upsert(make_patch("blim"))
                monkeypatch.setattr(shared_units.SharedUnits, "discard", lambda _: None)
                raise Killed
            monkeypatch.undo()
            monkeypatch.setattr(change_log, "PATIENCE", 0.0)
            crash(killed)
        left.patches.upsert(make_patch("zok"))
        assert left.patches.find("") == [make_patch("zok").id]
    with words_store(address, write=False) as reader:
        assert reader.patches.find("") == [make_patch("zok").id]


@pytest.mark.parametrize("how", ["reader", "alone", "shared"])
def test_what_a_killed_one_had_committed_is_there(
    address: Address, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(units, "LATE", 1000.0)
    killed = words_store(address, shared=True)
    with killed.unit(apart=True):
        killed.turn()
        killed.traces.add(make_trace("t-0000001", "a zok", answer={"zok": "red"}))
        killed.patches.upsert(make_patch("zok"))
    crash(killed)
    with closing(Server(address)) as place:
        assert place.is_left_shared()
    with pytest.raises(StoreError, match=r"last process that shared .* was killed; run"):
        back_up(address, Path("unused.zip"))
    with words_store(address, write=how != "reader", shared=how == "shared") as store:
        assert store.patches.find("") == [make_patch("zok").id]
        assert store.traces.get("t-0000001") is not None
        assert [each.id for each in store.examples.similar("zok", 3)] == ["t-0000001"]
    assert wrong_in(address, references=False) == []


def test_what_is_left_by_one_alone_is_there_for_those_who_share(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = words_store(address)
    with suppress(Killed), monkeypatch.context() as patched:
        patched.setattr(killed.traces, "write_out", _killed)
        patched.setattr(killed._units, "discard", lambda: None)
        killed.patches.upsert(make_patch("zok"))
    crash(killed)
    with words_store(address, shared=True) as store:
        assert store.patches.find("") == [make_patch("zok").id]


def _killed() -> None:
    raise Killed


def test_an_error_within_a_unit_undoes_it_and_lets_the_next_one_go_on(
    shared: tuple[Store, Store],
) -> None:
    one, other = shared
    one.patches.upsert(make_patch("zok"))
    with suppress(Killed), one.unit():
        one.patches.upsert(make_patch("blim"))
        one.traces.add(make_trace("t-0000001", "a zok", answer={"zok": "red"}))
        raise Killed
    other.patches.upsert(make_patch("tarn"))
    assert view(one) == view(other)
    assert one.traces.count() == 0
    assert [patch.trigger for patch in one.patches.all()] == ["tarn", "zok"]


def test_a_turn_is_waited_for(shared: tuple[Store, Store]) -> None:
    one, other = shared
    order: list[str] = []

    def second() -> None:
        with other.unit():
            order.append("second")
            assert other.patches.get(make_patch("zok").id) is not None

    with one.unit():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        one.patches.upsert(make_patch("zok"))
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_whoever_is_far_behind_reads_the_collections(
    shared: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "KEPT_ENTRIES", 2)
    one, other = shared
    for number in range(12):
        one.patches.upsert(make_patch("zok", f"red {number}"))
    assert view(one) == view(other)
    assert other.patches.count() == 12
    other.patches.upsert(make_patch("blim"))
    assert view(one) == view(other)


def test_units_of_any_size_arrive(shared: tuple[Store, Store]) -> None:
    one, other = shared
    # Hardly any two bytes alike, so that no packing makes them fit into one record.
    words = [f"{'ü' if n % 2 else 'ß'}{n * 7919 % 99991:x}" for n in range(20_000)]
    wanted = [make_trace(f"t-{n:07}", " ".join(words[n::3])) for n in range(3)]
    with one.unit(apart=True):
        one.turn()
        for trace in wanted:
            one.traces.add(trace)
    other.follow()
    assert [other.traces.get(trace.id) for trace in wanted] == wanted


@pytest.mark.parametrize("text", ['[{"patch": 3}]', "[3]", "{", '[{"odd": {}}]', "packed"])
def test_an_entry_that_cannot_be_read_is_told(
    address: Address, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    with words_store(address, shared=True) as store, closing(Server(address)) as place:
        log, lease = log_of(place, "odd")
        log.take_turn()
        if text == "packed":
            monkeypatch.setattr(change_log, "_packed", lambda text: [f"!{text}"])
        log.end_turn(text, is_written=False)
        with pytest.raises(StoreError, match=r"Change 1 of .* is damaged; restore the store"):
            store.follow()
        with pytest.raises(StoreError, match="open it again"):
            store.patches.upsert(make_patch("zok"))
        with pytest.raises(StoreError, match=r"Change 1 of .* is damaged; restore the store"):
            words_store(address, shared=True)
        lease.release()
        crash(store)


def test_who_was_not_heard_of_for_a_term_changes_nothing(
    shared: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = shared
    late = one._lock
    assert isinstance(late, Lease)

    def forget() -> None:
        with one.unit(apart=True):
            one.turn()
            one.patches.upsert(make_patch("zok"))
            # As if the process had been asleep for longer than the lease lasts.
            ended: Any = {"until": 0.0}
            late._collection.update(ids=[lease_module._id(late._number)], metadatas=[ended])
            late._renewed_at -= lease_module.TERM

    with pytest.raises(StoreError, match=r"not reached for .* by now; repeat the command"):
        forget()
    monkeypatch.setattr(change_log, "PATIENCE", 0.0)
    other.patches.upsert(make_patch("blim"))
    assert other.patches.find("") == [make_patch("blim").id]
    other.follow()
    crash(one)


def test_of_two_that_want_the_turn_one_gets_it(address: Address) -> None:
    words_store(address).close()
    with closing(Server(address)) as place, ExitStack() as leases:
        (one, first), (other, second) = (log_of(place, owner) for owner in ("1", "2"))
        leases.callback(first.release)
        leases.callback(second.release)
        assert one.take_turn() == other.news() == []
        other._claim()
        other.news()
        assert (one.has_turn, other.has_turn, other.another_has_turn) == (True, False, True)
        one.end_turn("[1]", is_written=False)
        entries = other.take_turn()
        assert [(entry.number, unpacked(entry.packed)) for entry in entries] == [(1, "[1]")]
        assert other.has_turn
        assert other.take_turn() == []  # it has it already
        other.end_turn("", is_written=True)
        with pytest.raises(RuntimeError, match="out of turn"):
            other.end_turn("[]", is_written=False)
        assert one.news() == [(2, "", True)]
        late = ChangeLog(place.own_files().collection, second)
        late.rewind()
        assert [entry.number for entry in late.news()] == [2]


OPERATIONS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["patch", "trace", "flush", "follow", "crash", "reopen"]),
        st.integers(0, 3),
    ),
    max_size=14,
)


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(operations=OPERATIONS)
def test_whatever_they_do_all_see_the_same(
    chroma_port: int, operations: list[tuple[int, str, int]]
) -> None:
    global _database  # noqa: PLW0603 - a database for each example
    _database += 1
    address = located(f"http://127.0.0.1:{chroma_port}/any-{_database}")
    assert isinstance(address, Address)
    stores = [words_store(address, shared=True) for _ in range(2)]
    patches: dict[str, Patch] = {}
    traces: set[int] = set()
    try:
        for who, what, number in operations:
            store = stores[who]
            match what:
                case "patch":
                    status = (Status.ACTIVE, Status.RETIRED)[number % 2]
                    patch = make_patch(sorted(MEANINGS)[number], status=status)
                    store.patches.upsert(patch)
                    patches[patch.id] = patch
                case "trace":
                    index = store.traces.take()
                    assert index not in traces
                    traces.add(index)
                    word = sorted(MEANINGS)[number]
                    told = make_trace(f"t-{index:07}", f"a {word}", answer={word: "red"})
                    with store.unit(apart=True):
                        store.turn()
                        store.traces.add(told)
                case "flush":
                    store.traces.flush()
                case "follow":
                    store.follow()
                case "crash":
                    crash(store)
                    stores[who] = words_store(address, shared=True)
                case "reopen":
                    store.close()
                    stores[who] = words_store(address, shared=True)
            store = stores[who]
            store.follow()
            assert {name: store.patches.get(name) for name in patches} == patches
            assert store.traces.count() == len(traces)
        assert view(stores[0]) == view(stores[1])
        examples = [store.examples.similar("a zok", 9) for store in stores]
        assert examples[0] == examples[1]
    finally:
        for store in stores:
            store.close()
    with words_store(address) as store:
        assert list(store.patches.all()) == sorted(
            patches.values(), key=lambda patch: (patch.trigger_text, patch.id)
        )
        assert {trace_index(trace.id) for trace in store.traces.newest(100)} == traces
        shown = [each.id for each in store.examples.similar("a zok", 9)]
        assert shown == [each.id for each in examples[0]]
    assert wrong_in(address, references=False) == []


_database = 0


def fail_at(monkeypatch: pytest.MonkeyPatch, moment: int, *, after: bool) -> Callable[[], int]:
    """Have one call of the server fail, or its answer get lost; tell how many there were."""
    made = 0

    def failing(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal made
            made += 1
            if made == moment and not after:
                raise InternalError("no answer")
            answer = call(*args, **kwargs)
            if made == moment:
                raise InternalError("no answer")
            return answer

        return called

    for name in ("get", "add", "update", "upsert", "delete", "count"):
        monkeypatch.setattr(Collection, name, failing(getattr(Collection, name)))
    return lambda: made


@pytest.mark.parametrize("after", [False, True])
def test_a_server_that_fails_at_any_call_leaves_all_of_a_unit_or_nothing(
    address: Address, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(change_log, "PATIENCE", 0.1)
    monkeypatch.setattr(lease_module, "TERM", 6.0)
    one, other = words_store(address, shared=True), words_store(address, shared=True)
    for moment in count(1):
        patch = make_patch("zok", f"red {moment}", status=Status.RETIRED)
        others = make_patch("blim", f"green {moment}", status=Status.RETIRED)
        other.patches.upsert(make_patch("tarn", f"blue {moment}", status=Status.RETIRED))
        with monkeypatch.context() as failing, suppress(StoreError):
            calls = fail_at(failing, moment, after=after)
            one.patches.upsert(patch)
        thread = threading.Thread(target=other.patches.upsert, args=(others,))
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), f"the turn is kept after call {moment} failed"
        try:
            seen = view(one)
        except StoreError:
            crash(one)
            one = words_store(address, shared=True)
            seen = view(one)
        assert seen == view(other)
        assert other.patches.get(others.id) == others
        assert other.patches.get(patch.id) in (patch, None)
        if calls() < moment:
            assert other.patches.get(patch.id) == patch
            break
    for store in (one, other):
        store.close()
    assert wrong_in(address, references=False) == []


def test_whoever_opens_it_while_another_writes_it_out_misses_nothing(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = PatchStore._load
    with words_store(address, shared=True) as one:
        one.patches.upsert(make_patch("zok"))

        def loaded(self: PatchStore, known: Any) -> None:
            load(self, known)
            monkeypatch.undo()
            one.patches.upsert(make_patch("blim"))
            one.patches.upsert(make_patch("zok", status=Status.RETIRED))
            one.patches.upsert(make_patch("tarn"))

        monkeypatch.setattr(PatchStore, "_load", loaded)
        with words_store(address, shared=True) as late:
            assert view(late) == view(one)
            assert [patch.trigger for patch in late.patches.all(Status.ACTIVE)] == ["blim", "tarn"]


def test_a_run_is_not_resumed_after_others_have_learned(address: Address, tmp_path: Path) -> None:
    cases = [case(text) for text in ("a zok", "one zok", "a blim")]
    with words_lab(tmp_path / "1", store=address) as lab:
        runner = Runner(lab, RunSettings(golden=0), cases=cases)

        def stop(_trace: Any, number: int) -> None:
            if number == 2:
                raise Killed

        runner.on_trace = stop
        with suppress(Killed):
            runner.run()
    words_store(address, shared=True).close()
    with words_lab(tmp_path / "2", store=address) as lab:
        started = lab.store.started()
        assert started is not None
        with pytest.raises(StoreError, match="something else was learned or judged since"):
            Runner(lab, RunSettings(golden=0), cases=cases, resumed=started).run()


def test_feedback_finds_what_another_one_has_just_answered(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "LATE", 1000.0)
    with (
        words_lab(tmp_path / "1", store=address, shared=True) as one,
        words_lab(tmp_path / "2", store=address, shared=True) as other,
    ):
        trace = one.agent.answer("one zok", trace_id="t-0000007", index=7)
        with one.store.unit(apart=True):
            one.store.turn()
            one.store.traces.add(trace)
        report = other.feedback("t-0000007", "word_unknown", field="zok", detail="red")
        assert [str(event.kind) for event in report.events] == ["activated"]
        assert other.traces.get("last").request == "one zok"


def test_a_lease_of_before_they_could_be_shared_is_one_of_somebody_alone(
    address: Address,
) -> None:
    words_store(address).close()
    with closing(Server(address)) as place:
        collection = place.own_files().collection
        leases: Any = collection.get(where={"file": ".lease"}, include=["metadatas"])["metadatas"]
        old: Any = {name: value for name, value in leases[0].items() if name != "shared"}
        old |= {"lease": 9, "until": 1e12, "owner": "old", "machine": "elsewhere"}
        vector: Any = [[1.0, 0.0]]
        collection.add(ids=["old"], embeddings=vector, metadatas=[old])
    with pytest.raises(StoreError, match="in use"):
        words_store(address, shared=True)
