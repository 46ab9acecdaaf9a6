"""A comparison over two varied settings as rows and columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from patchlab_agent.models.comparison import ComparedRun, ComparisonReport


@dataclass(frozen=True)
class Axis:
    """A varied setting and its values, in the order given."""

    name: str
    values: tuple[str, ...]

    def titled(self, value: str) -> str:
        """Return a value with the name: `gate=on`."""
        return f"{self.name}={value}"


@dataclass(frozen=True)
class Grid:
    """The sides of a comparison by two varied settings.

    Attributes:
        rows: the first varied setting.
        columns: the second varied setting.
        sides: by the values of row and column; a combination that failed has none.
    """

    rows: Axis
    columns: Axis
    sides: Mapping[tuple[str, str], ComparedRun]

    def column(self, value: str) -> list[tuple[str, ComparedRun]]:
        """Return the sides of a column from the top, each with the value of its row."""
        return [
            (row, side)
            for row in self.rows.values
            if (side := self.sides.get((row, value))) is not None
        ]


def grid_of(report: ComparisonReport) -> Grid | None:
    """Lay out a comparison in which exactly two settings were varied; None for any other."""
    if len(report.axes) != 2:
        return None
    rows, columns = (Axis(name, values) for name, values in report.axes.items())
    sides = {(side.varied[rows.name], side.varied[columns.name]): side for side in report.sides}
    return Grid(rows, columns, sides)


def numbers(values: Sequence[str]) -> list[float] | None:
    """Read values as numbers; None unless all are finite numbers."""
    try:
        read = [float(value) for value in values]
    except ValueError:
        return None
    return read if all(map(math.isfinite, read)) else None
