"""Whatever people and models write, it is used, or refused in a sentence."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import Feedback
from patchlab_agent.shipping.skill import shipping
from tests.support.make import make_trace
from tests.support.odd import FEW, MANY, TEXT, nearly, odd_lines, refused

SHIPPING = shipping()
REQUEST = "Ship 2 kg bleach box to US"
ROW: JsonObject = {
    "request": REQUEST,
    "weight": 2,
    "unit": "kg",
    "item": "bleach",
    "parcel": "box",
    "destination": "US",
}
FIXES = (
    {"kind": "restriction", "item": "bleach", "demand": "hazmat"},
    {"kind": "parcel", "parcel": "tin", "limit_kg": 4.5},
    {"kind": "unit", "unit": "stone", "kg": 6.35},
    {"kind": "example", "request": REQUEST, "answer": {}},
)


@MANY
@given(odd_lines(json.dumps(ROW).encode() + b"\n") | st.binary(max_size=80))
def test_any_lines_of_requests(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(content)
    with refused():
        assert SHIPPING.simulator.read_cases(path)


@MANY
@given(
    st.lists(st.sampled_from([*ROW, "stratum", ""]) | TEXT, max_size=8),
    st.lists(st.lists(TEXT | st.sampled_from([str(v) for v in ROW.values()]), max_size=8)),
)
def test_any_table_of_requests(tmp_path: Path, header: list[str], rows: list[list[str]]) -> None:
    table = io.StringIO()
    csv.writer(table).writerows([header, *rows])
    path = tmp_path / "odd.csv"
    path.write_bytes(table.getvalue().encode("utf-8", "surrogatepass"))
    with refused():
        assert SHIPPING.simulator.read_cases(path)


class Says:
    """A model that says one thing whatever it is asked."""

    name = "says"
    varies = False

    def __init__(self, text: str) -> None:
        self.text = text

    def complete(self, prompt: Prompt) -> Completion:
        return Completion(text=self.text)

    def close(self) -> None:
        """Nothing to let go of."""


@FEW
@given(
    st.sampled_from(FIXES)
    .flatmap(lambda fix: nearly({"trigger": "bleach", "fix": fix}))
    .map(json.dumps)
    | TEXT
)
def test_any_fix_that_a_model_proposes(text: str) -> None:
    propose = SHIPPING.model_proposer
    assert propose is not None
    trace = make_trace(request=REQUEST, output=ROW)
    told = Feedback(label="hazmat_undeclared", field="declarations", detail="hazmat")
    proposal = propose(Says(text)).propose(trace, told)
    assert bool(proposal.patch) != bool(proposal.reason)
    if proposal.patch is not None:
        assert SHIPPING.task.parse_fix(proposal.patch.fix.model_dump(mode="json"))
