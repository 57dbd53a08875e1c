"""What a metric's column looks like, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """key: name in the records; title: column head; direction: +1 larger is better, -1 smaller, 0 closer to Real."""

    key: str
    title: str
    direction: int
    digits: int = 3
    paper: str = ""  # column of the published table

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
COST = (
    Metric("peak_mb", "Peak memory (MB)", -1, 1),
    Metric("extra_mb", "Extra memory (MB)", -1, 1),
    Metric("s_per_update", "s / update", -1, 3),
)
