"""Embedders: unit vectors that find misspelt words, and build themselves from what Chroma keeps."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from chromadb.api.types import Documents, EmbeddingFunction
from chromadb.utils.embedding_functions import config_to_embedding_function
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent import embedding
from patchlab_agent.embedding import (
    EMBEDDERS,
    SKETCHED,
    Distances,
    HashingEmbedder,
    SketchEmbedder,
    WordLlamaEmbedder,
    embedder,
    known_embedders,
    sketch,
)
from patchlab_agent.errors import MissingExtra, UsageError

TEXTS = ["battery", "Ship 2 kg of books to US", "", "!?", "東京", "a" * 5000]


@pytest.fixture(params=["hashing", "wordllama", "sketch of hashing", "sketch of wordllama"])
def function(request: pytest.FixtureRequest) -> EmbeddingFunction[Documents]:
    *sketched, name = request.param.split(" of ")
    if name == "wordllama":
        pytest.importorskip("wordllama")
    return SketchEmbedder(embedder(name)) if sketched else embedder(name)


def test_vectors_have_length_one_whatever_the_text(
    function: EmbeddingFunction[Documents],
) -> None:
    vectors = np.asarray(function(TEXTS))
    assert vectors.shape[0] == len(TEXTS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_text_has_one_vector_alone_as_in_company(function: EmbeddingFunction[Documents]) -> None:
    together = function(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert np.allclose(function([text])[0], vector, atol=1e-6)


def test_a_text_without_words_is_unlike_one_with_words(
    function: EmbeddingFunction[Documents],
) -> None:
    distance = Distances(function)
    assert distance("", "?!") == pytest.approx(0, abs=1e-6)
    assert distance("", "battery") > 0.3


def test_a_misspelt_word_is_nearer_than_another(function: EmbeddingFunction[Documents]) -> None:
    distance = Distances(function)
    for right, wrong, other in (
        ("battery", "batery", "books"),
        ("fireworks", "firewroks", "envelope"),
        ("Germany", "Gremany", "Brazil"),
    ):
        assert distance(right, wrong) < distance(right, other)


def test_a_trigger_is_nearest_to_the_request_that_it_stands_in(
    function: EmbeddingFunction[Documents],
) -> None:
    distance = Distances(function)
    request = "Please ship 2 kg of perfume in a drum to Japan"
    assert distance(request, "perfume") < distance(request, "violin")


def test_chroma_builds_it_again_from_its_config(function: EmbeddingFunction[Documents]) -> None:
    config = {"name": function.name(), "type": "known", "config": function.get_config()}
    again = config_to_embedding_function(config)
    assert type(again) is type(function)
    assert np.array_equal(np.asarray(again(TEXTS)), np.asarray(function(TEXTS)))


def test_vectors_are_compared_by_cosine(function: EmbeddingFunction[Documents]) -> None:
    assert function.default_space() == "cosine"
    assert function.supported_spaces() == ["cosine"]


def test_the_config_keeps_the_dimensions() -> None:
    small = HashingEmbedder.build_from_config(HashingEmbedder(64).get_config())
    assert np.asarray(small(["battery"])).shape == (1, 64)


def test_hashing_is_the_same_on_every_machine() -> None:
    vector = np.asarray(HashingEmbedder(16)(["kg"])[0])
    # "=kg" and the trigrams "<kg" and "kg>", by their CRC-32.
    expected = np.zeros(16)
    for feature in (b"=kg", b"<kg", b"kg>"):
        code = zlib.crc32(feature)
        expected[(code >> 1) % 16] += 1 if code & 1 else -1
    assert np.allclose(vector, expected / np.linalg.norm(expected))


def test_hashing_ignores_case_and_spacing() -> None:
    distance = Distances(HashingEmbedder())
    assert distance("North  KOREA", "north korea") == distance("north korea", "north korea")


@given(st.text(st.characters()))
@settings(derandomize=True, max_examples=150)
def test_any_text_gets_a_unit_vector(text: str) -> None:
    vector = np.asarray(HashingEmbedder()([text])[0])
    assert vector.shape == (512,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@given(st.text(st.characters()))
@settings(derandomize=True, max_examples=100)
def test_a_sketch_is_the_hash_of_the_same_text_in_fewer_buckets(text: str) -> None:
    [long], [short] = HashingEmbedder()([text]), HashingEmbedder(SKETCHED)([text])
    assert np.allclose(sketch(np.asarray(long)), short, atol=1e-6)


@pytest.mark.parametrize("length", [1, SKETCHED - 1, SKETCHED, SKETCHED + 1, 3 * SKETCHED])
def test_a_vector_of_any_length_has_a_sketch(length: int) -> None:
    found = sketch(np.ones(length, dtype=np.float32))
    assert found.shape == (SKETCHED,)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1)


def test_what_cancels_out_still_has_a_sketch() -> None:
    ones = np.ones(SKETCHED, dtype=np.float32)
    assert np.linalg.norm(sketch(np.concatenate([ones, -ones]))) == 1


def test_distances_are_symmetric_and_zero_to_itself() -> None:
    distance = Distances(HashingEmbedder())
    assert distance("battery", "battery") == pytest.approx(0, abs=1e-6)
    assert distance("battery", "a battery box") == distance("a battery box", "battery")
    assert 0 < distance("battery", "a battery box") < distance("battery", "vase") <= 2
    # What differs in the last bits between two machines must not, or their rankings could.
    for one, other in combinations(("a battery box", "two batteries", "kg of books", "vase"), 2):
        assert distance(one, other) == round(distance(one, other), 9)


def test_a_text_is_embedded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    vector = HashingEmbedder._vector

    def counting(self: HashingEmbedder, text: str) -> embedding.Vector:
        asked.append(text)
        return vector(self, text)

    monkeypatch.setattr(HashingEmbedder, "_vector", counting)
    distance = Distances(HashingEmbedder())
    for _ in range(3):
        distance("one", "other")
    assert sorted(asked) == ["one", "other"]


def test_an_unknown_embedder_is_a_usage_error_that_names_the_known() -> None:
    with pytest.raises(UsageError, match=r"'magic'; choose one of: hashing, wordllama\."):
        embedder("magic")


def test_a_package_may_offer_an_embedder_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small:
        name = "small"

        def load(self) -> Callable[[], HashingEmbedder]:
            return lambda: HashingEmbedder(8)

    def points(group: str, **wanted: str) -> object:
        assert group == "patchlab_agent.embedders"
        if not wanted:
            return SimpleNamespace(names={"small", "other"})
        return [Small()] if wanted == {"name": "small"} else []

    monkeypatch.setattr(embedding, "entry_points", points)
    assert np.asarray(embedder("small")(["battery"])).shape == (1, 8)
    assert known_embedders() == ["hashing", "wordllama", "other", "small"]
    with pytest.raises(UsageError, match=r"choose one of: hashing, wordllama, other, small\.$"):
        embedder("magic")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'patchlab-agent\[wordllama\]'"):
        embedder("wordllama")


def test_each_short_name_belongs_to_an_embedder_of_its_own() -> None:
    assert {embedder(name).name() for name in EMBEDDERS} == {
        "patchlab_hashing",
        "patchlab_wordllama",
    }
    assert EMBEDDERS["wordllama"] is WordLlamaEmbedder
