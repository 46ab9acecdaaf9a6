"""The benchmark of the gate, in small."""

from __future__ import annotations

import json

import pytest

from bench.calibration import main, missed, table
from bench.plants import MAKERS, NEED_NOISE

FIGURES = {
    *("planted", "let_in", "low", "high", "convicted", "uses_until_convicted"),
    *("spoiled_per_patch", "calls", "fixed_calls", "reasons"),
}


def test_every_kind_is_planted_and_no_wrong_category_let_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--per-kind", "3", "--noise", "0", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["noise"] == 0
    kinds = found["kinds"]
    assert list(kinds) == list(MAKERS)
    for kind, figures in kinds.items():
        assert figures.keys() == FIGURES
        assert figures["planted"] == (0 if kind in NEED_NOISE else 3), kind
        assert sum(figures["reasons"].values()) >= figures["planted"]
    assert kinds["true"]["let_in"] == 3
    assert kinds["wrong_category"]["let_in"] == 0
    assert not any(text.startswith("wrong_category") for text in missed(found))
    assert table(found).row_count == len(MAKERS)
