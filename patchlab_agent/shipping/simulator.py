"""The simulator of the skill: requests, carrier, held-out cases, and their scoring."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from patchlab_agent.models.base import Output, digest
from patchlab_agent.models.case import Case, case_key
from patchlab_agent.models.patch import Fix, close
from patchlab_agent.models.trace import INVALID_RESPONSE, Feedback
from patchlab_agent.shipping.carrier import LABELS, OVERDECLARED, UNDECLARED, Carrier
from patchlab_agent.shipping.cases import read_labeled, shipped_cases
from patchlab_agent.shipping.drift import drift
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.fix import Asked, SubjectFix
from patchlab_agent.shipping.requests import RequestGenerator
from patchlab_agent.shipping.right_answers import compared
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.rules import ExampleFix
from patchlab_agent.shipping.schema import Refusal, ShippingQuote
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.shipping.tables import carrier_rules, known_rules, rows
from patchlab_agent.skill.authoring import faulty
from patchlab_agent.skill.seam import Confusion
from patchlab_agent.text import normalise, words


class ShippingSimulator:
    """A simulator of a carrier and of the people who ask it for quotes."""

    labels = LABELS

    def __init__(self) -> None:
        self._known = known_rules()
        self._in_every_prompt = frozenset(self._known)
        self._redefined: dict[str, float] = {}
        self._latest: tuple[Case, Shipment] | None = None
        self._hold(carrier_rules())

    def _hold(self, rules: Sequence[Fix]) -> None:
        self._rules = list(rules)
        self._latest = None
        self._outdated = list(_outdated(self._known, self._rules))
        self._carrier = Carrier(self._rules)

    def drift(self, rng: random.Random) -> tuple[str, ...]:
        """Change the carrier's rules from now on, and return what has changed.

        All cases are labeled by the rules now in force; a shipment whose weight is given in the
        redefined unit weighs what the unit now means.
        """
        changed = drift(self._rules, rng)
        self._redefined[changed.unit] = self._redefined.get(changed.unit, 1.0) * changed.ratio
        self._hold(changed.rules)
        return changed.changes

    def _truth(self, case: Case) -> Shipment:
        # Several answers to one case are judged in a row.
        latest = self._latest
        if latest is None or latest[0] is not case:
            latest = self._latest = case, self._present_truth(case)
        return latest[1]

    def _present_truth(self, case: Case) -> Shipment:
        truth = Shipment.model_validate(case.truth)
        for unit, ratio in self._redefined.items():
            if unit in words(case.request):
                return truth.model_copy(update={"weight_kg": truth.weight_kg * ratio})
        return truth

    def requests(self, rng: random.Random) -> Iterator[Case]:
        """Generate cases, none of which asks for the same shipment as a held-out case."""
        held_out = {_shipment_key(case) for case in (*self.golden(), *self.regression())}
        for case in RequestGenerator().cases(rng):
            if _shipment_key(case) not in held_out:
                yield case

    def read_cases(self, path: Path) -> list[Case]:
        """Read a user's own labeled requests.

        Raises:
            InputError: a line cannot be read, names something that the carrier does not know, or
                repeats a case that is held out for the golden set or the gate.
        """
        held_out = {case_key(case.request) for case in (*self.golden(), *self.regression())}
        rows, faults = read_labeled(path), {}
        for number, labeled in rows:
            if unknown := self._carrier.knows(labeled.shipment):
                faults[number] = (
                    f"the carrier does not know the {unknown}; "
                    "see fixtures/shipping for what it knows"
                )
            elif case_key(labeled.request) in held_out:
                faults[number] = (
                    "this request is held out for the golden set or the gate; "
                    "remove it, or the run would measure memory"
                )
        if faults:
            raise faulty(path, faults)
        return [labeled.case() for _, labeled in rows]

    def golden(self) -> Sequence[Case]:
        """Return the cases of `fixtures/shipping/golden.jsonl`."""
        return shipped_cases("golden")

    def regression(self) -> Sequence[Case]:
        """Return the cases of `fixtures/shipping/regression.jsonl`."""
        return shipped_cases("regression")

    def expected(self, case: Case) -> Output:
        """Return all judged fields of the right quote, and the refusal or None."""
        truth, book = self._truth(case), self._carrier.book
        refusals = self._carrier.refusals(truth)
        return {
            "weight_kg": truth.weight_kg,
            "item": truth.item,
            "category": book.items[truth.item],
            "parcel": truth.parcel,
            "parcel_limit_kg": book.parcels[truth.parcel],
            "parcel_takes_liquids": truth.parcel in book.liquids,
            "country": truth.country,
            "declarations": [str(d) for d in self._carrier.declarations(truth)],
            "refusal": str(refusals[0]) if refusals else None,
        }

    def judge(self, case: Case, quote: Output | None) -> Feedback:
        """Return the carrier's feedback on a quote."""
        truth = self._truth(case)
        return self._carrier.judge(truth, _typed(quote))

    def compare(self, request: str, right: Output, quote: Output | None) -> Feedback:
        """Judge by what a right quote states, whatever this carrier's own rules are.

        Raises:
            InputError: the right quote leaves open what is right.
        """
        return compared(request, right, quote)

    def concerning(self, case: Case) -> Sequence[Fix]:
        """Return the carrier's rules that the case needs, withdrawals of outdated ones included."""
        truth = self._truth(case)
        asked = Asked(truth.item, truth.parcel, truth.country, case.request)
        rules = [
            rule
            for rule in (*self._rules, *self._outdated)
            if isinstance(rule, SubjectFix) and rule.concerns(asked)
        ]
        return [*rules, *_number_examples(case.request)]

    def uncovered(self, case: Case) -> Sequence[Fix]:
        """Return the rules that the case needs beyond those in every prompt."""
        return [rule for rule in self.concerning(case) if rule not in self._in_every_prompt]

    def confusion(self, case: Case, quote: Output | None) -> Mapping[str, Confusion]:
        """Count per label whether the task that it stands for was present and was done.

        For a shipment to be quoted, the labels of misreading count fields: given (positive) and
        right (true). Declarations and refusals are counted as by a detector. `wrong_refusal`
        counts quotes of shipments to be quoted, `overdeclared` those that declare nothing
        needless; `invalid_response` counts usable answers.
        """
        truth = self._truth(case)
        given = _typed(quote)
        refusals = self._carrier.refusals(truth)
        found = {INVALID_RESPONSE: _detected(True, given is not None)}
        for refusal in Refusal:
            claimed = given is not None and given.refusal is refusal
            # Any valid reason is a right one; the others were then not needed.
            other = given is not None and given.refusal in refusals and not claimed
            found[str(refusal)] = _detected(refusal in refusals and not other, claimed)
        quoted = given is not None and given.refusal is None
        found["wrong_refusal"] = _detected(not refusals, quoted)
        if not refusals:
            needed = self._carrier.declarations(truth)
            for declaration, label in UNDECLARED.items():
                declared = given is not None and declaration in given.declarations
                found[label] = _detected(declaration in needed, declared)
            apt = given is not None and set(given.declarations) <= set(needed)
            found[OVERDECLARED] = _detected(True, apt)
            found.update(_fields(truth, self._carrier.book, given))
        return found


def _outdated(known: Sequence[Fix], rules: Sequence[Fix]) -> Iterator[SubjectFix]:
    """Yield the fixes that withdraw known rules that the carrier does not have."""
    held = frozenset(rules)
    for rule in known:
        if rule not in held and isinstance(rule, SubjectFix) and rule.withdrawal is not None:
            yield rule.withdrawal


def _shipment_key(case: Case) -> str:
    return digest(case.truth)


def _typed(quote: Output | None) -> ShippingQuote | None:
    return None if quote is None else ShippingQuote.model_validate(quote)


def _detected(there: bool, claimed: bool) -> Confusion:
    return Confusion(
        true_positive=int(there and claimed),
        false_positive=int(claimed and not there),
        false_negative=int(there and not claimed),
    )


def _fields(
    truth: Shipment, book: RuleBook, given: ShippingQuote | None
) -> Iterator[tuple[str, Confusion]]:
    """Count slot filling: a wrong field is both a false positive and a false negative."""
    kg = given.weight_kg if given else None
    category = given is not None and given.category == book.items[truth.item]
    parcel = given is not None and _knows_parcel(truth.parcel, book, given)
    slots = {
        "weight_missing": (given is not None and given.weight is not None, True),
        "unit_unknown": (given is not None and given.kg_per_unit is not None, True),
        "weight_mismatch": (kg is not None, kg is not None and close(truth.weight_kg, kg)),
        "item_unknown": _slot(given and given.category and given.item, truth.item, category),
        "parcel_unknown": _slot(
            given and given.parcel_limit_kg and given.parcel, truth.parcel, parcel
        ),
        "destination_unknown": _slot(given and given.country, truth.country),
    }
    for label, (present, right) in slots.items():
        yield (
            label,
            Confusion(
                true_positive=int(present and right),
                false_positive=int(present and not right),
                false_negative=int(not (present and right)),
            ),
        )


def _knows_parcel(parcel: str, book: RuleBook, given: ShippingQuote) -> bool:
    limit = given.parcel_limit_kg
    holds = limit is not None and close(book.parcels[parcel], limit)
    return holds and given.parcel_takes_liquids == (parcel in book.liquids)


def _slot(
    given: str | float | ShippingQuote | None, wanted: str, also: bool = True
) -> tuple[bool, bool]:
    return bool(given), also and isinstance(given, str) and normalise(given) == normalise(wanted)


def _number_examples(request: str) -> Iterator[ExampleFix]:
    """Yield examples that explain numbers written as words."""
    for row in rows("numbers"):
        if row["word"] in words(request):
            yield number_example(row["word"], float(row["value"]))
