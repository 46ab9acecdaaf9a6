"""Tables on terminals that are too narrow for them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from patchlab_agent.report.tables import LONG_WORD, on_its_side, table_of, width_of

pytestmark = pytest.mark.quick

CONSOLE = Console(file=io.StringIO(), width=100)


def printed(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(on_its_side(table))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines()]


def example() -> Table:
    table = table_of("A title", "name", "n", "rate", caption="one\ntwo")
    table.add_row("all runs", "1,000", "41.2 %")
    table.add_row(Text("last [b]"), "200", "–")
    return table


def test_a_row_becomes_a_list_of_its_cells() -> None:
    assert printed(example(), 30) == [
        "A title",
        "all runs",
        "  n    1,000",
        "  rate 41.2 %",
        "last [b]",
        "  n    200",
        "  rate –",
        "one two",
    ]


def test_what_is_long_goes_on_below_itself() -> None:
    table = table_of("", "id", "teaches", texts=2)
    table.add_row("a", "item=battery, demand=hazmat")
    assert printed(table, 24) == ["a", "  teaches item=battery,", "          demand=hazmat"]


def test_cells_of_several_lines_stay_together() -> None:
    table = table_of("", "label", "n")
    table.add_row(Group(Text("item_unknown"), Text("  Ship …")), "3")
    assert printed(table, 30) == ["item_unknown", "  Ship …", "  n 3"]


def test_the_width_is_that_of_whole_figures_and_longest_words() -> None:
    table = table_of("", "name", "difference")
    table.add_row("one two three", "+35.3 [+32.3, +38.2]")
    # "three", a space, the figure, a space.
    assert width_of(table, CONSOLE) == 5 + 1 + 20 + 1


def test_a_very_long_word_does_not_decide() -> None:
    table = Table("a")
    table.add_row("x" * 500)
    assert width_of(table, CONSOLE) == LONG_WORD + 2 + 2
