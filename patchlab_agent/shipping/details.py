"""What the detail of a person's feedback takes, by label; the proposer reads it so."""

from __future__ import annotations

from patchlab_agent.models.trace import INVALID_RESPONSE

_SCALE = 'the whole weight ("2.5 kg on the scale")'
_LIMIT = 'how much the parcel holds ("up to 5 kg")'
_ITEM = 'nothing more; or which word is the item ("bleach: {}")'

DETAILS = {
    "weight_missing": _SCALE,
    "weight_mismatch": _SCALE,
    "unit_unknown": 'what one unit weighs ("1 stone is 6.35 kg", "6.35 kg"), another name of the '
    f'unit ("kg"), or {_SCALE}',
    "destination_unknown": 'the country, by code or name ("DE", "United Arab Emirates"); '
    "with --field embargo, nothing: there is none",
    "item_unknown": 'its category, one word ("toys"); with --field prohibited, nothing: it is not',
    "parcel_unknown": f"{_LIMIT}; with --field parcel_takes_liquids, whether it takes liquids "
    '("takes liquids", "no liquids")',
    "prohibited_item": _ITEM.format("prohibited"),
    "embargo_destination": "nothing more",
    "liquid_restricted": "nothing more",
    "overweight_parcel": _LIMIT,
    "hazmat_undeclared": _ITEM.format("hazmat"),
    "fragile_undeclared": _ITEM.format("fragile"),
    "temperature_uncontrolled": _ITEM.format("temperature"),
    "insurance_required": _ITEM.format("insurance"),
    "overdeclared": 'what need not be declared ("not hazmat")',
    "wrong_refusal": f"of an overweight parcel {_LIMIT}; else nothing more",
    INVALID_RESPONSE: "nothing: no rule mends an answer that cannot be read",
}
