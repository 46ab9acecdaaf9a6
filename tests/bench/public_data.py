"""Rows of our own in the form of the public data sets."""

from __future__ import annotations

import json
from pathlib import Path

CATEGORIES = ("cleaning", "repair")
ONTOLOGY = {
    "card": {"description": "is the intent to ask about a card?", "domain": ["banking"]},
    "thank": {"description": "is the intent to thank someone?", "domain": ["general"]},
    "wifi": {"description": "is the intent to ask about wifi?", "domain": ["hotels"]},
}


def write_public_data(folder: Path) -> Path:
    """Forty mails and twenty folds of utterances."""
    (folder / "facility").mkdir(parents=True)
    mails = [_mail(number) for number in range(40)]
    (folder / "facility" / "dataset.json").write_text(json.dumps(mails), "utf-8")
    banking = folder / "nlupp-banking"
    banking.mkdir()
    (banking / "ontology.json").write_text(json.dumps({"intents": ONTOLOGY, "slots": {}}), "utf-8")
    for fold in range(20):
        (banking / f"fold{fold}.json").write_text(json.dumps(_fold(fold)), "utf-8")
    return folder


def _mail(number: int) -> dict[str, object]:
    is_repair = number % 2 == 0
    answer = {
        "categories": dict(zip(CATEGORIES, (not is_repair, is_repair), strict=True)),
        "sentiment": "neutral",
        "urgency": "high" if is_repair else "low",
    }
    text = f"Subject: {'broken pipe' if is_repair else 'dusty floor'}\n\nFlat {number}. Thanks, Kim"
    return {"fields": {"input": text}, "answer": json.dumps(answer)}


def _fold(fold: int) -> list[dict[str, object]]:
    return [
        {"text": f"the card of account {fold} is gone", "intents": ["card"]},
        {"text": f"thank you {fold} times", "intents": ["thank"], "slots": {}},
        {"text": "Nothing  at all" if fold else "nothing at all"},
    ]
