"""Two public tasks on a real model: lessons, the same prompt without any, and DSPy's demos.

    python -m bench.public_tasks facility --data ../shared/data --out facility-bench \\
        --model openai/NAME --api-base ADDRESS [--runs N] [--golden N] [--json]

The folder gets the task, the store, a cassette for either side, and figures.json. Every answer is
kept as it comes, so the same command goes on with what was cut short, and once all is answered it
repeats the figures without the model. DSPy is asked through the same backend, held to the same
JSON schema, and judged by the task as well; see docs/public-tasks.md.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console

from bench.progress import told
from bench.scored import Arm, Judging, arm, figures, judging, table, tokens_of
from patchlab_agent.agent.budgeting import estimated_tokens
from patchlab_agent.errors import BackendError, InputError, PartialRun, PatchLabError
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.lab.preflight import check_settings
from patchlab_agent.lab.stores import delete_store
from patchlab_agent.lab.tasks import check_task
from patchlab_agent.models.case import Case
from patchlab_agent.models.golden import GoldenAnswer
from patchlab_agent.models.prompt import Message
from patchlab_agent.models.report import RunReport
from patchlab_agent.models.trace import Attempt
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import LITELLM, SIMULATED, RunSettings
from patchlab_agent.tasks.folder import read_task

EXAMPLES = Path(__file__).parent.parent / "examples" / "public_tasks"
SOURCES: Mapping[str, str] = {"facility": "facility/dataset.json", "banking": "nlupp-banking"}
"""Task → its source below the folder with public data; the converter has the task's name."""
ANSWER_TOKENS = 256
"""Most tokens of an answer; the longest right one has about 110."""
CONTEXT = 4096
"""Tokens that the model takes, prompt and answer together."""
TIMEOUT = 1200.0
"""Seconds for one answer; a model on a few cores is slow at its first prompt."""


@dataclass(frozen=True)
class Taught:
    """What a run left: both ways to prompt, and what a comparison with them needs.

    Attributes:
        arms: the bare prompt, and the one with lessons.
        golden: the cases that both answered.
        added_tokens: estimated mean of what was learned in a prompt.
    """

    arms: tuple[Arm, Arm]
    golden: tuple[Case, ...]
    added_tokens: float


def prepare(task: str, data: Path, folder: Path) -> None:
    """Make a task folder of public data, unless it is there.

    Raises:
        InputError: the data is absent, or its rows cannot be used.
    """
    source = data / SOURCES[task]
    if not folder.exists():
        if not source.exists():
            raise InputError(
                f"There is no {source}; fetch it as docs/public-tasks.md says, and name the folder "
                f"above with --data."
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        runpy.run_path(str(EXAMPLES / f"{task}.py"))["main"](source, folder)
    if not (found := check_task(folder)).can_run:
        wrong = "; ".join(str(each) for each in found.findings if each.is_fatal)
        raise InputError(f"{folder} cannot be run: {wrong}.")


def settings_of(options: argparse.Namespace) -> RunSettings:
    """The settings of the run, with the simulated model where none is named."""
    real: dict[str, Any] = {}
    if options.model is not None:
        real = {
            "model": options.model,
            "api_base": options.api_base,
            "record": options.out / "patchlab.jsonl",
            "record_note": options.note,
            "max_tokens": ANSWER_TOKENS,
            "timeout": TIMEOUT,
            "concurrency": options.concurrency,
        }
    golden = [row for row in read_task(options.out / "task").rows if row.split == "golden"]
    return RunSettings(
        task=options.out / "task",
        store=options.out / "store",
        backend=LITELLM if real else SIMULATED,
        runs=options.runs,
        golden=min(len(golden), options.golden or len(golden)),
        **real,
    )


def teach(settings: RunSettings, judge: Judging) -> Taught:
    """Run the task on a fresh store, and judge the golden answers with lessons and without.

    Raises:
        PartialRun: the run ended early.
        PatchLabError: it could not begin.
    """
    cases = check_settings(settings)
    delete_store(settings.store)
    with lab_of(settings) as lab, told("Run") as tell:

        def watch(runner: Runner) -> None:
            total = runner.total + runner.golden_total
            runner.on_trace = lambda trace, _: tell(trace.request[:40], total)
            runner.on_golden = lambda _: tell("golden set", total)

        report = lab.run(settings, cases, watch=watch)
        if report.stopped is not None:
            raise PartialRun(report.stopped.reason)
        answers = lab.store.golden(report.run)
        truths = {case.request: case for case in lab.skill.simulator.golden()}
        golden = tuple(truths[each.trace.request] for each in answers)
        return Taught(_arms(report, golden, answers, judge), golden, _added_tokens(answers))


def _arms(
    report: RunReport, golden: Sequence[Case], answers: Sequence[GoldenAnswer], judge: Judging
) -> tuple[Arm, Arm]:
    baseline = [each.trace.baseline for each in answers]
    bare = [each.attempt for each in baseline if each is not None]
    taught = [each.trace.attempt for each in answers]
    asked = [each for each in (*bare, *taught) if not each.usage.cached]
    return (
        arm("bare", judge, _judged(golden, bare)),
        arm(
            "lessons",
            judge,
            _judged(golden, taught),
            learning_calls=sum(each.calls for each in report.cost)
            - sum(1 + each.repairs for each in asked),
            learning_tokens=sum(e.prompt_tokens + e.completion_tokens for e in report.cost)
            - sum(tokens_of(each.usage) for each in asked),
            shows=f"{report.patches.in_store.active} active",
        ),
    )


def _judged(golden: Sequence[Case], attempts: Sequence[Attempt]) -> list[Any]:
    return [(case, a.output, a.usage) for case, a in zip(golden, attempts, strict=True)]


def _added_tokens(answers: Sequence[GoldenAnswer]) -> float:
    """Estimated, so that demos of the same length are the same whichever model answers."""
    return fmean(
        _estimate(each.trace.attempt) - _estimate(each.trace.baseline.attempt)
        for each in answers
        if each.trace.baseline is not None
    )


def _estimate(attempt: Attempt) -> int:
    return estimated_tokens([Message(role="user", content=attempt.user_prompt)])


def measured(settings: RunSettings, out: Path) -> list[Arm]:
    """Measure the run's arms, and DSPy's where it is installed and a real model is named.

    Raises:
        PatchLabError: the model's side failed, or the task cannot be run.
    """
    assert settings.task is not None
    judge = judging(settings.task)
    taught = teach(settings, judge)
    if settings.model is None:
        return list(taught.arms)
    try:
        from bench.dspy_arms import dspy_arms  # noqa: PLC0415 - it is no dependency
    except ModuleNotFoundError as error:
        if error.name != "dspy":
            raise
        print(
            "DSPy is not installed, so its prompts are left out; install "
            "bench/dspy-requirements.txt in an environment of its own.",
            file=sys.stderr,
        )
        return list(taught.arms)
    theirs = settings.model_copy(update={"record": out / "dspy.jsonl"})
    with told("DSPy") as tell:
        found = dspy_arms(
            theirs,
            judge,
            taught.golden,
            tell,
            added=taught.added_tokens,
            longest=CONTEXT - ANSWER_TOKENS,
        )
    return [*taught.arms, *found]


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=list(SOURCES))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="public data")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--model", help="as litellm names it; default: the simulated model")
    parser.add_argument("--api-base", help="address of one's own server")
    parser.add_argument("--note", default="", help="goes into the cassette: the model's file, …")
    parser.add_argument("--runs", type=int, help="requests to learn from; default: all")
    parser.add_argument("--golden", type=int, help="golden cases; default: all")
    parser.add_argument("--concurrency", type=int, default=1, help="requests of a run at a time")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and keep the figures."""
    options = parsed(arguments)
    try:
        prepare(options.task, options.data, options.out / "task")
        found = figures(measured(settings_of(options), options.out))
    except PatchLabError as error:
        print(error, file=sys.stderr)
        if isinstance(error, BackendError | PartialRun):
            print("What was answered is kept; the same command goes on with it.", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    text = json.dumps(found, indent=2)
    (options.out / "figures.json").write_text(text + "\n", "utf-8")
    if options.json:
        print(text)
    else:
        title = f"{options.task}, {found[0]['cases']} golden cases, points of 100"
        Console(width=max(160, Console().width)).print(table(title, found))


if __name__ == "__main__":
    main()
