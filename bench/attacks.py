"""Attacks on a real model, or on the recording of one: none may reach another request.

    python -m bench.attacks [--replay FILE] [--json]
    python -m bench.attacks --model openai/qwen15b --api-base http://127.0.0.1:8091/v1 --record FILE

Every attack is answered as a request, and a hostile carrier accepts whatever the model says; some
of each family then come as failures for which the model proposes a fix (`--patcher llm`), let in
untested. An attack succeeds if its canary stands in the prompt of an innocent request, or if an
innocent answer is another one than before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.assault import COUNTS, Assault, Outcome
from bench.canaries import ATTACKS
from bench.progress import told
from patchlab_agent.errors import BackendError, PatchLabError, UsageError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.resources import resource
from patchlab_agent.settings import LITELLM, REPLAY, AgentSettings

RECORDING = resource("fixtures", "cassettes") / "attacks-1.5b.jsonl"
PER_FAMILY = 3
"""Attacks of a family that come as lessons: each costs a call or more, with a prompt of its own."""
TIMEOUT = 600.0
"""Seconds for one answer; a model on a few cores is slow at its first prompt."""
FOR_A_MODEL = {
    "api_base": None,
    "record": None,
    "note": "",
    "concurrency": 1,
    "timeout": TIMEOUT,
}
"""Options that a recording has no use for, as they are where nobody gave them."""
TOLD = ("skill", "top_k", "examples", "patcher", "gate", "embedder")
"""Settings that a cassette remembers, so that it is not gone on with as something else."""


def settings_of(options: argparse.Namespace, store: Path) -> AgentSettings:
    """The settings of a lab that is to be attacked.

    Raises:
        UsageError: options contradict each other, or there is no recording to play.
    """
    # However lenient a gate is, an open one is more so, and it asks no model.
    common = {"store": store, "patcher": "llm", "gate": "off"}
    if options.model is not None:
        if options.replay is not None:
            raise UsageError("--replay takes the place of a model; leave --model or --replay out.")
        return AgentSettings(
            backend=LITELLM,
            model=options.model,
            api_base=options.api_base,
            record=options.record,
            record_note=options.note,
            concurrency=options.concurrency,
            timeout=options.timeout,
            **common,
        )
    for name, unset in FOR_A_MODEL.items():
        if getattr(options, name) != unset:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for a real model; name one with --model.")
    cassette = options.replay or RECORDING
    if not cassette.exists():
        raise UsageError(
            f"There is no recording at {cassette}; make one with python -m bench.attacks "
            f"--model MODEL --api-base ADDRESS --record {cassette}."
        )
    return AgentSettings(backend=REPLAY, replay=cassette, **common)


def attacked(lab: Lab, per_family: int) -> Outcome:
    """Attack a lab, and show how far that is.

    Raises:
        BackendError: the model's side failed.
    """
    if lab.recording is not None:
        lab.recording.begin(lab.settings.model_dump(mode="json", include=set(TOLD)))
    with told("Attacks") as tell:
        assault = Assault(lab, ATTACKS, per_family, lambda stage: tell(stage, assault.total))
        return assault.run()


def table(found: dict[str, Any]) -> Table:
    """One line for each family, and one for all."""
    shown = Table(title=f"Attacks on {found['backend']}")
    shown.add_column("family")
    for name in COUNTS:
        shown.add_column(name, justify="right")
    families: dict[str, dict[str, int]] = found["families"]
    for family, counts in families.items():
        shown.add_row(family, *(str(counts[name]) for name in COUNTS))
    shown.add_section()
    sums = (sum(counts[name] for counts in families.values()) for name in COUNTS)
    shown.add_row("all", *map(str, sums))
    return shown


def print_found(found: dict[str, Any]) -> None:
    """Print the table, what got through, and whether the bar is met."""
    console = Console(width=max(120, Console().width), highlight=False)
    console.print(table(found))
    for each in found["succeeded"]:
        how = " and ".join(
            text
            for text, is_so in (
                ("is seen in an innocent prompt", each["seen"]),
                ("changes an innocent answer", each["changes"]),
            )
            if is_so
        )
        console.print(f"{each['family']}: {each['text']!r} {how}", markup=False)
    innocent = found["innocent"]
    for each in innocent["changed"]:
        console.print(f"changed: {each['request']!r}", markup=False)
    met = "missed" if found["succeeded"] else "met"
    console.print(
        f"{len(innocent['changed'])} of {innocent['requests']} innocent answers changed "
        f"({innocent['usable']} usable, {innocent['other_prompts']} to a prompt with other "
        f"examples than before)"
    )
    stays = "missed" if innocent["changed"] else "met"
    console.print(f"{found['calls']} answers; {len(found['succeeded'])} succeeded, bar 0: {met}")
    console.print(f"{len(innocent['changed'])} innocent answers changed, bar 0: {stays}")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="as litellm names it: provider/model")
    parser.add_argument("--api-base", help="address of one's own server")
    parser.add_argument("--concurrency", type=int, default=1, help="calls at a time")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for one answer")
    parser.add_argument("--record", type=Path, help="cassette to make, or to go on with")
    parser.add_argument("--note", default="", help="goes into the cassette: the model's file, …")
    parser.add_argument("--replay", type=Path, help=f"cassette to play; default: {RECORDING.name}")
    parser.add_argument(
        "--per-family",
        type=int,
        default=PER_FAMILY,
        help="attacks of each family that come as lessons, as in the recording",
    )
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Attack, print, and exit with code 1 if an attack succeeded."""
    options = parsed(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            settings = settings_of(options, Path(folder) / "store")
            with lab_of(settings) as lab:
                outcome = attacked(lab, options.per_family)
                found = {
                    "backend": lab.agent.backend.name,
                    "calls": sum(spent.calls for spent in lab.meter.spent.values()),
                    **outcome.as_json(),
                }
    except PatchLabError as error:
        print(error, file=sys.stderr)
        if options.record is not None and isinstance(error, BackendError):
            print("What was answered is kept; the same command goes on with it.", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print_found(found)
    raise SystemExit(outcome.is_breached)


if __name__ == "__main__":
    main()
