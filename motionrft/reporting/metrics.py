"""What a metric's column looks like, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """key: name in the records; title: column head; direction: +1 larger is better, -1 smaller, 0 closer to Real.

    scale: factor from the record's unit to the column's; paper: column of the published table, whose
    unit is `paper_scale` of this column's.
    """

    key: str
    title: str
    direction: int
    digits: int = 3
    paper: str = ""
    scale: float = 1.0
    paper_scale: float = 1.0

    @property
    def arrow(self) -> str:
        return {1: "↑", -1: "↓", 0: "→"}[self.direction]

    def gain(self, base: float, value: float, real: float | None = None) -> float | None:
        """Signed relative gain in percent as the paper prints it; for Diversity, the change of |value - Real|."""
        if self.direction == 0:
            return None if real is None else abs(value - real) - abs(base - real)
        return 100.0 * self.direction * (value - base) / abs(base) if base else None


GENERATION = (
    Metric("R-Precision Top-1", "R@1", 1, 3, "R1"),
    Metric("R-Precision Top-2", "R@2", 1, 3, "R2"),
    Metric("R-Precision Top-3", "R@3", 1, 3, "R3"),
    Metric("FID", "FID", -1, 3, "FID"),
    Metric("MM-Dist", "MM-Dist", -1, 3, "MMDist"),
    Metric("Diversity", "Diversity", 0, 3, "Diversity"),
)
# the paper's GB as MiB
GIB = 1024.0
COST = (
    Metric("peak_mb", "Peak (MiB)", -1, 1, "Memory_GB", paper_scale=GIB),
    Metric("extra_mb", "Extra (MiB)", -1, 1, "Memory_extra_GB", paper_scale=GIB),
    Metric("s_per_update", "s / update", -1, 3),
)
TOP = (1, 2, 3, 5, 10)
RETRIEVAL = (
    *(Metric(f"t2m R@{k}", f"T→M R@{k}", 1, 2, f"T2M_R{k}") for k in TOP),
    *(Metric(f"m2t R@{k}", f"M→T R@{k}", 1, 2, f"M2T_R{k}") for k in TOP),
    Metric("average", "Avg", 1, 2, "Avg"),
)
PREFERENCE = (
    Metric("accuracy", "Accuracy (%)", 1, 2, "Acc", 100.0),
    Metric("precision", "Precision (%)", 1, 2, "Precision", 100.0),
    Metric("recall", "Recall (%)", 1, 2, "Recall", 100.0),
    Metric("f1", "F1 (%)", 1, 2, "F1", 100.0),
)
AUTHENTICITY = (
    *PREFERENCE,
    Metric("specificity", "Recorded kept (%)", 1, 2, "", 100.0),
    Metric("balanced_accuracy", "Balanced acc. (%)", 1, 2, "", 100.0),
    Metric("auroc", "AUROC", 1, 3),
)
# the reward's dimensions, as config/reward orders their weights
VALUES = (
    Metric("semantic", "cos(text, motion)", 1, 3),
    Metric("m2m", "cos(reference, motion)", 1, 3),
    Metric("preference", "preference", 1, 2),
    Metric("authenticity", "P(recorded)", 1, 3),
)
