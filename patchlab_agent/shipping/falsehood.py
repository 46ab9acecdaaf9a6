"""False feedback of a carrier: any label, about any part of an answer, with a detail."""

from __future__ import annotations

import random
from collections.abc import Iterator

from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import INVALID_RESPONSE, OK, Feedback
from patchlab_agent.shipping.carrier import UNDECLARED
from patchlab_agent.shipping.schema import Declaration, Refusal, ShippingQuote
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.shipping.tables import rows


def falsified(case: Case, quote: Output | None, true: Feedback, rng: random.Random) -> Feedback:
    """Return false feedback on an answer; for a wrong answer it may be OK.

    Args:
        case: with its truth, which false facts must differ from.
        quote: the answer; None if it was unusable.
        true: the feedback that the carrier should have given.
        rng: chooses the feedback that it gives instead.
    """
    if quote is None:
        return OK
    truth = Shipment.model_validate(case.truth)
    said = [
        each
        for each in _sayings(truth, ShippingQuote.model_validate(quote), rng)
        if (each.label, each.detail) != (true.label, true.detail)
    ]
    return rng.choice(said if true.ok else [OK, *said])


def _sayings(truth: Shipment, quote: ShippingQuote, rng: random.Random) -> Iterator[Feedback]:
    """Yield one false complaint per label; the details are facts of other rows."""
    kg = truth.weight_kg * rng.choice([0.1, 0.45359237, 2.2, 10])
    scale = f"{kg:.6g} kg on the scale"
    yield Feedback(label="weight_missing", field="weight", value=quote.weight, detail=scale)
    yield Feedback(label="weight_mismatch", field="weight_kg", value=quote.weight_kg, detail=scale)
    factor = rng.choice(rows("units"))["kg_per_unit"]
    yield Feedback(
        label="unit_unknown",
        field="unit",
        value=quote.unit,
        detail=f"1 {quote.unit} is {float(factor) * 1.5:.12g} kg",
    )
    country = _other(rng, "destinations", "country", truth.country)
    yield Feedback(
        label="destination_unknown", field="destination", value=quote.destination, detail=country
    )
    category = rng.choice(sorted({row["category"] for row in rows("items")}))
    yield Feedback(
        label="item_unknown", field="item", value=quote.item, detail=f"{truth.item}: {category}"
    )
    limit = float(_other(rng, "parcels", "limit_kg", "")) * 0.7
    limited = f"{truth.parcel}: up to {limit:.6g} kg"
    yield Feedback(label="parcel_unknown", field="parcel", value=quote.parcel, detail=limited)
    yield Feedback(label="overweight_parcel", field="parcel", value=quote.parcel, detail=limited)
    yield Feedback(
        label=str(Refusal.PROHIBITED),
        field="item",
        value=quote.item,
        detail=f"{truth.item}: prohibited",
    )
    yield Feedback(
        label=str(Refusal.EMBARGO),
        field="destination",
        value=quote.destination,
        detail="under embargo",
    )
    yield from _about_declarations(truth, quote, rng)
    if quote.refusal is not None:
        yield Feedback(label="wrong_refusal", field="refusal", value=str(quote.refusal))
    yield Feedback(label=INVALID_RESPONSE)


def _about_declarations(
    truth: Shipment, quote: ShippingQuote, rng: random.Random
) -> Iterator[Feedback]:
    given = [str(each) for each in quote.declarations]
    missing = rng.choice(list(Declaration))
    yield Feedback(
        label=UNDECLARED[missing],
        field="declarations",
        value=[*given],
        detail=f"{truth.item}: {missing}",
    )
    if given:
        needless = rng.choice(given)
        yield Feedback(
            label="overdeclared",
            field="declarations",
            value=[*given],
            detail=f"{truth.item}: not {needless}",
        )


def _other(rng: random.Random, table: str, column: str, wanted: str) -> str:
    return rng.choice(sorted({row[column] for row in rows(table)} - {wanted}))
