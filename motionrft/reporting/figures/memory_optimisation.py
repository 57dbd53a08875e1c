"""Memory over a whole optimisation."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.memory_panels import memory_panels
from motionrft.reporting.records import Records


def memory_optimisation(records: Records) -> Any:
    """Bytes the graph holds at every event of a trajectory, scoring and backward passes included (paper Fig. 9)."""
    frame = records.analysis("memory")
    return memory_panels(records, frame, "event of the trajectory")


FIGURE = FigureFile(
    question="cost",
    caption="Memory held over a whole optimisation",
    source="9",
    order=60,
    needs=("analyse/memory",),
    draw=memory_optimisation,
)
