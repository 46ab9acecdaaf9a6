"""Kill -9 at random moments, and whether the store is right and the work comes to the same end.

    python -m bench.kills --kills 200

Each kill is of one piece of work in a process of its own: a run, also one that goes on with others,
or after an earlier kill, an import, gating again, feedback, `run --fresh`, and a rollback. After it
the store is opened and all of it checked, references included; then the work is done again, or
resumed, and what comes of that is compared with what comes of it undisturbed: of a run, the report
but for its times. Trace ids that somebody was told must stay with their requests.

Processes are forked from one that has imported everything, so that a kill takes a second, not ten.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.lab.resuming import started_run
from patchlab_agent.lab.stored_lab import open_store
from patchlab_agent.lab.stores import delete_store
from patchlab_agent.models.patch import Status
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.skill.skill import load_skill
from patchlab_agent.store.check import contents
from patchlab_agent.store.integrity import NothingYet
from patchlab_agent.store.layout import read_info

NOW = "2026-11-01T12:00:00+00:00"
SETTINGS = (
    RunSettings(runs=24, golden=3),
    RunSettings(runs=24, golden=3, concurrency=4, noise=0.1),
    RunSettings(runs=24, golden=0, false_feedback=0.2, noise=0.1),
    RunSettings(runs=24, golden=3, drift=12, concurrency=3),
    RunSettings(runs=24, golden=0, holdout=0.3, noise=0.1),
)
FEEDBACK = ("bleach", "kite", "anvil", "globe", "whisk", "piano", "tulip")
PATIENCE = 120.0
"""Seconds after which a piece of work is stuck."""


@dataclass(frozen=True)
class Work:
    """A piece of work on a store.

    Attributes:
        name: what it is.
        start: prepares the store.
        do: does the work, and says what came of it.
        again: does it again after a kill, from wherever the store is.
    """

    name: str
    start: Callable[[Path], None]
    do: Callable[[Path], Any]
    again: Callable[[Path], Any]


@contextmanager
def lab_at(path: Path, settings: RunSettings = SETTINGS[0]) -> Iterator[Lab]:
    with lab_of(settings.model_copy(update={"store": path}), clock=lambda: NOW) as lab:
        yield lab


def tell(path: Path, trace: Trace) -> None:
    """Write down which request an id was told to be of."""
    with path.with_suffix(".told").open("a", encoding="utf-8") as file:
        file.write(json.dumps([trace.id, trace.request]) + "\n")


def report_of(path: Path, settings: RunSettings, *, resume: bool) -> Any:
    def watch(runner: Runner) -> None:
        runner.on_trace = lambda trace, number: tell(path, trace)

    with lab_at(path, settings) as lab:
        report = lab.run(lab.settings, watch=watch, resume=resume)  # type: ignore[arg-type]
        return {
            "report": report.model_dump(mode="json", exclude={"timing", "store"}),
            **learned(lab),
        }


def learned(lab: Lab) -> dict[str, Any]:
    """Everything that a store has learned."""
    return {
        "patches": [patch.model_dump(mode="json") for patch in lab.store.patches.all()],
        "examples": [example.model_dump(mode="json") for example in lab.store.examples.all()],
        "traces": [
            trace.model_dump(mode="json", include={"id", "request", "feedback", "events"})
            for trace in lab.traces.select()
        ],
    }


def statuses(path: Path) -> dict[str, str]:
    with open_store(path) as lab:
        return {patch.id: str(patch.status) for patch in lab.store.patches.all()}


def a_run(number: int) -> Work:
    settings = SETTINGS[number]
    return Work(
        f"run {number}",
        lambda path: None,
        lambda path: report_of(path, settings, resume=False),
        lambda path: report_of(path, settings, resume=True),
    )


def a_second_run(made: Path) -> Work:
    def again(path: Path) -> Any:
        started = started_run(path)
        is_begun = started is not None and started.run == "run-0002"
        return report_of(path, SETTINGS[0], resume=is_begun)

    return Work(
        "second run",
        lambda path: copy(made, path),
        lambda path: report_of(path, SETTINGS[0], resume=False),
        again,
    )


def a_fresh_run(made: Path) -> Work:
    def do(path: Path) -> Any:
        delete_store(path)
        # What the old store was told is gone with it.
        path.with_suffix(".told").unlink(missing_ok=True)
        return report_of(path, SETTINGS[1], resume=False)

    def again(path: Path) -> Any:
        started = started_run(path)
        is_begun = started is not None and started.settings["concurrency"] == 4
        return report_of(path, SETTINGS[1], resume=True) if is_begun else do(path)

    return Work("run --fresh", lambda path: copy(made, path), do, again)


def an_import(lines: list[str]) -> Work:
    def do(path: Path) -> Any:
        with lab_at(path) as lab:
            lab.import_patches("lessons", lines)
        return statuses(path)

    return Work("import", lambda path: None, do, do)


def a_regate(made: Path) -> Work:
    def do(path: Path) -> Any:
        with lab_at(path) as lab:
            lab.regate(status=Status.ACTIVE)
        return statuses(path)

    return Work("regate", lambda path: copy(made, path), do, do)


def a_rollback(made: Path) -> Work:
    def do(path: Path) -> Any:
        with open_store(path, write=True, clock=lambda: NOW) as lab:
            lab.patches.rollback(1)
        with lab_at(path) as lab:
            found = learned(lab)
        return [found["examples"], [{**p, "history": ()} for p in found["patches"]]]

    return Work("rollback", lambda path: copy(made, path), do, do)


def a_feedback() -> Work:
    def do(path: Path) -> Any:
        with lab_at(path) as lab:
            done = {trace.request for trace in lab.traces.select() if trace.feedback is not None}
            for item in FEEDBACK:
                request = f"Ship 2 kg {item} box to US"
                if request in done:
                    continue
                trace = lab.answer(request)
                tell(path, trace)
                lab.feedback(trace.id, "hazmat_undeclared", detail="hazmat")
        return statuses(path)

    return Work("feedback", lambda path: None, do, do)


def copy(made: Path, path: Path) -> None:
    shutil.copytree(made, path)
    told = made.with_suffix(".told")
    if told.exists():
        shutil.copy(told, path.with_suffix(".told"))


def forked(task: Callable[[], Any], result: Path) -> int:
    """Do a task in a process of its own, whose id is returned; what comes of it goes to a file."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        found = json.dumps(task())
        result.write_text(found, "utf-8")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def waited(task: Callable[[], Any], result: Path) -> Any:
    """Do a task in a process of its own, and return what comes of it.

    Raises:
        RuntimeError: it failed, or is stuck.
    """
    result.unlink(missing_ok=True)
    child = forked(task, result)
    code = ended(child, time.monotonic() + PATIENCE)
    if code != 0:
        raise RuntimeError(f"ended with {code}")
    return json.loads(result.read_text("utf-8"))


def ended(child: int, until: float) -> int:
    """Return the exit code of a child; one that is not done by then is killed."""
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            until = float("inf")
        time.sleep(0.002)


def checked(path: Path) -> list[str]:
    """Return what is wrong with a store, in the eyes of whoever opens it next."""
    info = read_info(path)
    if info is None:
        return []
    try:
        with open_store(path) as lab:
            found = contents(path, info, lab.skill.task.parse_fix)
            requests = {trace.id: trace.request for trace in lab.traces.select()}
    except NothingYet:
        return []
    told = path.with_suffix(".told")
    lines = told.read_text("utf-8").splitlines() if told.exists() else []
    wrong = [
        f"{name} was told to be of {request!r}, and is of {requests.get(name)!r}"
        for name, request in map(json.loads, lines)
        if requests.get(name) != request
    ]
    return [*found.problems, *found.references, *wrong]


def killed(work: Work, folder: Path, expected: Any, seconds: float, rng: random.Random) -> str:
    """Kill a piece of work once or twice; return what went wrong, or nothing."""
    path, result = folder / "store", folder / "result"
    work.start(path)
    times = 1 + (rng.random() < 0.3)
    for attempt in range(times):
        task = work.do if attempt == 0 else work.again
        child = forked(partial(task, path), result)
        ended(child, time.monotonic() + rng.uniform(0, seconds))
    try:
        wrong = waited(partial(checked, path), result)
        if wrong:
            return f"after the kill: {'; '.join(wrong[:3])}"
        found = waited(partial(work.again, path), result)
        if found != expected:
            return f"another end: {difference(expected, found)}"
        wrong = waited(partial(checked, path), result)
        return f"at the end: {'; '.join(wrong[:3])}" if wrong else ""
    except RuntimeError as error:
        return str(error)


def difference(expected: Any, found: Any, where: str = "") -> str:
    """Say where two results first differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in {**expected, **found}:
            if expected.get(name) != found.get(name):
                return difference(expected.get(name), found.get(name), f"{where}.{name}")
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            if one != other:
                return difference(one, other, f"{where}[{number}]")
    return f"{where}: {str(expected)[:200]} / {str(found)[:200]}"


def warm_up() -> None:
    """Load once what every process would load for itself; no thread may be started."""
    skill = load_skill("shipping")
    skill.simulator.golden()
    skill.simulator.regression()
    skill.backends["toy"](7, 0.0)


def prepared(folder: Path) -> tuple[Path, list[str]]:
    """Make a store of two runs, and an export of it."""
    made = folder / "made"

    def make() -> list[str]:
        report_of(made, SETTINGS[0], resume=False)
        with lab_at(made) as lab:
            return list(lab.patches.export())

    lines = waited(make, folder / "lines")
    twice = folder / "twice"
    copy(made, twice)
    waited(lambda: report_of(twice, SETTINGS[0], resume=False), folder / "second")
    return twice, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="", help="work whose name holds this")
    options = parser.parse_args()
    warm_up()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        twice, lines = prepared(folder)
        made = folder / "made"
        works = [
            *map(a_run, range(len(SETTINGS))),
            a_second_run(made),
            a_fresh_run(made),
            an_import(lines),
            a_regate(made),
            a_feedback(),
            a_rollback(twice),
        ]
        raise SystemExit(bool(all_killed(works, folder, options)))


def all_killed(works: list[Work], folder: Path, options: argparse.Namespace) -> int:
    """Kill pieces of work in turn; return how many did not come out right."""
    rng = random.Random(options.seed)
    works = [work for work in works if options.only in work.name]
    expected: dict[str, tuple[Any, float]] = {}
    for work in works:
        place = folder / "whole"
        place.mkdir()
        work.start(place / "store")
        start = time.monotonic()
        found = waited(partial(work.do, place / "store"), place / "result")
        expected[work.name] = found, time.monotonic() - start
        shutil.rmtree(place)
    failures = 0
    for number in range(options.kills):
        work = works[number % len(works)]
        place = folder / "kill"
        place.mkdir()
        wrong = killed(work, place, *expected[work.name], rng)
        shutil.rmtree(place)
        if wrong:
            failures += 1
            print(f"kill {number}, {work.name}: {wrong}", flush=True)
        if (number + 1) % 20 == 0:
            print(f"{number + 1} of {options.kills}", file=sys.stderr, flush=True)
    print(f"{options.kills - failures} of {options.kills} kills came out right")
    return failures


if __name__ == "__main__":
    main()
