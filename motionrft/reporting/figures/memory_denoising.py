"""Memory while denoising."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.memory_panels import memory_panels
from motionrft.reporting.records import Records


def memory_denoising(records: Records) -> Any:
    """Bytes the graph holds after each denoising step, scoring and backward passes left out (paper Fig. 6)."""
    frame = records.analysis("memory")
    return memory_panels(records, frame[frame["phase"].eq("denoise")], "denoising step")


FIGURE = FigureFile(
    question="cost",
    caption="Memory held while denoising, before any backward pass",
    source="6",
    order=50,
    needs=("analyse/memory",),
    draw=memory_denoising,
)
