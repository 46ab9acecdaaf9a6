"""Odd requests in many languages: no price ever rests on a part that was misread or is missing.

The truth of each was written by hand. A part that the toy does not know may stay empty; a part that
it fills in must be right wherever a price rests on it.
"""

# ruff: noqa: RUF001 - digits and marks of other scripts are part of what is odd

from __future__ import annotations

from dataclasses import dataclass

import pytest

from patchlab_agent.models.patch import close
from patchlab_agent.shipping.rules import UnitFix
from tests.shipping.helpers import asked

pytestmark = pytest.mark.quick


@dataclass(frozen=True)
class Meant:
    """What a sender means; None is unknown to everybody."""

    kg: float | None
    country: str | None
    item: str | None = "books"
    parcel: str | None = "box"


READ = {
    # Read in full, and priced.
    "Ship ½ kg books box to Germany": Meant(0.5, "DE"),
    "SHIP 1½KG BOOKS BOX TO GERMANY!!!": Meant(1.5, "DE"),
    "Ship 1 kg 500 g books box to Germany": Meant(1.5, "DE"),
    "Ship 1kg500g books box to Germany": Meant(1.5, "DE"),
    "Ship 2 kg (2000 g) books box to Germany": Meant(2, "DE"),
    "Ship 0,75 kg books box to Germany": Meant(0.75, "DE"),
    "Ship 12'500 g books box to Germany": Meant(12.5, "DE"),
    "Ship 12.500,5 g books box to Germany": Meant(12.5005, "DE"),
    "Ship 1,00,000 g books pallet to India": Meant(100, "IN", parcel="pallet"),
    "Ship ２ｋｇ books box to Japan": Meant(2, "JP"),
    "Ship ٢٫٥ kg books box to Egypt": Meant(2.5, "EG"),
    "Ship २ kg books box to India": Meant(2, "IN"),
    "Ship 1.5e3 g books box to Germany": Meant(1.5, "DE"),
    "Order #4711: ship one 2 kg box of books to Germany": Meant(2, "DE"),
    "Send us a quote for 2 kg books box to Germany": Meant(2, "DE"),
    "Ship 2 kg books box from US to Germany": Meant(2, "DE"),
    "Send us 2 kg books box to US": Meant(2, "US"),
    "📦2 kg books box → Germany": Meant(2, "DE"),
    "Bitte 2,5 kg books in a box to Germany, danke": Meant(2.5, "DE"),
}
OPEN = {
    # English, with an unclear weight.
    "Ship -2 kg books box to Germany": Meant(None, "DE"),
    "Ship 2-3 kg books box to Germany": Meant(None, "DE"),
    "Ship between 2 kg and 3 kg books box to Germany": Meant(None, "DE"),
    "Ship 2 kg or maybe 3 kg books box to Germany": Meant(None, "DE"),
    "Ship 1.500 kg books box to Germany": Meant(None, "DE"),
    "Ship 2 500 g books box to Germany": Meant(None, "DE"),
    "Ship 2 lb 3 oz books box to Germany": Meant(0.99, "DE"),
    "Ship 2 firkin 3 kg books box to Germany": Meant(None, "DE"),
    "Ship 3 boxes of books, 2 kg each, to Germany": Meant(6, "DE"),
    "Ship 2 x 5 kg books box to Germany": Meant(None, "DE"),
    "Ship 2 and a half kg books box to Germany": Meant(2.5, "DE"),
    "Ship twenty five kg books box to Germany": Meant(25, "DE"),
    "Ship two hundred kg books pallet to Germany": Meant(200, "DE", parcel="pallet"),
    "Ship 2 kg books and 3 kg tea box to Germany": Meant(None, "DE", item=None),
    "Ship under 2 kg books box to Germany": Meant(None, "DE"),
    "Ship 10³ g books box to Germany": Meant(1, "DE"),
    "Ship 2\u0336 3 kg books box to Germany": Meant(3, "DE"),
    "Ship books box to Germany": Meant(None, "DE"),
    "Ship kg books box to Germany": Meant(None, "DE"),
    "Ship 0 kg books box to Germany": Meant(None, "DE"),
    f"Ship {'9' * 300} kg books box to Germany": Meant(None, "DE"),
    "Ship NaN kg books box to Germany": Meant(None, "DE"),
    "Ship 2 kg books box": Meant(2, None),
    "Ship 2 kg books box from Germany": Meant(2, None),
    "Ship 2 kg books box to Germany or France": Meant(2, None),
    "2 kg books box, France or Germany": Meant(2, None),
    "Send us 2 kg books box": Meant(2, None),
    "Please tell us what 2 kg books box costs": Meant(2, None),
    "Ship 2 kg books box to nowhere in particular": Meant(2, None),
    # Other languages and scripts.
    "Schicken Sie 1,5 kg Bücher im Karton nach Deutschland": Meant(1.5, "DE"),
    "Bitte 1.500 g Bücher in einer box nach Germany": Meant(1.5, "DE"),
    "Zwei bis 3 kg Bücher als box to Germany": Meant(None, "DE"),
    "Envoyez 2,5 kg de livres en box -> France": Meant(2.5, "FR"),
    "Envoyez 1 kg 500 de livres, box -> France": Meant(1.5, "FR"),
    "Deux kilos et demi de livres, box → France": Meant(2.5, "FR"),
    "Enviar 3 kg y medio de libros, box -> Spain": Meant(3.5, "ES"),
    "Enviar 2 a 3 kg de libros, box -> Spain": Meant(None, "ES"),
    "Envoyez deux à 3 kg de livres, box -> France": Meant(None, "FR"),
    "Envía 1,500 kg de libros box -> Mexico": Meant(1.5, "MX"),
    "Spedire 2 kg e 300 g di libri, box → Italy": Meant(2.3, "IT"),
    "Wyślij od 2 do 3 kg książek, box → Poland": Meant(None, "PL"),
    "Отправьте 2 кг книг в коробке → Польша": Meant(2, "PL"),
    "Отправьте 1 500 г книг, box → Poland": Meant(1.5, "PL"),
    "Στείλτε 2,5 κιλά βιβλία, box → Greece": Meant(2.5, "GR"),
    "أرسل ٢٫٥ كجم كتب box → Egypt": Meant(2.5, "EG"),
    "שלח 2 ק״ג ספרים, box → Canada": Meant(2, "CA"),
    "दिल्ली को २ किलो किताबें भेजें, box → India": Meant(2, "IN"),
    "ส่งหนังสือ ๒ กก. box → Singapore": Meant(2, "SG"),
    "寄2公斤书，box → China": Meant(2, "CN"),
    "本を2キロ、箱で日本へ送って": Meant(2, "JP"),
    "책 2킬로그램 box → Japan": Meant(2, "JP"),
    "Gửi 2 ký sách, box → Canada": Meant(2, "CA"),
    "2 kilo kitap, box → Turkey": Meant(2, "TR", item=None),
    "Küldjön 2 és fél kg könyvet, box → Austria": Meant(2.5, "AT"),
    "Lähetä 2–3 kg kirjoja, box → Finland": Meant(None, "FI"),
}
LB = UnitFix(unit="lb", kg_per_unit=0.45359237)


@pytest.mark.parametrize("request_text", READ)
def test_what_can_be_read_is_priced(request_text: str) -> None:
    meant, quote = READ[request_text], asked(request_text)
    assert quote["price_eur"] is not None
    assert quote["weight_kg"] == pytest.approx(meant.kg)
    assert (quote["country"], quote["item"], quote["parcel"]) == (
        meant.country,
        meant.item,
        meant.parcel,
    )


@pytest.mark.parametrize("fixes", [(), (LB,)], ids=["", "lb"])
@pytest.mark.parametrize("request_text", [*READ, *OPEN], ids=lambda text: text[:40])
def test_no_price_rests_on_a_misread_or_missing_part(
    request_text: str, fixes: tuple[UnitFix, ...]
) -> None:
    meant, quote = {**READ, **OPEN}[request_text], asked(request_text, fixes)
    if quote["price_eur"] is None:
        return
    kg = quote["weight_kg"]
    assert isinstance(kg, float)
    assert meant.kg is not None
    assert close(meant.kg, kg)
    assert meant.country is not None
    assert quote["country"] == meant.country
    # A name that no rule knows is not relied on.
    assert quote["category"] is None or quote["item"] == meant.item
    assert quote["parcel_limit_kg"] is None or quote["parcel"] == meant.parcel


def test_there_are_fifty_of_them() -> None:
    assert len({**READ, **OPEN}) >= 50
