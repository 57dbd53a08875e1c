"""Costs as numbers: straight lines in the rows of a batch, work, and what a card makes of it. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A number of something (bytes, operations) of a batch of any number of rows."""

    fixed: float
    row: float

    @classmethod
    def through(
        cls, few: int, at_few: float, many: int, at_many: float, least: float = 0.0
    ) -> Line:
        """The line through two batches. least: a row's share at the least; the line then lies above both points."""
        if few == many:
            return cls(0.0, max(at_few / few, least))
        row = max(least, (at_many - at_few) / (many - few))
        return cls(max(0.0, at_few - few * row, at_many - many * row), row)

    def __call__(self, rows: float) -> float:
        return self.fixed + rows * self.row


@dataclass(frozen=True)
class Work:
    """What a piece of work asks of a card.

    flops    of matrix products, convolutions and attention
    traffic  bytes that all other kernels read and write
    kernels  how many are started
    """

    flops: float = 0.0
    traffic: float = 0.0
    kernels: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.flops + other.flops, self.traffic + other.traffic, self.kernels + other.kernels
        )

    def __mul__(self, times: float) -> Work:
        return Work(self.flops * times, self.traffic * times, self.kernels * times)


@dataclass(frozen=True)
class WorkLine:
    """Work of a batch of any number of rows; kernels do not depend on it."""

    flops: Line
    traffic: Line
    kernels: float

    @classmethod
    def through(cls, few: int, at_few: Work, many: int, at_many: Work) -> WorkLine:
        return cls(
            Line.through(few, at_few.flops, many, at_many.flops),
            Line.through(few, at_few.traffic, many, at_many.traffic),
            max(at_few.kernels, at_many.kernels),
        )

    def __call__(self, rows: float) -> Work:
        return Work(self.flops(rows), self.traffic(rows), self.kernels)

    @classmethod
    def read(cls, entry: Sequence[float]) -> WorkLine:
        """From `written`."""
        flops, flops_row, traffic, traffic_row, kernels = entry
        return cls(Line(flops, flops_row), Line(traffic, traffic_row), kernels)

    def written(self) -> list[float]:
        """[flops, flops a row, traffic, traffic a row, kernels]"""
        lines = (self.flops, self.traffic)
        return [number for line in lines for number in (line.fixed, line.row)] + [self.kernels]
