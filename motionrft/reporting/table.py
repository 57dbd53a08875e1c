"""A table before it has a format: cells with intervals, gains, ranks, and the command that fills a gap."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from motionrft.reporting.columns import Column

if TYPE_CHECKING:
    from motionrft.reporting.records import Records


@dataclass(frozen=True)
class Cell:
    """mean ± half (95 %) over `count` units.

    gain, gain_low, gain_high: over the base row in percent, with its 95 % interval; p, verdict: of the comparison with base,
    both after Holm's correction if it is one that the run declares (`better`, `worse`, `unclear`; else no verdict);
    paper, paper_half: the published value and its interval; absent: why a finished row has no number here;
    applies: False where the column says nothing about the row (the cost of recorded motions).
    """

    mean: float | None = None
    half: float | None = None
    count: int = 0
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    p: float | None = None
    verdict: str = ""
    paper: float | None = None
    paper_half: float | None = None
    absent: str = ""
    applies: bool = True

    @property
    def filled(self) -> bool:
        return self.mean is not None

    @property
    def better(self) -> bool | None:
        """None where no declared comparison was made."""
        return self.verdict == "better" if self.verdict else None

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        return None if self.mean is None or self.paper is None else self.mean - self.paper

    @property
    def within(self) -> bool | None:
        """Whether ours lies within the joint interval; None without any interval to judge by."""
        if self.difference is None or (self.half is None and self.paper_half is None):
            return None
        return abs(self.difference) <= math.hypot(self.half or 0.0, self.paper_half or 0.0)


@dataclass
class Row:
    """labels: one a label column; reference rows (Real, base) are set apart; rival: whether the row takes part
    in the ranking, as the base model does, so that no method is marked best where none beats it; comparable:
    whether its published values were measured the same way, given that the run's are."""

    labels: tuple[str, ...]
    cells: dict[str, Cell]
    group: str = ""
    reference: bool = False
    command: str = ""
    comparable: bool = True
    rival: bool = True


@dataclass
class Table:
    """name, title: those of its file (`TableFile`); ranked: whether best and second of a group are marked; comparable, why: whether the run's numbers may
    be set against the paper's, in a sentence."""

    label_heads: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    ranked: bool = True
    comparable: bool = False
    why: str = ""
    name: str = ""
    title: str = ""

    def rank(self, row: Row, column: Column) -> int | None:
        """1 for the best of the row's group in this column, 2 for the second; None for the rest."""
        if not (self.ranked and row.rival) or column.direction == 0:
            return None
        value = row.cells[column.key].mean
        if value is None:
            return None
        means = sorted(
            {
                round(other.cells[column.key].mean or 0.0, column.digits)
                for other in self.rows
                if other.group == row.group and other.rival and other.cells[column.key].filled
            },
            reverse=column.direction > 0,
        )
        if len(means) < 2:
            return None
        place = means.index(round(value, column.digits)) + 1
        return place if place <= 2 else None

    def missing(self) -> list[Row]:
        """Rows with nothing to show yet."""
        return [
            row
            for row in self.rows
            if not any(cell.filled or cell.absent for cell in row.cells.values())
        ]

    def compares(self, row: Row) -> bool:
        return self.comparable and row.comparable

    @property
    def has_paper(self) -> bool:
        return any(cell.paper is not None for row in self.rows for cell in row.cells.values())


@dataclass(frozen=True)
class TableFile:
    """What `motionrft/reporting/tables/<name>.py` defines as `TABLE`.

    question: which of the page's questions (`questions.QUESTIONS`) it answers; source: where the papers print it, empty for
    the suite's own; order: its place on the page, smallest first; needs: the properties of `Records` that it reads beside the configuration; build: from the records to the table.
    """

    title: str
    build: Callable[[Records], Table]
    question: str = "method"
    source: str = ""
    order: int = 1000
    needs: tuple[str, ...] = ()
