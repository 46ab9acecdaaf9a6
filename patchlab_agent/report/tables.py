"""The layout of the terminal's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text, TextType

from patchlab_agent.report import format as fmt

LONG_WORD = 24
"""In columns; a longer word is folded on any terminal."""
_ANY_WIDTH = 10_000


def table_of(title: str, *columns: str, texts: int = 1, caption: str | None = None) -> Table:
    """Make a table whose first `texts` columns hold text and shrink before any figures do."""
    table = Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for position, column in enumerate(columns):
        if position < texts:
            table.add_column(column)
        else:
            table.add_column(column, justify="right", no_wrap=True)
    return table


def described(texts: Mapping[str, str], name: str, description: str) -> Table:
    """Make a table of names and their descriptions, which are broken between words."""
    table = table_of("", name, description, texts=2)
    table.columns[0].no_wrap = True
    for each, text in texts.items():
        table.add_row(fmt.literal(each), fmt.literal(text))
    return table


def noted(table: Table, note: str) -> RenderableType:
    """Add a note as wide as the terminal below a table; a caption is only as wide as its table."""
    return Group(table, Text(note, style="dim italic"))


def line(text: str, style: str = "") -> Text:
    """Put a text on one line, cut off at the end of its column and never read as markup."""
    shown = fmt.literal(" ".join(text.split("\n")))
    shown.style, shown.no_wrap, shown.overflow = style, True, "ellipsis"
    return shown


def on_its_side(table: Table) -> RenderableType:
    """Lay out a table for a narrow terminal: row by row, each cell on a line of its own."""
    return Group(*_records(table))


def width_of(table: Table, console: Console) -> int:
    """Return the columns that a readable table needs: whole figures, only long words broken.

    Text that is cut off at the end of its column needs no more than its longest word.
    """
    options = console.options.update(width=_ANY_WIDTH)
    needed = 0
    for column in table.columns:
        cells = [column.header, *column.cells]
        sizes = [Measurement.get(console, options, cell) for cell in cells]
        words = min(LONG_WORD, max(size.minimum for size in sizes))
        needed += max(size.maximum for size in sizes) if column.no_wrap else words
        needed += table.padding[1] + table.padding[3]
    return needed + (len(table.columns) + 1 if table.show_edge else 0)


def _records(table: Table) -> Iterator[RenderableType]:
    if table.title:
        yield _annotation(table.title, str(table.title_style or ""))
    headers = [str(column.header) for column in table.columns]
    for first, *rest in zip(*(column.cells for column in table.columns), strict=True):
        yield first
        cells = Table.grid(padding=(0, 1, 0, 0))
        cells.add_column(style="dim", no_wrap=True)
        cells.add_column(overflow="fold")
        for header, cell in zip(headers[1:], rest, strict=True):
            cells.add_row(header, cell)
        yield Padding(cells, (0, 0, 0, 2))
    if table.caption:
        yield _annotation(table.caption, "dim italic")


def _annotation(text: TextType, style: str) -> Text:
    """Make a title or caption without the line breaks that were made for the table's width."""
    plain = text.plain if isinstance(text, Text) else text
    return Text(" ".join(plain.split()), style)
