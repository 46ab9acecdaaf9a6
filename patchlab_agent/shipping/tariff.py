"""The price of a shipment: a fictitious tariff of three zones, `fixtures/shipping/tariff.csv`."""

from __future__ import annotations

from patchlab_agent.shipping.tables import rows

_ELSEWHERE = "*"


def price_eur(kg: float | None, country: str | None) -> float | None:
    """Return the price in euros, to the cent: base fee plus rate per kg; None without a fact."""
    if kg is None or country is None:
        return None
    zones = {code: row for row in rows("tariff") for code in row["countries"].split()}
    zone = zones.get(country, zones[_ELSEWHERE])
    return round(float(zone["base_eur"]) + float(zone["eur_per_kg"]) * kg, 2)
