"""A stream of requests as people might type them: common and edge cases, long-tailed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from patchlab_agent.models.case import Case
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.shipping.tables import Choices, Row

NUMBER_WORD_SHARE = 0.05
SERVICE_SHARE = 0.08
TYPO_SHARE = 0.04
CASE_SHARE = 0.15
GLUED_SHARE = 0.3
OVERWEIGHT_SHARE = 0.08
"""Shares of the requests, each drawn independently."""

_TYPO_MIN_LETTERS = 7


class RequestGenerator:
    """A generator of requests with their truth, by the frequency tables of `fixtures/shipping/`."""

    def __init__(self) -> None:
        tables = ("units", "parcels", "destinations", "items", "phrasings", "numbers", "services")
        self._tables = {name: Choices.of(name) for name in tables}

    def cases(self, rng: random.Random) -> Iterator[Case]:
        """Yield an endless stream of cases; all randomness comes from `rng`."""
        while True:
            yield self.case(rng)

    def case(self, rng: random.Random) -> Case:
        """Draw one request and its truth."""
        item, place, parcel = (self._draw(t, rng) for t in ("items", "destinations", "parcels"))
        unit = self._draw("units", rng)
        written, value = self._amount(unit, float(parcel["limit_kg"]), rng)
        services = [self._draw("services", rng)] if rng.random() < SERVICE_SHARE else []
        text = self._draw("phrasings", rng)["phrasing"].format(
            weight=written,
            item=_with_typo(item["item"], rng),
            parcel=parcel["parcel"],
            destination=_with_typo(place["alias"], rng),
        )
        for service in services:
            text = _with_service(text, service["words"], rng)
        truth = Shipment.model_validate(
            {
                "weight_kg": round(value * float(unit["kg_per_unit"]), 9),
                "item": item["item"],
                "parcel": parcel["parcel"],
                "country": place["country"],
                "services": [service["declaration"] for service in services],
            }
        )
        return Case(request=_in_case(text, rng), truth=truth.model_dump(mode="json"))

    def _draw(self, table: str, rng: random.Random) -> Row:
        choices = self._tables[table]
        return rng.choices(choices.values, choices.weights)[0]

    def _amount(self, unit: Row, limit_kg: float, rng: random.Random) -> tuple[str, float]:
        """Draw a weight; return it as written, unit included, and as a number."""
        factor = float(unit["kg_per_unit"])
        if rng.random() < NUMBER_WORD_SHARE:
            number = self._draw("numbers", rng)
            return f"{number['word']} {unit['unit']}", float(number["value"])
        if rng.random() < OVERWEIGHT_SHARE:
            kg = limit_kg * rng.uniform(1.2, 4)
        else:
            kg = limit_kg * math.exp(rng.uniform(math.log(0.01), math.log(0.9)))
        value = max(_two_digits(kg / factor), 0.01)
        gap = "" if rng.random() < GLUED_SHARE else " "
        return f"{value:.12g}{gap}{unit['unit']}", value


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _with_typo(name: str, rng: random.Random) -> str:
    """Sometimes drop, double or swap a letter of a long word, but never the first."""
    if rng.random() >= TYPO_SHARE or len(name) < _TYPO_MIN_LETTERS or not name.isalpha():
        return name
    at = rng.randrange(1, len(name) - 1)
    before, letter, following, after = name[:at], name[at], name[at + 1], name[at + 2 :]
    return rng.choice(
        [
            before + following + after,
            before + letter + letter + following + after,
            before + following + letter + after,
        ]
    )


def _with_service(text: str, words: str, rng: random.Random) -> str:
    end = text[-1] if text[-1] in "?!." else ""
    body = text[: len(text) - len(end)]
    return rng.choice([f"{body}, {words}{end}", f"{words}: {text}", f"{body}, {words} please{end}"])


def _in_case(text: str, rng: random.Random) -> str:
    if rng.random() >= CASE_SHARE:
        return text
    return text.lower() if rng.random() < 0.7 else text.upper()
