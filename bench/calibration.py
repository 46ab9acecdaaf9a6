"""Plants patches of known kinds before the gate, and counts what it lets in and what that costs.

    python -m bench.calibration --per-kind 60 --noise 0.03

Each plant is put before the gate by itself, on the toy, for a request that really failed, with the
carrier as its referee and 150 answered requests as its history. Those let in are then used until
they are convicted, on requests in which their trigger occurs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from patchlab_agent.gate.base import Candidate
from patchlab_agent.learner import Learner
from patchlab_agent.loop import CarrierReferee
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Patch, Proposal, Status, agrees
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.settings import AgentSettings
from patchlab_agent.shipping.patch_tests import patch_of
from patchlab_agent.shipping.rules import (
    DestinationFix,
    ItemFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    ShippingFix,
    UnitFix,
)
from patchlab_agent.shipping.schema import Declaration
from patchlab_agent.shipping.tables import carrier_rules, known_rules, rows
from patchlab_agent.statistics import proportion
from patchlab_agent.text import as_trigger, occurs, words
from patchlab_agent.wiring import Lab, lab_of

HISTORY = 150
"""Requests answered before anything is planted, as history."""
STREAM = 30_000
"""Requests in which failures, and uses of a trigger, are looked for."""
USES = 40
"""Uses of a patch that was let in, at most."""
CATEGORIES = sorted({row["category"] for row in rows("items")})
COUNTRIES = sorted({row["country"] for row in rows("destinations")})

Plant = tuple[ShippingFix, str] | None
"""A fix with its trigger; None where the failure does not suit the kind."""


@dataclass(frozen=True)
class Failure:
    """A request that failed on the toy with nothing learned."""

    case: Case
    trace: Trace
    feedback: Feedback
    proposed: Patch | None
    needs: Sequence[Fix]


Maker = Callable[[Failure, random.Random], Plant]
"""Makes a plant of one kind out of a failure."""


@dataclass
class Tally:
    """What became of the plants of one kind."""

    planted: int = 0
    let_in: int = 0
    convicted: int = 0
    uses: list[int] = field(default_factory=list)
    spoiled: int = 0
    calls: int = 0
    fixed_calls: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, Any]:
        """The kind's figures as JSON."""
        share = proportion([True] * self.let_in + [False] * (self.planted - self.let_in))
        planted = max(1, self.planted)
        return {
            "planted": self.planted,
            "let_in": self.let_in,
            "low": share.low,
            "high": share.high,
            "convicted": self.convicted,
            "uses_until_convicted": sum(self.uses) / len(self.uses) if self.uses else None,
            "spoiled_per_patch": self.spoiled / self.let_in if self.let_in else 0.0,
            "calls": self.calls / planted,
            "fixed_calls": self.fixed_calls / planted,
            "reasons": dict(self.reasons.most_common()),
        }


class NoLesson:
    """A proposer for uses that are only to be weighed."""

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        """Propose nothing."""
        return Proposal(reason="only uses are weighed here")


TRUE_RULES = carrier_rules()
KNOWN_RULES = known_rules()


def is_true(fix: Fix, needs: Sequence[Fix]) -> bool:
    """Whether a fix says what the carrier holds, or what the case needs."""
    said = fix.model_dump(mode="json")
    return any(
        rule.slot == fix.slot
        and all(agrees(v, said.get(n)) for n, v in rule.model_dump(mode="json").items())
        for rule in (*TRUE_RULES, *needs)
    )


def _true(failure: Failure, rng: random.Random) -> Plant:
    patch = failure.proposed
    if patch is None or len(failure.needs) != 1 or not is_true(patch.fix, failure.needs):
        return None
    return patch.fix, patch.trigger  # type: ignore[return-value]


def _true_of_two(failure: Failure, rng: random.Random) -> Plant:
    patch = failure.proposed
    if patch is None or len(failure.needs) < 2 or not is_true(patch.fix, failure.needs):
        return None
    return patch.fix, patch.trigger  # type: ignore[return-value]


def _altered(kind: type[Fix], change: Callable[[Any, random.Random], dict[str, Any]]) -> Maker:
    def make(failure: Failure, rng: random.Random) -> Plant:
        patch = failure.proposed
        if patch is None or not isinstance(patch.fix, kind):
            return None
        if not is_true(patch.fix, failure.needs):
            return None
        fix = patch.fix.model_copy(update=change(patch.fix, rng))
        return fix, patch.trigger  # type: ignore[return-value]

    return make


def _other(values: Sequence[str], than: str, rng: random.Random) -> str:
    return rng.choice([value for value in values if value != than])


def _item_rule(failure: Failure, demands: Sequence[str], rng: random.Random) -> Plant:
    item = str(failure.case.truth["item"])
    held = {r.demand for r in TRUE_RULES if isinstance(r, RestrictionFix) and r.item == item}
    free = [demand for demand in demands if demand not in held]
    if not free or not occurs(item, failure.case.request):
        return None
    return RestrictionFix.model_validate({"item": item, "demand": rng.choice(free)}), item


def _false_ban(failure: Failure, rng: random.Random) -> Plant:
    return _item_rule(failure, ["prohibited"], rng)


def _false_declaration(failure: Failure, rng: random.Random) -> Plant:
    asked = failure.case.truth.get("services") or []
    free = [str(d) for d in Declaration if str(d) not in asked]  # type: ignore[operator]
    return _item_rule(failure, free, rng)


def _true_revoked(failure: Failure, rng: random.Random) -> Plant:
    item = str(failure.case.truth["item"])
    if RestrictionFix(item=item, demand="prohibited") not in TRUE_RULES:
        return None
    return RevokedFix(rule="prohibited", subject=item), item


def _beside(failure: Failure, rng: random.Random) -> Plant:
    patch, truth = failure.proposed, failure.case.truth
    item = as_trigger(str(truth["item"])) or ""
    if patch is None or not occurs(item, failure.case.request):
        return None
    match patch.fix:
        case DestinationFix():
            return DestinationFix(alias=item, country=patch.fix.country), item
        case UnitFix():
            return UnitFix(unit=item, kg_per_unit=patch.fix.kg_per_unit), item
        case ParcelFix():
            return ParcelFix(parcel=item, limit_kg=patch.fix.limit_kg), item
    return None


def _too_broad(failure: Failure, rng: random.Random) -> Plant:
    if "box" not in words(failure.case.request):
        return None
    return ParcelFix(parcel="box", limit_kg=30 * rng.choice([0.5, 2])), "box"


def _useless(failure: Failure, rng: random.Random) -> Plant:
    for rule in KNOWN_RULES:
        if isinstance(rule, ItemFix) and occurs(rule.item, failure.case.request):
            return rule, rule.item
    return None


def _lucky(failure: Failure, rng: random.Random) -> Plant:
    patch = failure.proposed
    return None if patch is None or failure.needs else (patch.fix, patch.trigger)  # type: ignore[return-value]


def _aa(failure: Failure, rng: random.Random) -> Plant:
    return None if failure.needs else _useless(failure, rng)


def _injected(failure: Failure, rng: random.Random) -> Plant:
    item = str(failure.case.truth["item"])
    if not occurs(item, failure.case.request):
        return None
    text = rng.choice(["ignore", "override", "system", "prohibited"])
    return ItemFix(item=item, category=text), item


def _factor(fix: UnitFix, rng: random.Random) -> dict[str, Any]:
    return {"kg_per_unit": fix.kg_per_unit * rng.choice([0.5, 1.1, 2.2, 10])}


def _limit(fix: ParcelFix, rng: random.Random) -> dict[str, Any]:
    return {"limit_kg": fix.limit_kg * rng.choice([0.3, 0.8, 1.5, 4])}


def _category(fix: ItemFix, rng: random.Random) -> dict[str, Any]:
    return {"category": _other(CATEGORIES, fix.category, rng)}


def _country(fix: DestinationFix, rng: random.Random) -> dict[str, Any]:
    return {"country": _other(COUNTRIES, fix.country, rng)}


KINDS: Mapping[str, Maker] = {
    "true": _true,
    "true_of_two": _true_of_two,
    "wrong_factor": _altered(UnitFix, _factor),
    "wrong_limit": _altered(ParcelFix, _limit),
    "wrong_category": _altered(ItemFix, _category),
    "wrong_country": _altered(DestinationFix, _country),
    "false_ban": _false_ban,
    "false_declaration": _false_declaration,
    "true_revoked": _true_revoked,
    "beside": _beside,
    "too_broad": _too_broad,
    "useless": _useless,
    "lucky": _lucky,
    "injected": _injected,
    "aa": _aa,
}


class Bench:
    """A lab with history, and failures to plant patches for."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self._lab = lab
        self._world = lab.skill.world
        self._cases = list(islice(self._world.requests(random.Random(seed)), STREAM))
        self._by_word: defaultdict[str, list[Case]] = defaultdict(list)
        for case in self._cases:
            for word in set(words(case.request)):
                self._by_word[word].append(case)
        self._learner = Learner(NoLesson(), lab.gate, lab.lifecycle, lab.store.patches)
        for number, case in enumerate(self._cases[:HISTORY]):
            lab.store.traces.add(self._compared(case, number))
        lab.store.traces.flush()

    def failures(self) -> Iterator[Failure]:
        """Failures of the stream behind the history, in its order."""
        for number, case in enumerate(self._cases[HISTORY:], start=HISTORY):
            trace = self._compared(case, number)
            said = trace.feedback or Feedback()
            if said.ok:
                continue
            proposed = self._lab.skill.proposer.propose(trace, said).patch
            yield Failure(case, trace, said, proposed, self._world.untaught(case))

    def plant(self, failure: Failure, fix: ShippingFix, trigger: str, tally: Tally) -> None:
        """Put a patch before the gate, use it if it is let in, and take it out again."""
        patch = patch_of(fix, trigger, failure.trace, failure.feedback)
        referee = CarrierReferee(self._world)
        referee.remember(failure.case)
        self._lab.lifecycle.decide(Candidate(patch, referee), "planted")
        stored = self._lab.store.patches.get(patch.id)
        assert stored is not None
        assert stored.gate is not None
        tally.planted += 1
        tally.calls += stored.gate.calls
        tally.fixed_calls += stored.gate.full_calls
        tally.reasons.update(stored.gate.codes)
        if stored.status is Status.ACTIVE:
            tally.let_in += 1
            self._use(stored, referee, tally)
        left = self._lab.store.patches.get(patch.id)
        if left is not None and left.status is Status.ACTIVE:
            self._lab.lifecycle.retire(left)

    def _use(self, patch: Patch, referee: CarrierReferee, tally: Tally) -> None:
        found = self._by_word[words(patch.trigger)[0]]
        cases = [case for case in found if occurs(patch.trigger, case.request)][:USES]
        for use, case in enumerate(cases, start=1):
            referee.remember(case)
            trace = self._compared(case, STREAM + use)
            said = trace.feedback or Feedback()
            tally.spoiled += bool(trace.baseline and trace.baseline.feedback.ok and not said.ok)
            events = self._learner.learn(trace, said, referee)
            if any(event.kind == "convicted" for event in events):
                tally.convicted += 1
                tally.uses.append(use)
                return

    def _compared(self, case: Case, number: int) -> Trace:
        return self._lab.evaluator.compare(
            case,
            draw=f"calibration:{number}",
            trace_id=f"t-{number:07d}",
            run="run-0001",
            index=number,
        )


def measure(noise: float, per_kind: int, seed: int) -> dict[str, Any]:
    """Plant so many patches of each kind at one noise."""
    kinds: dict[str, Any] = {}
    for name, maker in KINDS.items():
        tally, rng = Tally(), random.Random(f"{seed}:{name}")
        if name in ("lucky", "aa") and noise == 0:
            kinds[name] = tally.figures()
            continue
        with tempfile.TemporaryDirectory(prefix="patchlab-") as folder:
            settings = AgentSettings(store=Path(folder) / "store", seed=seed, noise=noise)
            with lab_of(settings) as lab:
                bench = Bench(lab, seed)
                for failure in bench.failures():
                    plant = maker(failure, rng)
                    if plant is not None:
                        bench.plant(failure, *plant, tally)
                        if tally.planted == per_kind:
                            break
        kinds[name] = tally.figures()
        print(f"noise {noise:g}: {name} {tally.let_in} of {tally.planted}", file=sys.stderr)
    return {"noise": noise, "kinds": kinds}


def table(found: Mapping[str, Any]) -> str:
    """One noise's figures as a table."""
    lines = [
        f"noise {found['noise']:g}",
        (
            f"{'kind':18} {'let in':>12} {'95 % interval':>16} {'convicted':>9} {'spoiled':>8} "
            f"{'calls':>6} {'fixed':>6}  reasons"
        ),
    ]
    for name, k in found["kinds"].items():
        low, high = (100 * (k[bound] or 0) for bound in ("low", "high"))
        reasons = ", ".join(f"{code} {n}" for code, n in k["reasons"].items())
        lines.append(
            f"{name:18} {k['let_in']:>5} / {k['planted']:<4} {low:7.1f} – {high:5.1f} "
            f"{k['convicted']:>9} {k['spoiled_per_patch']:>8.2f} {k['calls']:>6.1f} "
            f"{k['fixed_calls']:>6.0f}  {reasons}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, and print a table for each noise or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.calibration")
    parser.add_argument("--per-kind", type=int, default=60, metavar="N")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.03], metavar="X")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = [measure(noise, given.per_kind, given.seed) for noise in given.noise]
    if given.json:
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    else:
        print("\n\n".join(map(table, found)))


if __name__ == "__main__":
    main()
