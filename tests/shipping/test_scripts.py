"""Lessons about words of any script: each is used for its own word, in all of its forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.models.trace import Trace
from patchlab_agent.settings import AgentSettings


def lab_at(folder: Path) -> Lab:
    return lab_of(AgentSettings(store=folder / "store", noise=0.0))


def asked(lab: Lab, place: str) -> Trace:
    return lab.answer(f"Ship 2 kg tea box to {place}")


@pytest.mark.parametrize(
    ("place", "same", "others"),
    [
        ("दिल्ली", ("दिल्ली",), ("दोलाला", "दिल्ला", "दल्ल")),
        ("Türkiye", ("TÜRKİYE", "türkiye", "Tu\u0308rki\u0307ye"), ("Tuerkiye",)),
        ("ශ්\u200dරී ලංකා", ("ශ්\u200dරී  ලංකා",), ("ශ්රී ලංකා", "ලංකා")),
        ("Bremen", ("BREMEN", "Bremmen"), ("Br\u0435men", "Bremen-Nord")),
        ("กรุงเทพ", ("กรุงเทพ",), ("กรงเทพ", "กรุงเทพฯ")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_lesson_is_used_for_its_own_word_alone(
    tmp_path: Path, place: str, same: tuple[str, ...], others: tuple[str, ...]
) -> None:
    with lab_at(tmp_path) as lab:
        wrong = asked(lab, place)
        told = lab.feedback(wrong.id, "destination_unknown", field="destination", detail="IN")
        assert [event.kind for event in told.events] == ["activated"]
        for form in (place, *same):
            answered = asked(lab, form)
            assert answered.output is not None
            assert (answered.output["country"], len(answered.applied)) == ("IN", 1), form
        for other in others:
            answered = asked(lab, other)
            assert answered.output is not None
            assert (answered.output["country"], answered.applied) == (None, ()), other
            assert answered.output["price_eur"] is None


def test_an_emoji_is_neither_read_as_a_word_beside_it_nor_taught(tmp_path: Path) -> None:
    with lab_at(tmp_path) as lab:
        wrong = lab.answer("Ship 2 kg 📚 box to US")
        assert wrong.output is not None
        assert (wrong.output["item"], wrong.output["parcel"]) == (None, "box")
        told = lab.feedback(wrong.id, "item_unknown", field="item", value="📚", detail="print")
        assert [event.kind for event in told.events] == ["none"]
