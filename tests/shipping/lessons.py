"""Failures with the lessons that they teach: one table for the proposer's tests."""

from __future__ import annotations

from typing import Any

from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    ShippingFix,
    UnitFix,
)

Changes = dict[str, Any]
Lesson = tuple[str, str, Changes, str, ShippingFix, str]
"""Label, request, changes of the right quote and detail; fix and trigger."""

NO_WEIGHT: Changes = {"weight": None, "weight_kg": None}
LB: Changes = {"unit": "lb", "kg_per_unit": None, "weight_kg": None}
CWT: Changes = {"weight": 0.6, "unit": "cwt", "kg_per_unit": 50.8, "weight_kg": 30.48}
TUBE: Changes = {"parcel": "tube", "parcel_limit_kg": None}
BERLIN: Changes = {"destination": "berlin", "country": None}
TENT: Changes = {"item": "tent", "category": None}
BATTERY: Changes = {"item": "battery", "category": "electronics"}

PROHIBITED: Changes = {"refusal": "prohibited_item"}
EMBARGO: Changes = {"refusal": "embargo_destination"}
LIQUID: Changes = {"refusal": "liquid_restricted", "category": "liquid"}
OVERWEIGHT: Changes = {"refusal": "overweight_parcel"}

LB_FIX = UnitFix(unit="lb", kg_per_unit=0.45359237)
TUBE_FIX = ParcelFix(parcel="tube", limit_kg=5)
BERLIN_FIX = DestinationFix(alias="berlin", country="DE")

LESSONS: list[Lesson] = [
    (
        "weight_missing",
        "Ship dozen kg books box to US",
        NO_WEIGHT,
        "12 kg on the scale",
        number_example("dozen", 12),
        "dozen",
    ),
    (
        "weight_missing",
        "Ship half kg books box to US",
        NO_WEIGHT,
        "0.5",
        number_example("half", 0.5),
        "half",
    ),
    (
        "weight_missing",
        "Hey folks, ship twenty g books box to US",
        {**NO_WEIGHT, "unit": "g", "kg_per_unit": 0.001},
        "0.02 kg",
        number_example("twenty", 20),
        "twenty",
    ),
    ("unit_unknown", "Ship 2 lb books box to US", LB, "1 lb is 0.45359237 kg", LB_FIX, "lb"),
    ("unit_unknown", "Ship 2 LB books box to US", LB, "0.45359237", LB_FIX, "lb"),
    ("unit_unknown", "Ship 2LB books box to US", LB, " 0.45359237 kg ", LB_FIX, "lb"),
    ("unit_unknown", "Ship 2 lb books box to US", LB, "0.90718474 kg on the scale", LB_FIX, "lb"),
    (
        "unit_unknown",
        "Ship 2 dag books box to US",
        {**LB, "unit": "dag"},
        "1 dag is 1e-2 kg",
        UnitFix(unit="dag", kg_per_unit=0.01),
        "dag",
    ),
    (
        "weight_mismatch",
        "Ship 0.6 cwt books box to US",
        CWT,
        "27.2155 kg on the scale",
        UnitFix(unit="cwt", kg_per_unit=45.3592),
        "cwt",
    ),
    (
        "weight_mismatch",
        "Ship 0.6 cwt books box to US",
        CWT,
        "27 kg",
        UnitFix(unit="cwt", kg_per_unit=45),
        "cwt",
    ),
    ("destination_unknown", "Ship 2 kg books box to Berlin", BERLIN, "DE", BERLIN_FIX, "berlin"),
    (
        "destination_unknown",
        "Ship 2 kg books box to BERLIN",
        BERLIN,
        "berlin: DE",
        BERLIN_FIX,
        "berlin",
    ),
    (
        "destination_unknown",
        "Ship 2 kg books box to New York",
        {"destination": "new york", "country": None},
        "the country is US",
        DestinationFix(alias="new york", country="US"),
        "new york",
    ),
    (
        "item_unknown",
        "Ship 2 kg tent box to US",
        TENT,
        "tent: outdoor",
        ItemFix(item="tent", category="outdoor"),
        "tent",
    ),
    (
        "item_unknown",
        "Ship 2 kg tent box to US",
        TENT,
        "hazmat",
        ItemFix(item="tent", category="hazmat"),
        "tent",
    ),
    (
        "item_unknown",
        "Ship 2 kg yoga mat box to US",
        {"item": "yoga", "category": None},
        "yoga mat: outdoor",
        ItemFix(item="yoga mat", category="outdoor"),
        "yoga mat",
    ),
    (
        "item_unknown",
        "Ship 2 kg telscope box to US",
        {"item": "telscope", "category": None},
        "telescope: optics",
        ItemFix(item="telescope", category="optics"),
        "telescope",
    ),
    (
        "parcel_unknown",
        "Ship 2 kg books tube to US",
        TUBE,
        "tube: up to 5 kg",
        TUBE_FIX,
        "tube",
    ),
    ("parcel_unknown", "Ship 2 kg books tube to US", TUBE, "5 kg", TUBE_FIX, "tube"),
    ("parcel_unknown", "Ship 2 kg books tube to US", TUBE, "5", TUBE_FIX, "tube"),
    (
        "overweight_parcel",
        "Ship 12 kg books bag to US",
        {"parcel": "bag", "parcel_limit_kg": 40.0},
        "bag: up to 10 kg",
        ParcelFix(parcel="bag", limit_kg=10),
        "bag",
    ),
    (
        "prohibited_item",
        "Ship 2 kg ivory box to US",
        {"item": "ivory"},
        "ivory: prohibited",
        RestrictionFix(item="ivory", demand="prohibited"),
        "ivory",
    ),
    (
        "prohibited_item",
        "Ship 2 kg ivory box to US",
        {"item": "ivory"},
        "",
        RestrictionFix(item="ivory", demand="prohibited"),
        "ivory",
    ),
    (
        "embargo_destination",
        "Ship 2 kg books box to Syria",
        {"destination": "syria", "country": "SY"},
        "under embargo",
        EmbargoFix(destination="syria"),
        "syria",
    ),
    (
        "liquid_restricted",
        "Ship 2 kg perfume box to US",
        {"item": "perfume", "category": "cosmetics"},
        "perfume: liquid; box: no liquids",
        ItemFix(item="perfume", category="liquid"),
        "perfume",
    ),
    (
        "liquid_restricted",
        "Ship 2 kg wine satchel to US",
        {"item": "wine", "category": "liquid", "parcel": "satchel", "parcel_takes_liquids": True},
        "wine: liquid; satchel: no liquids",
        RevokedFix(rule="liquids", subject="satchel"),
        "satchel",
    ),
    *[
        (
            "overdeclared",
            "Ship 2 kg paint box to US",
            {"item": "paint", "declarations": ["fragile", "hazmat", declaration]},
            detail,
            RevokedFix.model_validate({"rule": declaration, "subject": "paint"}),
            "paint",
        )
        for declaration in ("temperature", "insurance")
        for detail in (f"paint: not {declaration}", declaration, f"No {declaration.upper()}!")
    ],
    (
        "overdeclared",
        "Ship 2 kg paint box to US, insured",
        {"item": "paint", "declarations": ["insurance", "hazmat", "fragile"]},
        "fragile",
        RevokedFix(rule="fragile", subject="paint"),
        "paint",
    ),
    (
        "overdeclared",
        "Ship 2 kg paint box to US",
        {"item": "paint", "declarations": ["hazmat"]},
        "hazmat",
        RevokedFix(rule="hazmat", subject="paint"),
        "paint",
    ),
    (
        "wrong_refusal",
        "Ship 2 kg umbrella box to US",
        {**PROHIBITED, "item": "umbrella"},
        "umbrella: not prohibited",
        RevokedFix(rule="prohibited", subject="umbrella"),
        "umbrella",
    ),
    (
        "wrong_refusal",
        "Ship 2 kg books box to Cuba",
        {**EMBARGO, "destination": "cuba", "country": "CU"},
        "CU: no embargo",
        RevokedFix(rule="embargo", subject="cuba"),
        "cuba",
    ),
    (
        "wrong_refusal",
        "Ship 2 kg wine crate to US",
        {**LIQUID, "item": "wine", "parcel": "crate"},
        "crate: takes liquids",
        LiquidsFix(parcel="crate"),
        "crate",
    ),
    (
        "wrong_refusal",
        "Ship 4 kg books tube to US",
        {**OVERWEIGHT, "parcel": "tube", "parcel_limit_kg": 3.0},
        "tube: up to 5 kg; 4 kg on the scale",
        TUBE_FIX,
        "tube",
    ),
    (
        "wrong_refusal",
        "Ship 0.6 cwt books box to US",
        {**OVERWEIGHT, **CWT},
        "box: up to 30 kg; 27.2155 kg on the scale",
        UnitFix(unit="cwt", kg_per_unit=45.3592),
        "cwt",
    ),
    *[
        (
            label,
            "Ship 2 kg battery box to US",
            BATTERY,
            detail,
            RestrictionFix.model_validate({"item": "battery", "demand": demand}),
            "battery",
        )
        for label, demand in [
            ("hazmat_undeclared", "hazmat"),
            ("fragile_undeclared", "fragile"),
            ("temperature_uncontrolled", "temperature"),
            ("insurance_required", "insurance"),
        ]
        for detail in (f"battery: {demand}", demand, "")
    ],
]

KNOWN_WRONGLY: list[tuple[str, str, str, Changes, str, ShippingFix, str]] = [
    (
        "item_unknown",
        "category",
        "Ship 2 kg perfume crate to US",
        {"item": "perfume", "category": "cosmetics"},
        "perfume: liquid",
        ItemFix(item="perfume", category="liquid"),
        "perfume",
    ),
    (
        "parcel_unknown",
        "parcel_limit_kg",
        "Ship 2 kg books bag to US",
        {"parcel": "bag", "parcel_limit_kg": 40.0},
        "bag: up to 10 kg",
        ParcelFix(parcel="bag", limit_kg=10),
        "bag",
    ),
    *[
        (
            "parcel_unknown",
            "parcel_takes_liquids",
            "Ship 2 kg books flask to US",
            {"parcel": "flask"},
            detail,
            LiquidsFix(parcel="flask"),
            "flask",
        )
        for detail in ("flask: takes liquids", "yes", "It may carry liquids.")
    ],
    *[
        (
            "parcel_unknown",
            "parcel_takes_liquids",
            "Ship 2 kg books satchel to US",
            {"parcel": "satchel", "parcel_takes_liquids": True},
            detail,
            RevokedFix(rule="liquids", subject="satchel"),
            "satchel",
        )
        for detail in ("satchel: no liquids", "No", "must not carry any")
    ],
    (
        "unit_unknown",
        "kg_per_unit",
        "Ship 2 lb books box to US",
        {"unit": "lb", "kg_per_unit": 0.5},
        "1 lb is 0.45359237 kg",
        LB_FIX,
        "lb",
    ),
    *[
        (
            "item_unknown",
            "prohibited",
            "Ship 2 kg books box to US, no umbrella inside",
            {"prohibited": "umbrella"},
            detail,
            RevokedFix(rule="prohibited", subject="umbrella"),
            "umbrella",
        )
        for detail in ("umbrella: not prohibited", "not prohibited", "")
    ],
    *[
        (
            "destination_unknown",
            "embargo",
            "Ship 2 kg books box from Cuba to US",
            {"embargo": "cuba"},
            detail,
            RevokedFix(rule="embargo", subject="cuba"),
            "cuba",
        )
        for detail in ("cuba: no embargo", "no embargo", "")
    ],
]
"""Facts that a quote has wrong: label, field, request, changes and detail; fix and trigger."""
