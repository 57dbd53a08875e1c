"""The columns of tables: how a number is shown, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """key: name in the records; title: column head; direction: +1 larger is better, -1 smaller, 0 closer to Real.

    scale: factor from the record's unit to the column's; paper: column of the published table, whose
    unit is `paper_scale` of this column's; meaning: what the number is, in a sentence.
    """

    key: str
    title: str
    direction: int
    digits: int = 3
    paper: str = ""
    scale: float = 1.0
    paper_scale: float = 1.0
    meaning: str = ""

    @property
    def arrow(self) -> str:
        return {1: "↑", -1: "↓", 0: "→"}[self.direction]

    @property
    def head(self) -> str:
        """The title, and which way is better."""
        return f"{self.title} {self.arrow}".rstrip()

    def gain(self, base: float, value: float, real: float | None = None) -> float | None:
        """Signed relative gain in percent as the paper prints it; for Diversity, the change of |value - Real|."""
        if self.direction == 0:
            return None if real is None else abs(value - real) - abs(base - real)
        return 100.0 * self.direction * (value - base) / abs(base) if base else None


@dataclass(frozen=True)
class Fact(Column):
    """A number of which no value is better (`direction` 0), such as a count of cases."""

    @property
    def arrow(self) -> str:
        return ""


RETRIEVED = (
    "Share of motions whose own sentence is {} in its group, of 32 unless evaluate.group is another"
)
GENERATION = (
    Column("R-Precision Top-1", "R@1", 1, 3, "R1", meaning=RETRIEVED.format("the nearest")),
    Column(
        "R-Precision Top-2", "R@2", 1, 3, "R2", meaning=RETRIEVED.format("among the two nearest")
    ),
    Column(
        "R-Precision Top-3", "R@3", 1, 3, "R3", meaning=RETRIEVED.format("among the three nearest")
    ),
    Column(
        "FID",
        "FID",
        -1,
        3,
        "FID",
        meaning="Fréchet distance of generated and recorded motions' features; 0: alike",
    ),
    Column(
        "MM-Dist",
        "MM-Dist",
        -1,
        3,
        "MMDist",
        meaning="Mean distance of a motion's features from its sentence's",
    ),
    Column(
        "Diversity",
        "Diversity",
        0,
        3,
        "Diversity",
        meaning="Mean distance of the features of two motions drawn at random; best near that of recorded ones",
    ),
)
# the paper's GB as MiB
GIB = 1024.0
COST = (
    Column(
        "peak_mb",
        "Peak (MiB)",
        -1,
        1,
        "Memory_GB",
        paper_scale=GIB,
        meaning="Most that an update holds at once",
    ),
    Column(
        "extra_mb",
        "Extra (MiB)",
        -1,
        1,
        "Memory_extra_GB",
        paper_scale=GIB,
        meaning="That beyond plain sampling",
    ),
    Column("s_per_update", "s / update", -1, 3, meaning="Median seconds of an update"),
)
TOP = (1, 2, 3, 5, 10)
RETRIEVAL = (
    *(Column(f"t2m R@{k}", f"T→M R@{k}", 1, 2, f"T2M_R{k}") for k in TOP),
    *(Column(f"m2t R@{k}", f"M→T R@{k}", 1, 2, f"M2T_R{k}") for k in TOP),
    Column("average", "Avg", 1, 2, "Avg"),
)
PREFERENCE = (
    Column("accuracy", "Accuracy (%)", 1, 2, "Acc", 100.0),
    Column("precision", "Precision (%)", 1, 2, "Precision", 100.0),
    Column("recall", "Recall (%)", 1, 2, "Recall", 100.0),
    Column("f1", "F1 (%)", 1, 2, "F1", 100.0),
)
AUTHENTICITY = (
    *PREFERENCE,
    Column("specificity", "Recorded kept (%)", 1, 2, "", 100.0),
    Column("balanced_accuracy", "Balanced acc. (%)", 1, 2, "", 100.0),
    Column("auroc", "AUROC", 1, 3),
)
# the terms of the reward that the paper has, as config/reward orders their weights
VALUES = (
    Column("semantic", "cos(text, motion)", 1, 3),
    Column("m2m", "cos(reference, motion)", 1, 3),
    Column("preference", "preference", 1, 2),
    Column("authenticity", "P(recorded)", 1, 3),
)


def value_columns(terms: Iterable[str] = ()) -> tuple[Column, ...]:
    """A column for each term of the reward: the paper's, then others among `terms` by their names."""
    known = {column.key for column in VALUES} | {"total"}
    others = sorted(set(terms) - known)
    return (*VALUES, *(Column(name, name, 1, 3) for name in others))


def reward_dimensions(terms: Iterable[str] = ()) -> tuple[str, ...]:
    """The terms of the reward as `value_columns` orders them, then their weighted sum."""
    return (*(column.key for column in value_columns(terms)), "total")
