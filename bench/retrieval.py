"""Whether the patches that a request needs are retrieved, from stores small and large.

Triggers are made-up one- and two-word names of items, places, units and parcels, all different;
about half of the two-word names share a word with others. Requests follow the skill's phrasings,
have about seven words and need one to four patches at once. Each request is asked of

* `PatchStore.search`, which looks up what stands in the request and adds what is similar;
* the vectors alone: Chroma's K nearest triggers, by the same embedder.

The same is asked of requests in which one needed trigger is misspelt (one letter of a word of
seven or more is missing, doubled or swapped); there only the misspelt patch counts.

A search is timed beside the bare Chroma query for the same K with a ready vector that returns ids
alone, request by request, taking turns at going first; the figure is the ratio of the medians.
Every store is opened afresh, so that searches of a large one read their patches from disk.

    python -m bench.retrieval [--sizes 100,1000,10000] [--top-k 5] [--embedder hashing]

Exit code 1 if the recall of exactly spelt triggers is below `BAR` at any size.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from chromadb.api.models.Collection import Collection
from rich.console import Console
from rich.table import Table

from patchlab_agent.embedding import Distances, embedder
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.patch import Patch, Provenance, Status
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.fix import RequestPart
from patchlab_agent.shipping.patch_tests import patch_tests
from patchlab_agent.shipping.rules import DestinationFix, ItemFix, ParcelFix, ShippingFix, UnitFix
from patchlab_agent.shipping.tables import Choices, rows
from patchlab_agent.store.chroma import open_collection
from patchlab_agent.store.clients import open_client
from patchlab_agent.store.patch_records import describe, metadata_of
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.text import words

BAR = 0.99
"""Least recall of exactly spelt triggers."""

SEED = 7
BATCH = 1000
SHARED_WORDS = 100
TWO_WORD_SHARE = 0.4
TYPO_MIN_LETTERS = 7
ONSETS = (*"bdfghklmnprstvwz", "br", "dr", "gr", "kl", "pl", "sh", "sk", "st", "tr")
VOWELS = "aeiou"
CODAS = ("", "", "", "", "n", "r", "l", "s", "m")
SLOTS: tuple[RequestPart, ...] = ("item", "destination", "unit", "parcel")
SLOT_WEIGHTS = (9, 9, 1, 1)
COMMON: dict[RequestPart, str] = {
    "item": "books",
    "destination": "US",
    "unit": "kg",
    "parcel": "box",
}


class Names:
    """Made-up words and names, each given out once.

    Args:
        rng: all randomness comes from it.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._taken = _real_words()
        self._shared = [self.word() for _ in range(SHARED_WORDS)]

    def word(self) -> str:
        """A new pronounceable word of two to four syllables."""
        while True:
            size = self._rng.choices((2, 3, 4), (3, 5, 2))[0]
            word = "".join(map(self._syllable, range(size)))
            if word not in self._taken:
                self._taken.add(word)
                return word

    def name(self) -> str:
        """A new word, or one beside a word that other names have, too, or two new ones."""
        if self._rng.random() >= TWO_WORD_SHARE:
            return self.word()
        other = self._rng.choice(self._shared) if self._rng.random() < 0.5 else self.word()
        pair = [self.word(), other]
        self._rng.shuffle(pair)
        return " ".join(pair)

    def _syllable(self, _: int) -> str:
        return "".join(map(self._rng.choice, (ONSETS, VOWELS, CODAS)))


def _real_words() -> set[str]:
    """What the requests hold anyway; a made-up name must not be one of these."""
    columns = {"units": "unit", "parcels": "parcel", "items": "item", "destinations": "alias"}
    columns |= {"phrasings": "phrasing", "numbers": "word", "services": "words"}
    texts = [row[column] for table, column in columns.items() for row in rows(table)]
    return {word for text in texts for word in words(text)} | FILLERS | SERVICES.keys()


def made_patches(size: int, rng: random.Random) -> dict[RequestPart, list[Patch]]:
    """`size` active patches with different triggers, by the part of a request they speak of."""
    names = Names(rng)
    found: dict[RequestPart, list[Patch]] = {slot: [] for slot in SLOTS}
    for number in range(size):
        # The first four are one of each, so that every request can be made from any store.
        slot = SLOTS[number] if number < 4 else rng.choices(SLOTS, SLOT_WEIGHTS)[0]
        trigger = names.name() if slot in ("item", "destination") else names.word()
        found[slot].append(_patch(slot, trigger, number))
    return found


def _patch(slot: RequestPart, trigger: str, number: int) -> Patch:
    fixes: dict[RequestPart, Callable[[], ShippingFix]] = {
        "item": lambda: ItemFix(item=trigger, category="household"),
        "destination": lambda: DestinationFix(alias=trigger, country="DE"),
        "unit": lambda: UnitFix(unit=trigger, kg_per_unit=2.5),
        "parcel": lambda: ParcelFix(parcel=trigger, limit_kg=20),
    }
    fix = fixes[slot]()
    failing = _filled("Ship {weight} {item} {parcel} to {destination}", {slot: trigger}, "2 ")
    trace_id = f"t-{number:07d}"
    return Patch(
        skill="shipping",
        trigger=trigger,
        fix=fix,
        tests=tuple(patch_tests(fix, trigger, failing)),
        provenance=Provenance(trace_id=trace_id, request=failing, label=f"{slot}_unknown"),
        status=Status.ACTIVE,
    )


@dataclass(frozen=True)
class Question:
    """A request and the patches that are to be found for it."""

    request: str
    wanted: frozenset[str]


def exact_questions(
    patches: dict[RequestPart, list[Patch]], count: int, rng: random.Random
) -> Iterator[Question]:
    """Requests that need one to four patches, all spelt as their triggers are."""
    for number in range(count):
        needed = _needed(patches, 1 + number % len(SLOTS), rng)
        request = _request({slot: patch.trigger_text for slot, patch in needed.items()}, rng)
        yield Question(request, frozenset(patch.id for patch in needed.values()))


def misspelt_questions(
    patches: dict[RequestPart, list[Patch]], count: int, rng: random.Random
) -> Iterator[Question]:
    """Requests that need one to four patches, one of which is misspelt and asked for."""
    made = 0
    while made < count:
        needed = _needed(patches, 1 + made % len(SLOTS), rng)
        spelt = {slot: patch.trigger_text for slot, patch in needed.items()}
        long = [slot for slot, trigger in spelt.items() if _longest(trigger) >= TYPO_MIN_LETTERS]
        if not long:
            continue
        slot = rng.choice(long)
        spelt[slot] = misspelt(spelt[slot], rng)
        yield Question(_request(spelt, rng), frozenset([needed[slot].id]))
        made += 1


def _needed(
    patches: dict[RequestPart, list[Patch]], count: int, rng: random.Random
) -> dict[RequestPart, Patch]:
    return {slot: rng.choice(patches[slot]) for slot in rng.sample(SLOTS, count)}


def _request(named: dict[RequestPart, str], rng: random.Random) -> str:
    phrasings = Choices.of("phrasings")
    phrasing = rng.choices(phrasings.values, phrasings.weights)[0]["phrasing"]
    return _filled(phrasing, named, f"{rng.randint(1, 40)} ")


def _filled(phrasing: str, named: dict[RequestPart, str], amount: str) -> str:
    filled = {**COMMON, **named}
    weight = amount + filled.pop("unit")
    return phrasing.format(weight=weight, **filled)


def _longest(trigger: str) -> int:
    return max(map(len, trigger.split()))


def misspelt(trigger: str, rng: random.Random) -> str:
    """The trigger with one letter of its longest word missing, doubled or swapped."""
    word = max(trigger.split(), key=len)
    # Neither the first letter nor equal neighbours, whose swap would change nothing.
    at = rng.choice([i for i in range(1, len(word) - 1) if word[i] != word[i + 1]])
    before, letter, following, after = word[:at], word[at], word[at + 1], word[at + 2 :]
    wrong = rng.choice([following, letter + letter + following, following + letter])
    return trigger.replace(word, before + wrong + after)


@dataclass(frozen=True)
class Answers:
    """What one way of searching came to over some questions."""

    recall: float
    """Share of the wanted patches that were found, 0 to 1."""
    ms: float
    """Median milliseconds."""


@dataclass(frozen=True)
class Row:
    """The figures of one store, by way of searching: `search` and `vectors`."""

    size: int
    exact: dict[str, Answers]
    misspelt: dict[str, Answers]


def measure(size: int, k: int, embedder_name: str, questions: int) -> Row:
    """Fill a store, open it afresh, and ask it."""
    rng = random.Random(f"{SEED}:{size}")
    patches = made_patches(size, rng)
    exact = list(exact_questions(patches, questions, rng))
    wrong = list(misspelt_questions(patches, questions, rng))
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "store"
        collection = fill(path, [one for group in patches.values() for one in group], embedder_name)
        with open_lab(store=path, embedder=embedder_name) as lab:
            ask = Asker(lab.store.patches, collection, embedder_name, k)
            return Row(size, ask(exact), ask(wrong))


def fill(path: Path, patches: Sequence[Patch], embedder_name: str) -> Collection:
    """Make a store and write patches straight to its collection, many at a time."""
    open_lab(store=path, embedder=embedder_name).close()
    function = embedder(embedder_name)
    collection = open_collection(open_client(path), "patches", function)
    for start in range(0, len(patches), BATCH):
        batch = patches[start : start + BATCH]
        collection.upsert(
            ids=[patch.id for patch in batch],
            documents=[describe(patch) for patch in batch],
            embeddings=function([patch.trigger_text for patch in batch]),
            metadatas=[metadata_of(patch) for patch in batch],
        )
    return collection


class Asker:
    """Asks a store and its bare collection the same questions.

    Args:
        store: of patches.
        collection: the store's own.
        embedder_name: of its vectors.
        k: how many patches an answer holds.
    """

    def __init__(
        self, store: PatchStore, collection: Collection, embedder_name: str, k: int
    ) -> None:
        self._store = store
        self._collection = collection
        self._distances = Distances(embedder(embedder_name))
        self._k = k

    def __call__(self, questions: Sequence[Question]) -> dict[str, Answers]:
        """Ask each question both ways, in turns."""
        ways = {"search": self._search, "vectors": self._vectors}
        found, seconds = dict.fromkeys(ways, 0), {name: list[float]() for name in ways}
        for number, question in enumerate(questions):
            vector = self._distances.vector(question.request).tolist()
            for name in sorted(ways, reverse=bool(number % 2)):
                start = time.perf_counter()
                ids = ways[name](question.request, vector)
                seconds[name].append(time.perf_counter() - start)
                found[name] += len(question.wanted.intersection(ids))
        wanted = sum(len(question.wanted) for question in questions)
        return {
            name: Answers(recall=found[name] / wanted, ms=1000 * median(seconds[name]))
            for name in ways
        }

    def _search(self, request: str, _: list[float]) -> list[str]:
        return [hit.patch.id for hit in self._store.search(request, self._k)]

    def _vectors(self, _: str, vector: list[float]) -> list[str]:
        found = self._collection.query(query_embeddings=vector, n_results=self._k, include=[])
        return found["ids"][0]


def table(measured: Sequence[Row], k: int, embedder_name: str) -> Table:
    """One row a size."""
    found = Table(title=f"Recall@{k} of needed patches, {embedder_name} embedder")
    found.add_column("patches", justify="right")
    for spelling in ("exact", "misspelt"):
        for way in ("search", "vectors"):
            found.add_column(f"{spelling}\n{way}", justify="right")
    for heading in ("ms a\nsearch", "ms a\nquery", "ratio"):
        found.add_column(heading, justify="right")
    for row in measured:
        asked = [row.exact, row.misspelt]
        recalls = [answers[way].recall for answers in asked for way in ("search", "vectors")]
        search, query = row.exact["search"].ms, row.exact["vectors"].ms
        times = (search, query, search / query)
        found.add_row(f"{row.size:,}", *(f"{x:.3f}" for x in recalls), *(f"{x:.1f}" for x in times))
    return found


def _sizes(text: str) -> list[int]:
    sizes = [int(size) for size in text.split(",")]
    if min(sizes) < len(SLOTS):
        raise argparse.ArgumentTypeError(f"a store needs {len(SLOTS)} patches or more")
    return sizes


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether the bar is met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.retrieval", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--sizes", type=_sizes, default=[100, 1000, 10000], help="patches a store, by commas"
    )
    parser.add_argument("--top-k", type=int, default=5, help="patches retrieved (default 5)")
    parser.add_argument("--embedder", default="hashing", help="hashing (default) or wordllama")
    parser.add_argument("--questions", type=int, default=400, help="requests of each sort a store")
    options = parser.parse_args(argv)
    measured = [
        measure(size, options.top_k, options.embedder, options.questions) for size in options.sizes
    ]
    console = Console()
    console.print(table(measured, options.top_k, options.embedder))
    worst = min(row.exact["search"].recall for row in measured)
    met = worst >= BAR
    verdict = "met" if met else "missed"
    console.print(f"least recall of exactly spelt triggers {worst:.4f}, bar {BAR}: {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
