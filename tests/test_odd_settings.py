"""Whatever settings say, they are used, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patchlab_agent.config import (
    PREFIX,
    check_variables,
    find_table,
    unknown_variables,
    variable,
)
from patchlab_agent.errors import UsageError
from patchlab_agent.lab.naming import known_settings
from patchlab_agent.settings import PATHS, RunSettings, checked
from patchlab_agent.studies.variation import NAMES, variations
from tests.support.odd import JSON, LONG, MANY, NUMBERS, TEXT, refused

pytestmark = pytest.mark.quick

SETTINGS = sorted(RunSettings.model_fields)
KEYS = st.sampled_from([name.replace("_", "-") for name in SETTINGS])
VALUES = st.one_of(
    st.sampled_from(
        [
            *("3", "-1", "true", '"on"', '"~nobody/x"', '"a\\u0000b"', "nan", "inf", "2026-11-26"),
            *("[1, [2]]", '{"a" = 1}', '""', LONG, "0x" + "f" * 5000, "[" * 3000 + "]" * 3000),
            "{a=" * 2000 + "1" + "}" * 2000,
        ]
    ),
    NUMBERS.map(str),
    st.text(max_size=9),
)


@MANY
@given(st.lists(st.tuples(KEYS | TEXT, VALUES), max_size=3))
@example([("seed", LONG)])
@example([("seed", "0x" + "f" * 5000)])
@example([("seed", "[" * 3000)])
@example([("store", '"a\\u0000b"')])
def test_any_table(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    text = "\n".join(["[tool.patchlab]", *(f"{key} = {value}" for key, value in rows)])
    (tmp_path / "pyproject.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with refused():
        checked(RunSettings, dict(find_table(tmp_path).values))


@MANY
@given(st.binary(max_size=60))
def test_any_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.patchlab]\n" + content)
    with refused():
        find_table(tmp_path)


@MANY
@given(
    st.dictionaries(
        st.sampled_from(list(map(variable, SETTINGS))) | TEXT.map(lambda end: PREFIX + end),
        TEXT | NUMBERS.map(str) | st.sampled_from([LONG, "on", "1e999", "true", "a\udcffb"]),
    )
)
def test_any_variables(found: dict[str, str]) -> None:
    for told in unknown_variables(found):
        assert told.isprintable()
    with refused():
        check_variables(found)
        given_ = {n: v for n in SETTINGS if (v := found.get(variable(n)))}
        checked(RunSettings, given_)


@MANY
@given(st.dictionaries(st.sampled_from(SETTINGS) | TEXT, JSON, max_size=4))
def test_any_arguments(found: dict[str, Any]) -> None:
    with refused():
        checked(RunSettings, known_settings(found))


@MANY
@given(
    st.lists(
        TEXT
        | st.builds(
            lambda name, values: f"{name}={','.join(values)}",
            st.sampled_from(NAMES) | TEXT,
            st.lists(TEXT | NUMBERS.map(str) | st.sampled_from(["on", "off", "1", LONG])),
        ),
        max_size=3,
    )
)
def test_any_variation(found: list[str]) -> None:
    with refused():
        assert all(each.label.isprintable() for each in variations(RunSettings(), found))


@pytest.mark.parametrize("name", sorted(PATHS))
@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_a_path_that_no_file_system_takes_is_refused(name: str, path: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name}=.* a path holds no null character"):
        checked(RunSettings, {name: path})
