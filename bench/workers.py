"""Several workers that learn into one store at the same time, beside one that does it all.

A Chroma server is started, and the same requests are run twice into fresh stores on it, by the same
call, `Lab.run` of a shared lab: by one process, and by several that each have their part of them.
Then it is counted whether anything is lost or doubled, the golden set is answered with what each
store has learned, and the rates are compared. With `--kill` another store is learned into by as
many, one of which is killed at a random moment.

    python -m bench.workers [--workers 4] [--requests 2000] [--concurrency 1] [--kill]
        [--seconds-per-answer 0] [--seed 7]

Exit code 1 if anything is lost or doubled, the golden scores are more than `GOLDEN` apart, or the
rate is less than `RATE` times that of one worker.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.chroma_server import serving
from patchlab_agent.agent.agent import Ask
from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import Interruption
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.case import Case
from patchlab_agent.models.event import EventKind
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs.loop import windows
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.skill.optional import cases_of
from patchlab_agent.skill.skill import load_skill

GOLDEN, RATE = 0.02, 1.6
"""Bars: how far apart the golden scores may be, and how many times one worker's rate."""
WARM_UP = 40
"""Requests after which a process has learned for the first time."""
MOVED = {EventKind.ACTIVATED, EventKind.QUARANTINED, EventKind.CONVICTED, EventKind.PROVEN}
"""Events that a patch's history tells as well."""


@dataclass(frozen=True)
class Outcome:
    """What some workers did together.

    Attributes:
        workers: how many.
        seconds: from their common start to the end of the last one.
        traces: in the store.
        golden: share of the golden cases answered right with what was learned.
        patches: in the store.
        wrong: what is lost, doubled or contradictory, a sentence each.
    """

    workers: int
    seconds: float
    traces: int
    golden: float
    patches: int
    wrong: tuple[str, ...]


class Slow:
    """A simulated model that takes its time over each answer, as a real one on another machine."""

    varies = False

    def __init__(self, inner: Backend, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds
        self.name = inner.name

    def complete(self, prompt: Prompt) -> Completion:
        time.sleep(self._seconds)
        return self._inner.complete(prompt)

    def close(self) -> None:
        self._inner.close()


def cases(count: int, seed: int) -> list[Case]:
    """The requests that are run, the same whoever runs them."""
    rng = random.Random(f"workers:{seed}")
    return list(islice(cases_of(load_skill("shipping").simulator, rng), count))


def lab_at(address: str, args: argparse.Namespace, *, shared: bool) -> Lab:
    settings: dict[str, Any] = {"store": address, "seed": args.seed, "shared": shared}
    if not args.seconds_per_answer:
        return open_lab(concurrency=args.concurrency, **settings)
    simulated = load_skill("shipping").backends["toy"](args.seed, 0.03)
    model = Slow(simulated, args.seconds_per_answer)
    return open_lab(backend=model, concurrency=args.concurrency, **settings)


def work(args: argparse.Namespace) -> None:
    """Be one worker: run a part of the requests once told to start, and tell of each that is done.

    Standard input gets a line at the common start. What is imported when something is learned for
    the first time counts as start-up, and so not at all.
    """
    with TemporaryDirectory() as elsewhere, open_lab(store=Path(elsewhere) / "warm-up") as lab:
        lab.run(RunSettings(runs=WARM_UP, golden=0))
    part = cases(args.requests, args.seed)[args.part :: args.workers]
    with lab_at(args.store, args, shared=True) as lab:
        print("ready", flush=True)
        sys.stdin.readline()

        def tell(trace: Trace, number: int) -> None:
            print(trace.id, flush=True)

        def watch(runner: Runner) -> None:
            runner.on_trace = tell

        settings = RunSettings(runs=len(part), golden=0, concurrency=args.concurrency)
        report = lab.run(settings, part, watch=watch)
        if report.stopped is not None:
            raise SystemExit(report.stopped.reason)


def together(address: str, args: argparse.Namespace, workers: int, *, kill: bool) -> Outcome:
    """Have so many workers run all requests into one store."""
    command = [sys.executable, "-m", "bench.workers", "--work", "--store", address]
    for name in ("requests", "concurrency", "seed", "seconds_per_answer"):
        command += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    running = [
        subprocess.Popen(
            [*command, "--workers", str(workers), "--part", str(part)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(workers)
    ]
    for each in running:
        assert each.stdout is not None
        each.stdout.readline()
    start = time.perf_counter()
    for each in running:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    told: list[list[str]] = [[] for _ in running]
    if kill:
        rng = random.Random(f"kill:{args.seed}")
        told[0] = _killed(running[0], rng, args.requests // workers)
    for number, each in enumerate(running):
        if kill and number == 0:
            continue
        told[number] = each.communicate()[0].split()
        if each.returncode:
            raise SystemExit(f"Worker {number} ended with exit code {each.returncode}.")
    seconds = time.perf_counter() - start
    with closing(lab_at(address, args, shared=False)) as lab:
        return Outcome(
            workers=workers,
            seconds=seconds,
            traces=lab.store.traces.count(),
            golden=golden(lab),
            patches=lab.store.patches.count(),
            wrong=tuple(wrong_in(lab, args, told, whole=not kill)),
        )


def _killed(worker: subprocess.Popen[str], rng: random.Random, part: int) -> list[str]:
    """Kill a worker at a random moment, and return the ids that it told until then."""
    assert worker.stdout is not None
    told = [worker.stdout.readline().strip() for _ in range(rng.randrange(part))]
    time.sleep(rng.random() * 0.2)
    worker.send_signal(signal.SIGKILL)
    return [*told, *worker.communicate()[0].split()]


def golden(lab: Lab) -> float:
    """The share of golden cases that are answered right with what was learned."""
    right = total = 0
    for window in windows(enumerate(lab.skill.simulator.golden()), 20):
        asked = [case for _, case in window]
        asks = [
            Ask(case.request, draw="golden", trace_id="golden", index=number)
            for number, case in window
        ]
        for found in lab.evaluator.compare(asked, asks, run="golden"):
            if isinstance(found, Interruption):
                raise found
            right += found.ok
            total += 1
    return right / total


def wrong_in(
    lab: Lab, args: argparse.Namespace, told: Sequence[Sequence[str]], *, whole: bool
) -> Iterator[str]:
    """Yield what is lost, doubled or contradictory in a store, a sentence each."""
    traces = {trace.id: trace for trace in lab.store.traces.newest(lab.store.traces.count())}
    lost = [name for each in told for name in each if name not in traces]
    if lost:
        yield f"{len(lost)} traces that a worker told of are missing: {', '.join(lost[:5])}"
    asked = Counter(case.request for case in cases(args.requests, args.seed))
    stored = Counter(trace.request for trace in traces.values())
    if stored - asked:
        yield f"{(stored - asked).total()} requests are stored more often than they were made"
    if whole and asked - stored:
        yield f"{(asked - stored).total()} requests are not stored"
    patches = {patch.id: patch for patch in lab.store.patches.all()}
    active = Counter(p.conflict_key for p in patches.values() if p.status is Status.ACTIVE)
    for key in (key for key, count in active.items() if count > 1):
        yield f"patches that contradict each other are active: {key}"
    for patch in patches.values():
        if patch.provenance.trace_id not in traces:
            yield f"patch {patch.id} was born of {patch.provenance.trace_id}, which is missing"
    for trace in traces.values():
        yield from _lost_events(trace, patches)


def _lost_events(trace: Trace, patches: Mapping[str, Patch]) -> Iterator[str]:
    for event in trace.events:
        patch = patches.get(event.patch_id or "")
        if event.patch_id and patch is None:
            yield f"{trace.id} tells of patch {event.patch_id}, which is missing"
        elif patch is not None and event.kind in MOVED:
            known = {change.trace_id for change in patch.history}
            if trace.id not in known:
                yield f"patch {patch.id} does not know that {trace.id} {event.kind} it"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--seconds-per-answer", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args)
        return 0
    with TemporaryDirectory() as folder, serving(Path(folder)) as port:
        address = f"http://127.0.0.1:{port}"
        outcomes = [
            together(f"{address}/one", args, 1, kill=False),
            together(f"{address}/several", args, args.workers, kill=False),
        ]
        if args.kill:
            outcomes.append(together(f"{address}/killed", args, args.workers, kill=True))
    return tell(outcomes)


def tell(outcomes: Sequence[Outcome]) -> int:
    one, several, *_ = outcomes
    table = Table(title=f"Workers on one Chroma server, {os.cpu_count()} cores")
    for heading in ("workers", "traces", "patches", "golden", "seconds", "times the rate"):
        table.add_column(heading, justify="right")
    for each in outcomes:
        rate = (each.traces / each.seconds) / (one.traces / one.seconds)
        name = f"{each.workers}, one killed" if each not in (one, several) else str(each.workers)
        table.add_row(
            name,
            f"{each.traces:,}",
            f"{each.patches:,}",
            f"{each.golden:.1%}",
            f"{each.seconds:.1f}",
            f"{rate:.2f}",
        )
    Console().print(table)
    wrong = [sentence for each in outcomes for sentence in each.wrong]
    print("\n".join(wrong) or "Nothing is lost, doubled or contradictory.")
    is_missed = (
        bool(wrong)
        or abs(one.golden - several.golden) > GOLDEN
        or one.seconds < RATE * several.seconds
    )
    if is_missed:
        print(f"Missed: golden within {GOLDEN:.0%} and at least {RATE} times the rate.")
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
