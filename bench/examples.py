"""How long it takes to find the examples for a request, beside a bare Chroma query.

    python -m bench.examples [--sizes 1000,10000] [--questions 400] [--json]

A store is filled with right answers to generated requests, each with a made-up item so that all
differ, and opened afresh. `covering` chooses three examples that cover what is uncommon in a
request, `similar` the three nearest; each is timed beside a query of the same collection for three
records with their documents and metadata, request by request, taking turns at going first. The
figures are ratios of medians; what the first request costs, which reads the whole collection into
an index, is told beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench.progress import told
from bench.retrieval import SEED, Names
from patchlab_agent.embedding import Distances, embedder
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.example import StoredExample
from patchlab_agent.shipping.examples import Named, looked_up
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.skill.optional import cases_of
from patchlab_agent.store.chroma import open_collection
from patchlab_agent.store.clients import open_client

SHOWN = 3
"""Examples for each request."""
EMBEDDER = "hashing"


@dataclass(frozen=True)
class Row:
    """The figures of one store.

    Attributes:
        size: examples in it.
        query_ms: median of the bare query, in milliseconds.
        covering: median of `covering` as a multiple of the query's.
        similar: median of `similar` as a multiple of the query's.
        first_ms: the first choice after opening, in milliseconds.
        found: share of the requests for which an example with their item was chosen, 0 to 1.
    """

    size: int
    query_ms: float
    covering: float
    similar: float
    first_ms: float
    found: float


def filled(lab: Lab, size: int, rng: random.Random) -> list[str]:
    """Put `size` examples into a store, and return the names of their items."""
    names = Names(rng)
    items = [names.word() for _ in range(size)]
    book = RuleBook.of(lab.skill.task.known_rules)
    kinds = {name: sorted(getattr(book, name)) for name in ("units", "parcels", "destinations")}

    def example(number: int, item: str) -> StoredExample:
        unit, parcel, place = (rng.choice(names) for names in kinds.values())
        named = Named(rng.randint(1, 99), unit, item, parcel, place)
        answer = looked_up(named, book).model_dump(mode="json")
        return StoredExample(id=f"t-{number:07d}", request=str(named), answer=answer)

    lab.store.examples.replace(example(*each) for each in enumerate(items))
    return items


def measure(size: int, questions: int) -> Row:
    """Fill a store, open it afresh, and ask it."""
    rng = random.Random(f"{SEED}:{size}")
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "store"
        with open_lab(store=path, embedder=EMBEDDER) as lab:
            items = filled(lab, size, rng)
        with open_lab(store=path, embedder=EMBEDDER) as lab:
            return asked(lab, path, items, rng, questions)


def asked(lab: Lab, path: Path, items: Sequence[str], rng: random.Random, questions: int) -> Row:
    """Time the three ways on the same requests."""
    function = embedder(EMBEDDER)
    collection = open_collection(open_client(path), "examples", function)
    distances = Distances(function)
    known = lab.agent.covered_words
    examples = lab.store.examples
    cases = islice(cases_of(lab.skill.simulator, random.Random(SEED)), questions)
    wanted = rng.choices(items, k=questions)
    requests = [f"{case.request} {item}" for case, item in zip(cases, wanted, strict=True)]

    def query(request: str) -> object:
        vector = distances.vector(request).tolist()
        return collection.query(
            query_embeddings=[vector], n_results=SHOWN, include=["documents", "metadatas"]
        )

    ways: dict[str, Callable[[str], object]] = {
        "query": query,
        "covering": lambda request: examples.covering(request, known, SHOWN),
        "similar": lambda request: examples.similar(request, SHOWN),
    }
    first = _ms(ways["covering"], requests[0])
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number, request in enumerate(requests):
        for name in sorted(ways, reverse=bool(number % 2)):
            times[name].append(_ms(ways[name], request))
    found = [
        any(item in each.request for each in examples.covering(request, known, SHOWN))
        for request, item in zip(requests, wanted, strict=True)
    ]
    medians = {name: median(each) for name, each in times.items()}
    return Row(
        size=len(items),
        query_ms=medians["query"],
        covering=medians["covering"] / medians["query"],
        similar=medians["similar"] / medians["query"],
        first_ms=first,
        found=sum(found) / len(found),
    )


def _ms(way: Callable[[str], object], request: str) -> float:
    start = time.perf_counter()
    way(request)
    return 1000 * (time.perf_counter() - start)


def table(measured: Sequence[Row]) -> Table:
    """One line for each store."""
    shown = Table(title=f"Finding {SHOWN} examples, in multiples of a Chroma query for as many")
    for name in ("examples", "covering", "similar", "query ms", "first ms", "item found"):
        shown.add_column(name, justify="right")
    for row in measured:
        shown.add_row(
            f"{row.size:,}",
            f"{row.covering:.2f}",
            f"{row.similar:.2f}",
            f"{row.query_ms:.2f}",
            f"{row.first_ms:,.0f}",
            f"{row.found:.1%}",
        )
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,10000", help="examples a store, by commas")
    parser.add_argument("--questions", type=int, default=400, help="requests a store")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args(arguments)
    with told("Examples") as tell:
        sizes = [int(size) for size in options.sizes.split(",")]
        measured = []
        for size in sizes:
            measured.append(measure(size, options.questions))
            tell(f"{size:,} examples", len(sizes))
    if options.json:
        print(json.dumps([asdict(row) for row in measured], indent=2))
    else:
        Console().print(table(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
