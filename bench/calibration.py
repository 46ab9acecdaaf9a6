"""What the gate lets in: patches of known kind, planted before it on the toy.

python -m bench.calibration [--per-kind 60] [--noise 0.03 …] [--seed 7] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from bench.plants import MAKERS, Field, OwnNoise, Plant, plants
from patchlab_agent.agent.agent import Ask, or_raise
from patchlab_agent.gate.base import Candidate
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.learning.learner import Learner
from patchlab_agent.models.case import Case
from patchlab_agent.models.evidence import GateReport
from patchlab_agent.models.patch import Proposal, Status
from patchlab_agent.models.trace import OK, Feedback, Trace, trace_name
from patchlab_agent.runs.loop import SimulatedReferee
from patchlab_agent.settings import AgentSettings
from patchlab_agent.shipping.toy.backend import ToyBackend
from patchlab_agent.skill.optional import cases_of
from patchlab_agent.skill.seam import Simulator
from patchlab_agent.statistics import proportion
from patchlab_agent.store.patch_records import describe
from patchlab_agent.text import normalise, occurs

WARM_UP = 150
"""Requests answered, and judged, before anything is planted."""
USES = 60
"""Uses of a patch that was let in, at most."""
SCANNED = 100
"""Requests looked through for each plant that is wanted."""
POOL = 20_000
"""Requests looked through for uses of a trigger."""

MAX_FALSE = 0.02
MAX_SPOILED = 3.0
MAX_AA = 0.05
MAX_CALLS = 1 / 3
AA = ("aa", "aa_own_noise")
TRUE = ("true", "true_of_two")


def min_true(noise: float) -> float:
    """The share of true patches to be let in."""
    return 0.97 if noise <= 0.1 else 0.9


class NoLessons:
    """A proposer for patches that are to be used and not learned."""

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        """Propose nothing."""
        return Proposal(reason="nothing is to be learned here")


@dataclass
class Pool:
    """Requests by trigger, drawn as they are needed."""

    simulator: Simulator
    seed: int
    _drawn: list[tuple[str, Case]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stream = islice(cases_of(self.simulator, Random(f"{self.seed}:uses")), POOL)

    def uses(self, trigger: str) -> Iterator[Case]:
        """Cases in which a trigger stands, with a typing error or without."""
        start = trigger[:1]
        for text, case in self._all():
            if start in text and occurs(trigger, text):
                yield case

    def _all(self) -> Iterator[tuple[str, Case]]:
        at = 0
        while True:
            if at == len(self._drawn):
                case = next(self._stream, None)
                if case is None:
                    return
                self._drawn.append((normalise(case.request), case))
            yield self._drawn[at]
            at += 1


@dataclass(frozen=True)
class Life:
    """How a patch that was let in fares in use."""

    uses: int
    spoiled: int
    convicted: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a plant; `life` is None of one that was kept out."""

    plant: Plant
    report: GateReport
    life: Life | None

    def line(self, noise: float, kind: str) -> str:
        """The outcome as a line of JSON."""
        patch = self.plant.patch
        return json.dumps(
            {
                "noise": noise,
                "kind": kind,
                "patch": describe(patch),
                "request": self.plant.case.request,
                "complaint": f"{patch.provenance.label}: {patch.provenance.detail}",
                "decision": self.report.decision,
                "reasons": [reason.text for reason in self.report.reasons],
                "results": [
                    f"{r.source} {r.outcome} {r.right_with}/{r.draws} +{r.gained}-{r.lost} "
                    f"of {r.pairs} {r.complaint} {r.request!r}"
                    for r in self.report.results
                ],
                "life": self.life and vars(self.life),
                "calls": self.report.calls,
            },
            ensure_ascii=False,
        )


@dataclass
class Bed:
    """One kind's lab and store, warm, with nothing active in it."""

    lab: Lab
    pool: Pool
    referee: SimulatedReferee

    def measure(self, plant: Plant) -> Outcome:
        """Plant, use what is let in, and take it out again."""
        lab = self.lab
        self.referee.remember(plant.case)
        if plant.active is not None:
            lab.lifecycle.enable(plant.active)
        candidate = Candidate(plant.patch, self.referee)
        decided = lab.lifecycle.decide(candidate, "planted", plant.trace.id)
        report = decided.examination.report
        life = self._live(plant) if report.decision == "active" else None
        for patch in list(lab.store.patches.all(Status.ACTIVE)):
            lab.lifecycle.retire(patch)
        return Outcome(plant, report, life)

    def _live(self, plant: Plant) -> Life:
        lab, patch = self.lab, plant.patch
        learner = Learner(NoLessons(), lab.gate, lab.lifecycle, lab.store.patches)
        uses = spoiled = 0
        for case in islice(self.pool.uses(patch.trigger_text), USES):
            self.referee.remember(case)
            ask = Ask(case.request, draw=f"use:{uses}", trace_id=trace_name(WARM_UP + uses))
            trace = or_raise(lab.evaluator.compare([case], [ask], run="uses")[0])
            uses += 1
            was_right = trace.baseline is not None and trace.baseline.feedback.ok
            spoiled += was_right and not trace.ok
            events = learner.learn(trace, trace.feedback or OK, self.referee).events
            if any(e.kind == "convicted" and e.patch_id == patch.id for e in events):
                return Life(uses, spoiled, convicted=True)
        return Life(uses, spoiled, convicted=False)


def open_at(store: Path, noise: float, seed: int, *, own_noise: bool = False) -> Lab:
    """Open a lab on the toy, without examples, so that patches alone make the difference."""
    settings = AgentSettings(store=store, noise=noise, seed=seed, examples=0)
    return lab_of(settings, model=OwnNoise(ToyBackend(seed, noise)) if own_noise else None)


def warm_up(lab: Lab, cases: Sequence[Case]) -> None:
    """Answer requests and keep the judged traces; nothing is learned."""
    for number, case in enumerate(cases):
        name = trace_name(number)
        ask = Ask(case.request, draw=f"warm:{number}", trace_id=name, index=number)
        trace = or_raise(lab.evaluator.compare([case], [ask], run="warm")[0])
        lab.store.traces.add(trace)
    lab.store.traces.flush()


@dataclass
class Calibration:
    """Measures one noise.

    Args:
        noise: the toy's.
        seed: of requests, plants and slips.
        per_kind: plants of each kind.
        log: gets a line of JSON for each plant; None keeps none.
    """

    noise: float
    seed: int
    per_kind: int
    log: TextIO | None = None

    def measure(self, folder: Path) -> dict[str, Any]:
        """Return what `--json` prints of one noise; the folder is for the stores."""
        warm = folder / "warm"
        with open_at(warm, self.noise, self.seed) as lab:
            simulator = lab.skill.simulator
            cases = list(islice(cases_of(simulator, Random(f"{self.seed}:warm")), WARM_UP))
            warm_up(lab, cases)
        pool = Pool(simulator, self.seed)
        kinds = {}
        with (
            open_at(folder / "field", self.noise, self.seed) as lab,
            open_at(folder / "quiet", 0.0, self.seed) as quiet,
        ):
            found = Field(lab, quiet, self.seed, SCANNED * self.per_kind)
            for kind in MAKERS:
                with self._bed(shutil.copytree(warm, folder / kind), kind, cases, pool) as bed:
                    outcomes = [bed.measure(p) for p in plants(kind, found, self.per_kind)]
                kinds[kind] = summary(outcomes)
                self._tell(kind, outcomes)
        return {"noise": self.noise, "kinds": kinds}

    @contextmanager
    def _bed(self, store: Path, kind: str, cases: Sequence[Case], pool: Pool) -> Iterator[Bed]:
        with open_at(store, self.noise, self.seed, own_noise=kind == "aa_own_noise") as lab:
            referee = SimulatedReferee(lab.skill.simulator)
            for case in cases:
                referee.remember(case)
            yield Bed(lab, pool, referee)

    def _tell(self, kind: str, outcomes: Sequence[Outcome]) -> None:
        let_in = sum(each.life is not None for each in outcomes)
        print(f"noise {self.noise:g} {kind}: {let_in} of {len(outcomes)} let in", file=sys.stderr)
        for each in outcomes if self.log else ():
            print(each.line(self.noise, kind), file=self.log, flush=True)


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return one kind's figures."""
    lives = [each.life for each in outcomes if each.life is not None]
    share = proportion([each.life is not None for each in outcomes])
    convicted = [life.uses for life in lives if life.convicted]
    return {
        "planted": len(outcomes),
        "let_in": len(lives),
        "low": share.low,
        "high": share.high,
        "convicted": len(convicted),
        "uses_until_convicted": fmean(convicted) if convicted else None,
        "spoiled_per_patch": fmean(life.spoiled for life in lives) if lives else 0.0,
        "calls": fmean(each.report.calls for each in outcomes) if outcomes else 0.0,
        "fixed_calls": fmean(each.report.full_calls for each in outcomes) if outcomes else 0.0,
        "reasons": dict(Counter(code for o in outcomes for code in o.report.codes).most_common()),
    }


def missed(found: dict[str, Any]) -> list[str]:
    """Name each bar that one noise misses."""
    kinds: dict[str, dict[str, Any]] = found["kinds"]
    misses = []
    for kind, figures in kinds.items():
        share = figures["let_in"] / figures["planted"] if figures["planted"] else None
        if share is None or kind == "true_of_two":
            continue
        if kind == "true":
            is_missed = share < min_true(found["noise"])
        elif kind in AA:
            is_missed = share > MAX_AA
        else:
            is_caught = figures["convicted"] == figures["let_in"]
            is_harmful = not is_caught or figures["spoiled_per_patch"] >= MAX_SPOILED
            is_missed = share > MAX_FALSE and is_harmful
        if is_missed:
            misses.append(f"{kind}: {share:.1%} let in")
    if (ratio := calls_ratio(kinds.values())) is not None and ratio > MAX_CALLS:
        misses.append(f"calls: {ratio:.2f} of a fixed-size test's")
    return misses


def calls_ratio(figures: Any) -> float | None:
    """Calls as a share of a fixed-size test's, over all plants; None where nothing was asked."""
    every = list(figures)
    fixed = sum(each["fixed_calls"] * each["planted"] for each in every)
    calls: float = sum(each["calls"] * each["planted"] for each in every)
    return calls / fixed if fixed else None


def table(found: dict[str, Any]) -> Table:
    """One noise's figures."""
    shown = Table(title=f"What the gate lets in, noise {found['noise']:g}")
    shown.add_column("planted")
    for name in ("n", "let in", "95 %", "convicted", "after", "spoiled", "calls", "of fixed"):
        shown.add_column(name, justify="right")
    shown.add_column("reasons")
    for kind, each in found["kinds"].items():
        after, ratio = each["uses_until_convicted"], calls_ratio([each])
        rate = each["let_in"] / each["planted"] if each["planted"] else None
        shown.add_row(
            kind,
            str(each["planted"]),
            "–" if rate is None else f"{rate:.1%}",
            "–" if rate is None else f"{each['low']:.0%}–{each['high']:.0%}",
            str(each["convicted"]) if each["let_in"] else "",
            "" if after is None else f"{after:.1f}",
            f"{each['spoiled_per_patch']:.2f}" if each["let_in"] else "",
            f"{each['calls']:.1f}",
            "–" if ratio is None else f"{ratio:.2f}",
            ", ".join(f"{code} {count}" for code, count in each["reasons"].items()),
        )
    return shown


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and exit with code 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-kind", type=int, default=60, help="plants of each kind")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.03])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    parser.add_argument("--plants", type=argparse.FileType("w"), help="each plant as a JSON line")
    options = parser.parse_args(arguments)
    found = []
    for noise in options.noise:
        with tempfile.TemporaryDirectory() as folder:
            one = Calibration(noise, options.seed, options.per_kind, options.plants)
            found.append(one.measure(Path(folder)))
    misses = [(each["noise"], text) for each in found for text in missed(each)]
    if options.json:
        print(json.dumps(found if len(found) > 1 else found[0], indent=2))
    else:
        console = Console(width=max(160, Console().width))
        for each in found:
            console.print(table(each))
        for noise, text in misses:
            console.print(f"noise {noise:g}: bar missed, {text}")
    raise SystemExit(bool(misses))


if __name__ == "__main__":
    main()
