"""A table before it has a format: cells with intervals, gains, ranks, and the command that fills a gap."""

from __future__ import annotations

from dataclasses import dataclass, field

from motionrft.reporting.metrics import Metric


@dataclass(frozen=True)
class Cell:
    """mean ± half (95 %) over `count` units; gain over the base row in percent; `better` = significantly
    better than base after Holm's correction (None where nothing was compared); paper: the published value."""

    mean: float | None = None
    half: float | None = None
    count: int = 0
    gain: float | None = None
    better: bool | None = None
    p: float | None = None
    paper: float | None = None

    @property
    def filled(self) -> bool:
        return self.mean is not None


@dataclass
class Row:
    """labels: one a label column; reference rows (Real, base) take no part in the ranking."""

    labels: tuple[str, ...]
    cells: dict[str, Cell]
    group: str = ""
    reference: bool = False
    command: str = ""


@dataclass
class Table:
    name: str
    title: str
    label_heads: tuple[str, ...]
    metrics: tuple[Metric, ...]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)

    def rank(self, row: Row, metric: Metric) -> int | None:
        """1 for the best of the row's group in this column, 2 for the second; None for the rest."""
        if row.reference or metric.direction == 0 or not row.cells[metric.key].filled:
            return None
        means = sorted(
            {
                round(other.cells[metric.key].mean or 0.0, metric.digits)
                for other in self.rows
                if other.group == row.group
                and not other.reference
                and other.cells[metric.key].filled
            },
            reverse=metric.direction > 0,
        )
        if len(means) < 2:
            return None
        place = means.index(round(row.cells[metric.key].mean or 0.0, metric.digits)) + 1
        return place if place <= 2 else None

    def missing(self) -> list[Row]:
        """Rows with nothing to show yet."""
        return [row for row in self.rows if not any(cell.filled for cell in row.cells.values())]
