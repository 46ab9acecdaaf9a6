"""Patches in Chroma: what is retrieved, what never is, and how a patch changes."""

from __future__ import annotations

import random
from pathlib import Path

import chromadb
import pytest
from chromadb.config import Settings

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import Output
from patchlab_agent.models.evidence import Record, Standing
from patchlab_agent.models.patch import SUPERSEDED_BY, Fix, Origin, Patch, Status
from patchlab_agent.store import chroma as chroma_module
from patchlab_agent.store import patch_records
from patchlab_agent.store import patches as patches_module
from patchlab_agent.store.patch_records import describe
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.store.store import Store
from tests.support.make import make_patch
from tests.support.words_skill import words_store

SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


def made_words(count: int) -> list[str]:
    """Different made-up words of three or four syllables."""
    rng = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(rng.choices(SYLLABLES, k=rng.choice((3, 4))))] = None
    return list(found)


def write_at_once(store: Store, patches: list[Patch]) -> None:
    """What `upsert` does for each, in one durable commit; found once the store is opened again."""
    store.patches._collection.upsert(
        ids=[patch.id for patch in patches],
        documents=[describe(patch) for patch in patches],
        embeddings=[store.patches._distances.vector(str(p.trigger)).tolist() for p in patches],
        metadatas=[patch_records.metadata_of(patch) for patch in patches],
    )


def triggers(store: Store, request: str, k: int = 5) -> list[str]:
    return [hit.patch.trigger_text for hit in store.patches.search(request, k)]


def test_a_trigger_that_occurs_is_always_retrieved_among_300_patches(tmp_path: Path) -> None:
    vocabulary = made_words(300)
    rng = random.Random(2)
    with words_store(tmp_path) as store:
        # One in three has a trigger of two words.
        write_at_once(
            store,
            [
                make_patch(word, trigger=f"{word} tree" if number % 3 == 0 else word)
                for number, word in enumerate(vocabulary)
            ],
        )
    with words_store(tmp_path) as store:
        known = [patch.trigger_text for patch in store.patches.all(Status.ACTIVE)]
        for count in (1, 2, 3, 4, 5, 8):
            for _ in range(8):
                meant = rng.sample(known, count)
                request = f"please send 2 kg {' and '.join(meant)} in a box to the other side"
                hits = store.patches.search(request, 5)
                occurring = {hit.patch.trigger for hit in hits if hit.occurs}
                assert len(hits) == 5
                # A word next to a needed one may be near enough to pass for its misspelling.
                exact = {hit.patch.trigger for hit in hits if hit.occurs and not hit.misspelt}
                assert exact == set(meant) if count <= 5 else exact < set(meant)
                assert len(exact) == min(count, 5)
                assert exact <= occurring
                applied = tuple(hit for hit in hits if hit.occurs)
                assert store.patches.search(request, 5, similar=False) == applied
        store.patches.upsert(make_patch("fireworks"))
        misspelt = store.patches.search("3 boxes of firewroks to US", 1)[0]
        assert (misspelt.patch.trigger, misspelt.occurs) == ("fireworks", True)


@pytest.mark.parametrize("status", [Status.QUARANTINED, Status.RETIRED])
def test_only_active_patches_are_ever_retrieved(tmp_path: Path, status: Status) -> None:
    with words_store(tmp_path) as store:
        for meaning in "abcdefghijklmnopqrstuvwxyz":
            store.patches.upsert(make_patch("zok", meaning, status=status))
        assert triggers(store, "a zok") == []
        store.patches.upsert(make_patch("zok"))
        assert [hit.patch for hit in store.patches.search("a zok", 50)] == [make_patch("zok")]
    with words_store(tmp_path) as again:
        assert again.patches.search("a zok", 50)[0].patch == make_patch("zok")
        assert (again.patches.active_count, again.patches.count()) == (1, 27)


def test_a_patch_is_retrieved_as_long_as_it_is_active(tmp_path: Path) -> None:
    patch = make_patch("zok")
    with words_store(tmp_path) as store:
        for status, found in (
            (Status.QUARANTINED, []),
            (Status.ACTIVE, ["zok"]),
            (Status.RETIRED, []),
            (Status.ACTIVE, ["zok"]),
        ):
            store.patches.upsert(patch.moved(status, "because", "t-1", "now"))
            assert triggers(store, "zok") == found
            assert store.patches.active_count == len(found)
            assert store.patches.count() == 1


def test_an_empty_store_or_k_of_zero_retrieves_nothing(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        assert store.patches.search("zok", 5) == ()
        store.patches.upsert(make_patch("zok"))
        assert store.patches.search("zok", 0) == ()


def test_equal_distances_are_told_apart_by_id(tmp_path: Path) -> None:
    same = [make_patch("zok", meaning) for meaning in "cab"]
    expected = sorted(patch.id for patch in same)
    for name, order in (("one", same), ("other", same[::-1])):
        with words_store(tmp_path / name) as store:
            for patch in order:
                store.patches.upsert(patch)
            assert [hit.patch.id for hit in store.patches.search("a zok", 3)] == expected
            assert [hit.patch.id for hit in store.patches.search("a zok", 2)] == expected[:2]


def test_a_hit_says_how_near_and_whether_the_trigger_occurs(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        near = store.patches.hit(make_patch("zok"), "zok")
        far = store.patches.hit(make_patch("zok"), "a zok among many other words")
        absent = store.patches.hit(make_patch("zok"), "nothing here")
        assert store.patches.count() == 0
    assert near.distance == pytest.approx(0, abs=1e-6)
    assert near.distance < far.distance < absent.distance
    assert (near.occurs, far.occurs, absent.occurs) == (True, True, False)


def test_patches_are_found_by_id_and_prefix(tmp_path: Path) -> None:
    old = make_patch("zok", "red", status=Status.RETIRED)
    new = make_patch("zok", "blue", trigger="zoks")
    other = make_patch("blim")
    with words_store(tmp_path) as store:
        for patch in (old, new, other):
            store.patches.upsert(patch)
        assert store.patches.get(old.id) == old
        assert store.patches.get("none") is None
        assert store.patches.find(new.id[:10]) == [new.id]
        assert store.patches.find("") == sorted({old.id, new.id, other.id})
        assert store.patches.find("x") == []


def test_all_are_sorted_by_trigger_over_pages_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = made_words(15)
    with words_store(tmp_path) as store:
        for number, word in enumerate(vocabulary):
            status = Status.ACTIVE if number % 5 else Status.QUARANTINED
            store.patches.upsert(make_patch(word, status=status))
    for page in (1, 4, 15, 100):
        monkeypatch.setattr(chroma_module, "PAGE", page)
        with words_store(tmp_path, write=False) as again:
            assert [patch.trigger for patch in again.patches.all()] == sorted(vocabulary)
            assert len(list(again.patches.all(Status.QUARANTINED))) == 3
            assert again.patches.active_count == 12


def test_memory_holds_no_more_than_its_share_of_patches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches_module, "MAX_LOADED", 3)
    vocabulary = made_words(12)
    with words_store(tmp_path) as store:
        for word in vocabulary:
            store.patches.upsert(make_patch(word))
    with words_store(tmp_path) as again:
        for word in vocabulary * 2:
            assert triggers(again, f"a {word}", 1) == [word]
            assert len(again.patches._loaded) <= 3


def test_a_patch_deleted_from_outside_is_a_store_error(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.patches.upsert(make_patch("zok"))
    with words_store(tmp_path) as store:
        client = chromadb.PersistentClient(
            str(tmp_path), settings=Settings(anonymized_telemetry=False)
        )
        client.get_collection("patches").delete(ids=[make_patch("zok").id])
        with pytest.raises(StoreError, match="was deleted by another program"):
            store.patches.search("a zok", 5)


def test_a_patch_is_described_in_words() -> None:
    assert describe(make_patch("zok", "very red")) == "zok → word: word=zok, meaning=very red"


def test_a_candidate_applies_where_it_would_once_stored(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.patches.upsert(make_patch("bottle"))
        candidate = make_patch("bottles")
        for request, applies in (("a bottle", False), ("two bottles", True), ("a botles", True)):
            before = store.patches.hit(candidate, request)
            assert (before.occurs, before.misspelt) == (applies, request == "a botles")
        store.patches.upsert(candidate)
        here = {hit.patch.trigger for hit in store.patches.search("a bottle", 5) if hit.occurs}
        assert here == {"bottle"}


@pytest.mark.parametrize(
    ("request_text", "occurs", "misspelt"),
    [
        ("a battery pack", True, False),
        ("a batery pack", True, True),
        ("a battery", False, False),
        ("a batery", False, False),
        ("a pack of batery", False, False),
    ],
)
def test_a_trigger_of_several_words_is_misspelt_where_all_of_it_stands_there(
    tmp_path: Path, request_text: str, occurs: bool, misspelt: bool
) -> None:
    with words_store(tmp_path) as store:
        hit = store.patches.hit(make_patch("battery pack"), request_text)
        assert (hit.occurs, hit.misspelt) == (occurs, misspelt)


def looked_up(store: Store, text: str, n: int = 10) -> list[tuple[str, bool]]:
    return [(hit.patch.trigger_text, hit.occurs) for hit in store.patches.look_up(text, n)]


def test_looking_up_finds_every_status_by_trigger_then_words_then_likeness(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        assert looked_up(store, "zok") == []
        for patch in (
            make_patch("zok", "blimmish", status=Status.RETIRED),
            make_patch("tarn", "Zok-like", status=Status.QUARANTINED),
            make_patch("zokk", "green", status=Status.DISABLED),
            make_patch("murn", "blue"),
        ):
            store.patches.upsert(patch)
        found = looked_up(store, "a ZOK")
        assert found[0] == ("zok", True)
        assert {trigger for trigger, _ in found} == {"zok", "tarn", "zokk", "murn"}
        assert not any(occurs for _, occurs in found[1:])
        # What it teaches holds the text, so it comes before what is only spelt like it.
        assert looked_up(store, "ZOK-", 3) == [("zok", True), ("tarn", False), ("zokk", False)]


def test_what_is_looked_up_stands_in_one_order_whatever_was_written_first(tmp_path: Path) -> None:
    # All of one trigger, so all at one distance; more than the index is asked for at first.
    patches = [make_patch(f"w{number}", trigger="zok") for number in range(40)]
    found = []
    for name, order in (("a", patches), ("b", patches[::-1])):
        with words_store(tmp_path / name) as store:
            write_at_once(store, order)
        with words_store(tmp_path / name) as store:
            hits = [store.patches.look_up(text, 5) for text in ("a zok", "zokk")]
        found += [[hit.patch.id for hit in each] for each in hits]
    smallest = sorted(patch.id for patch in patches)[:5]
    assert found == [smallest] * 4


def test_a_text_with_signs_that_mean_something_to_a_search_is_taken_as_it_is(
    tmp_path: Path,
) -> None:
    with words_store(tmp_path) as store:
        store.patches.upsert(make_patch("zok", "(.*"))
        for text in ("(.*", "[a-z", "\\", "{{}}", "'; --", "a\nb", "émile", "²"):
            assert [trigger for trigger, _ in looked_up(store, text)] == ["zok"]


def test_patches_of_one_conflict_key_are_rivals_whatever_their_status(tmp_path: Path) -> None:
    red, blue = make_patch("zok", "red", status=Status.RETIRED), make_patch("zok", "blue")
    grey = make_patch("Zok", "grey", trigger="zoks", status=Status.QUARANTINED)
    with words_store(tmp_path) as store:
        for patch in (red, blue, grey, make_patch("tarn")):
            store.patches.upsert(patch)
        assert store.patches.rivals(red) == sorted([blue, grey], key=lambda p: p.id)
        assert store.patches.rivals(red, Status.ACTIVE) == [blue]
        assert store.patches.rivals(blue, Status.ACTIVE) == []
        # One that is not stored yet has rivals, too.
        assert len(store.patches.rivals(make_patch("zok", "black"))) == 3
        assert store.patches.rivals(make_patch("blim")) == []
    with words_store(tmp_path, write=False) as again:
        assert again.patches.rivals(red, Status.ACTIVE) == [blue]


def test_rivals_are_those_of_now_however_often_they_are_asked_for(tmp_path: Path) -> None:
    red, blue, grey = (make_patch("zok", colour) for colour in ("red", "blue", "grey"))
    with words_store(tmp_path) as store:
        patches = store.patches
        assert patches.rivals(red) == []
        assert patches.get(red.id) is None
        patches.upsert(red)
        assert patches.get(red.id) == red
        assert patches.rivals(blue) == [red]
        with store.unit_of_many():
            patches.upsert(blue.moved(Status.RETIRED, "because", "t-1", "now"))
            assert [each.status for each in patches.rivals(red)] == [Status.RETIRED]
            patches.upsert(blue)
            assert patches.rivals(red) == [blue]
        patches.remove([blue.id])
        assert patches.rivals(red) == []
        patches.upsert(grey)

        def interrupted() -> None:
            with store.unit():
                patches.upsert(blue)
                assert len(patches.rivals(red)) == 2
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert patches.rivals(red) == [grey]


def test_asking_for_rivals_within_a_unit_leaves_what_takes_it_back(tmp_path: Path) -> None:
    zok = make_patch("zok")
    with words_store(tmp_path) as store:
        store.patches.upsert(zok)
    with words_store(tmp_path) as store:
        with store.unit():
            store.patches.upsert(zok.moved(Status.RETIRED, "because", "t-1", "now"))
            assert len(store.patches.rivals(make_patch("zok", "grey"))) == 1
            assert store.patches.before() == {zok.id: zok}
            changed = store.changed()
        store.take_back(changed)
        assert store.patches.get(zok.id) == zok


def test_whoever_is_alone_reads_a_patch_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    zok, blim = make_patch("zok"), make_patch("blim")
    with words_store(tmp_path) as store:
        for patch in (zok, blim):
            store.patches.upsert(patch)
    with words_store(tmp_path) as store:
        patches = store.patches
        get = patches._collection.get

        def counted(**condition: object) -> object:
            asked.append(condition)
            return get(**condition)

        monkeypatch.setattr(patches._collection, "get", counted)

        def looks(n: int) -> int:
            """How often the database is asked, when the same is asked for so many times."""
            asked.clear()
            for _ in range(n):
                assert [hit.patch for hit in patches.search("a zok", 1)] == [zok]
                assert patches.get(blim.id) == blim
            return len(asked)

        assert looks(3) == 2
        assert looks(3) == 0
        monkeypatch.setattr(patches, "_is_alone", False)
        assert looks(3) == 6


def test_a_reader_counts_what_a_writer_stored_meanwhile(tmp_path: Path) -> None:
    with words_store(tmp_path) as writer:
        writer.patches.upsert(make_patch("zok"))
        with words_store(tmp_path, write=False) as reader:
            writer.patches.upsert(make_patch("blim"))
            writer.patches.upsert(make_patch("tarn", status=Status.RETIRED))
            assert (reader.patches.count(), reader.patches.active_count) == (3, 2)


def test_fixes_of_different_slots_can_be_rivals(tmp_path: Path) -> None:
    class Forgotten(Fix):
        """A word that means nothing any more."""

        kind: str = "forgotten"
        word: str

        @property
        def conflict_key(self) -> tuple[str, ...]:
            return ("word", self.word)

        def holds_in(self, quote: Output) -> bool | None:
            return None

    zok, forgotten = make_patch("zok"), make_patch("zok", fix=Forgotten(word="zok"))
    with words_store(tmp_path) as store:
        store.patches.upsert(zok)
        assert forgotten.fix.subject_key != zok.fix.subject_key
        assert store.patches.rivals(forgotten, Status.ACTIVE) == [zok]


def test_whom_a_patch_superseded_is_found(tmp_path: Path) -> None:
    blue = make_patch("zok", "blue")
    red, grey, black, pink = (
        make_patch("zok", meaning) for meaning in ("red", "grey", "black", "pink")
    )
    with words_store(tmp_path) as store:
        store.patches.upsert(blue)
        for patch in (red, grey):
            cause = f"{SUPERSEDED_BY}{blue.id}"
            store.patches.upsert(patch.moved(Status.RETIRED, cause, "t-1", "now"))
        store.patches.upsert(black.moved(Status.RETIRED, f"{SUPERSEDED_BY}other", "t-1", "now"))
        store.patches.upsert(pink.moved(Status.RETIRED, "retired by hand", "", "now"))
        found = store.patches.superseded_by(blue)
        assert [patch.id for patch in found] == sorted([red.id, grey.id])
        assert store.patches.superseded_by(red) == []


def test_a_record_names_origin_and_standing(tmp_path: Path) -> None:
    proven = make_patch("zok").brought_by(Origin.PERSON)
    proven = proven.model_copy(update={"record": Record(standing=Standing.PROVEN)})
    for patch, standing in (
        (proven, "proven"),
        (make_patch("blim"), "on trial"),
        (make_patch("tarn", status=Status.RETIRED), ""),
    ):
        metadata = patch_records.metadata_of(patch)
        assert metadata["standing"] == standing
        assert metadata["origin"] == str(patch.provenance.origin)
    with words_store(tmp_path) as store:
        store.patches.upsert(proven)
    with words_store(tmp_path, write=False) as again:
        assert again.patches.get(proven.id) == proven


def test_all_of_a_label_and_kind_are_found(tmp_path: Path) -> None:
    patch = make_patch("zok")
    with words_store(tmp_path) as store:
        store.patches.upsert(patch)
        assert list(store.patches.all(Status.ACTIVE, label="word_unknown", kind="word")) == [patch]
        assert list(store.patches.all(kind="word")) == [patch]
        assert list(store.patches.all(label="other")) == []
        assert list(store.patches.all(Status.RETIRED, kind="word")) == []


def test_what_a_unit_changed_is_found_within_it_as_after_it(tmp_path: Path) -> None:
    red, blue = make_patch("zok"), make_patch("zok", "blue", status=Status.QUARANTINED)
    quil, tarn = make_patch("quil"), make_patch("tarn", label="odd")
    moved = tarn.moved(Status.RETIRED, f"{SUPERSEDED_BY}{red.id}", "t-1", "now")

    def found(patches: PatchStore) -> dict[str, object]:
        return {
            "all": list(patches.all()),
            "of a status": list(patches.all(Status.ACTIVE)),
            "of a label": list(patches.all(label="odd")),
            "rivals": patches.rivals(make_patch("zok", "grey")),
            "active rivals": patches.rivals(make_patch("zok", "grey"), Status.ACTIVE),
            "twin": patches.active_twin(make_patch("zok", trigger="zoks")),
            "about": patches.active_about("zok"),
            "superseded": [patch.id for patch in patches.superseded_by(red)],
            "statuses": patches.statuses(),
            "prefix": patches.find(red.id[:6]),
            "counts": (patches.count(), patches.active_count),
            "searched": [hit.patch for hit in patches.search("a zok and tarn", 9)],
        }

    with words_store(tmp_path) as store:
        for patch in (quil, tarn):
            store.patches.upsert(patch)
        with store.unit():
            for patch in (red, blue, moved):
                store.patches.upsert(patch)
            within = found(store.patches)
        assert found(store.patches) == within
    assert within["of a status"] == [quil, red]
    assert within["active rivals"] == within["about"] == [red]
    assert within["of a label"] == [moved]
    assert within["rivals"] == sorted([red, blue], key=lambda patch: patch.id)
    assert within["twin"] == red
    with words_store(tmp_path, write=False) as again:
        assert found(again.patches) == within


def test_what_does_not_fit_gives_its_place_to_what_does(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for meaning in ("red", "blue", "grey"):
            store.patches.upsert(make_patch("zok", meaning))
        found = store.patches.search(
            "zok", 1, fits=lambda fix: fix.model_dump()["meaning"] == "grey"
        )
        assert [hit.patch for hit in found] == [make_patch("zok", "grey")]
        assert store.patches.search("zok", 9, fits=lambda _: False) == ()


def test_of_several_those_are_given_that_are_active_by_now(tmp_path: Path) -> None:
    zok, blim = make_patch("zok"), make_patch("blim")
    with words_store(tmp_path) as store:
        for patch in (zok, blim, make_patch("tarn", status=Status.RETIRED)):
            store.patches.upsert(patch)
        ids = [blim.id, make_patch("tarn").id, "unknown", zok.id]
        assert store.patches.active_among(ids) == [blim, zok]


@pytest.mark.parametrize("damaged", ["no JSON", "{}", '{"fix": 7}', "[]"])
def test_a_patch_that_cannot_be_read_is_a_store_error(tmp_path: Path, damaged: str) -> None:
    patch = make_patch("zok")
    with words_store(tmp_path) as store:
        store.patches.upsert(patch)
        metadata = {**patch_records.metadata_of(patch), "patch": damaged}
        store.patches._collection.update(ids=[patch.id], metadatas=[metadata])
    with words_store(tmp_path) as again, pytest.raises(StoreError):
        again.patches.get(patch.id)


def test_what_is_taken_back_was_never_stored(tmp_path: Path) -> None:
    zok, blim = make_patch("zok"), make_patch("blim")
    with words_store(tmp_path) as store:
        store.patches.upsert(blim)
        with store.unit():
            store.patches.upsert(zok)
            changed = store.changed()
        with store.unit():
            store.take_back(changed)
        assert [patch.id for patch in store.patches.all()] == [blim.id]
    with words_store(tmp_path) as again:
        assert again.patches.find("") == [blim.id]
        assert (again.patches.count(), again.patches.active_count) == (1, 1)
