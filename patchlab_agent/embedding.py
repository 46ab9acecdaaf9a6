"""Embedders, as registered Chroma embedding functions.

Importing this module registers them with Chroma, so that `collection.query(query_texts=…)` works
on a store that was opened with nothing but `chromadb.PersistentClient`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from chromadb.api.types import Documents, EmbeddingFunction, Embeddings, Space
from chromadb.utils.embedding_functions import (
    known_embedding_functions,
    register_embedding_function,
)
from numpy.typing import NDArray

from patchlab_agent.errors import MissingExtra, UsageError
from patchlab_agent.text import words

Vector = NDArray[np.float32]


class _Embedder(EmbeddingFunction[Documents]):
    """The common base of embedders: unit vectors, compared by cosine."""

    def default_space(self) -> Space:
        """Return cosine, under which a long request and a one-word trigger are comparable."""
        return "cosine"

    def supported_spaces(self) -> list[Space]:
        """Return cosine only."""
        return ["cosine"]


@register_embedding_function
class HashingEmbedder(_Embedder):
    """An embedder of words and character trigrams, hashed to signed buckets; needs no model.

    Trigrams make a misspelt word land near the right one, and they keep retrieval exact in
    large stores, where words alone collide.

    Args:
        dimensions: length of the vectors.
    """

    def __init__(self, dimensions: int = 512) -> None:
        self.dimensions = dimensions

    def __call__(self, input: Documents) -> Embeddings:  # noqa: A002 - Chroma's name
        """Embed texts as unit vectors, (n, dimensions); a text without words gets a fixed one."""
        return [self._vector(text) for text in input]

    def _vector(self, text: str) -> Vector:
        vector = np.zeros(self.dimensions, dtype=np.float32)
        for word in words(text):
            for feature in _features(word):
                # Bit 0 is the sign, the rest the bucket, so both come from one hash.
                vector[(feature >> 1) % self.dimensions] += 1.0 if feature & 1 else -1.0
        length = float(np.linalg.norm(vector))
        if length == 0:
            vector[0] = length = 1.0
        return vector / np.float32(length)

    @staticmethod
    def name() -> str:
        """Return the name under which Chroma finds the embedder."""
        return "patchlab_hashing"

    def get_config(self) -> dict[str, Any]:
        """Return the config from which Chroma rebuilds the embedder."""
        return {"dimensions": self.dimensions}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> HashingEmbedder:
        """Build the embedder that a stored config describes."""
        return HashingEmbedder(**config)


@lru_cache(maxsize=8192)
def _features(word: str) -> tuple[int, ...]:
    return tuple(zlib.crc32(feature.encode()) for feature in _feature_names(word))


def _feature_names(word: str) -> Iterator[str]:
    yield f"={word}"
    framed = f"<{word}>"
    for start in range(len(framed) - 2):
        yield framed[start : start + 3]


@register_embedding_function
class WordLlamaEmbedder(_Embedder):
    """An embedder with the static token embeddings of WordLlama (256 d), shipped in its package.

    Raises:
        MissingExtra: the package is not installed.
    """

    def __init__(self) -> None:
        spec = find_spec("wordllama")
        if spec is None or spec.origin is None:
            raise MissingExtra(
                "The embedder 'wordllama' needs a package that is not installed; "
                "run: pip install 'patchlab-agent[wordllama]'."
            )
        from wordllama import WordLlama  # noqa: PLC0415 - an extra

        folder = Path(spec.origin).parent
        self._model = WordLlama.load(cache_dir=folder, disable_download=True)

    def __call__(self, input: Documents) -> Embeddings:  # noqa: A002 - Chroma's name
        """Embed texts as unit vectors, (n, 256)."""
        # The model turns a text without tokens into nan; a placeholder gives it a valid vector.
        texts = [text if words(text) else "[empty]" for text in input]
        return list(np.asarray(self._model.embed(texts, norm=True), dtype=np.float32))

    @staticmethod
    def name() -> str:
        """Return the name under which Chroma finds the embedder."""
        return "patchlab_wordllama"

    def get_config(self) -> dict[str, Any]:
        """Return an empty config, as there is nothing to configure."""
        return {}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> WordLlamaEmbedder:
        """Build the embedder that a stored config describes."""
        return WordLlamaEmbedder(**config)


SKETCHED = 128
"""Length of a sketch: of 20,000 requests, those whose sketches are nearest hold 99.7 % of the ten
nearest ones, if ten times as many are looked at."""


def sketch(vector: Vector) -> Vector:
    """Return a short unit vector that is about as near to other sketches as the vectors are."""
    padded = np.pad(vector, (0, -len(vector) % SKETCHED))
    short = padded.reshape(-1, SKETCHED).sum(axis=0, dtype=np.float32)
    length = float(np.linalg.norm(short))
    if length == 0:
        short[0] = length = 1.0
    unit: Vector = short / np.float32(length)
    return unit


@register_embedding_function
class SketchEmbedder(_Embedder):
    """An embedder that sketches the vectors of another one.

    Chroma holds all vectors of a collection in memory while it is written to. Where there are many
    records and few searches, sketches take a quarter of it and find what the whole vectors, made
    again, then put in order.

    Args:
        of: the other embedder.
    """

    def __init__(self, of: EmbeddingFunction[Documents]) -> None:
        self._of = of

    def __call__(self, input: Documents) -> Embeddings:  # noqa: A002 - Chroma's name
        """Embed texts as unit vectors, (n, 128)."""
        return [sketch(np.asarray(vector, dtype=np.float32)) for vector in self._of(input)]

    @staticmethod
    def name() -> str:
        """Return the name under which Chroma finds the embedder."""
        return "patchlab_sketch"

    def get_config(self) -> dict[str, Any]:
        """Return the config from which Chroma rebuilds the embedder and the other one."""
        return {"of": self._of.name(), "config": self._of.get_config()}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> SketchEmbedder:
        """Build the embedder that a stored config describes."""
        return SketchEmbedder(
            known_embedding_functions[config["of"]].build_from_config(config["config"])
        )


EMBEDDERS: dict[str, Callable[[], EmbeddingFunction[Documents]]] = {
    "hashing": HashingEmbedder,
    "wordllama": WordLlamaEmbedder,
}
ENTRY_POINT_GROUP = "patchlab_agent.embedders"
"""Entry point group of further embedders: callables without arguments that build one."""


def embedder(name: str) -> EmbeddingFunction[Documents]:
    """Build an embedder by its short name: a built-in one, or one that a package offers.

    Raises:
        UsageError: there is no embedder of that name.
        MissingExtra: its package is not installed.
    """
    if name in EMBEDDERS:
        return EMBEDDERS[name]()
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        built: EmbeddingFunction[Documents] = point.load()()
        return built
    known = ", ".join(known_embedders())
    raise UsageError(f"There is no embedder {name!r}; choose one of: {known}.")


def known_embedders() -> list[str]:
    """Return the short names of all embedders: the built-in ones, then those of packages."""
    return [*EMBEDDERS, *sorted(entry_points(group=ENTRY_POINT_GROUP).names)]


class Distances:
    """Cosine distances between texts, computed in one place so that equal texts compare equal.

    Chroma's own distances may differ in the last bit between builds of its index, so these are
    used for all ranking.
    """

    def __init__(self, function: EmbeddingFunction[Documents], remember: int = 2048) -> None:
        self._function = function
        # Wide, as distances are measured many times for each time that a vector is stored.
        self._wide = lru_cache(maxsize=remember)(self._embed)

    def _embed(self, text: str) -> NDArray[np.float64]:
        return np.asarray(self._function([text])[0], dtype=np.float32).astype(np.float64)

    def vector(self, text: str) -> Vector:
        """Return the vector of a text as it is stored."""
        return self._wide(text).astype(np.float32)

    def __call__(self, one: str, other: str) -> float:
        """Return 1 - cosine, from 0 (same direction) to 2, rounded to nine decimals."""
        return round(1 - float(np.dot(self._wide(one), self._wide(other))), 9)
