"""Predicted against observed."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import look, panels


def calibration(records: Records) -> Any:
    """Observed frequency against predicted probability, a panel a task; the diagonal is calibrated."""
    frame = records.calibration
    tables = list(dict.fromkeys(frame["table"]))
    figure, axes = panels(len(tables), width=3.4, height=3.2)
    for axis, name in zip(axes, tables, strict=True):
        axis.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--")
        for index, model in enumerate(("MotionReward", "random")):
            part = frame[frame["table"].eq(name) & frame["model"].eq(model)]
            label = "untrained reward" if model == "random" else model
            axis.plot(part["predicted"], part["observed"], label=label, **look(index))
        axis.set(
            title=name.replace("held_out", "held out"), xlim=(0, 1), ylim=(-0.02, 1.02),
            xlabel="predicted probability", ylabel="observed frequency",
        )  # fmt: skip
        axis.legend()
    return figure


FIGURE = FigureFile(
    question="reward",
    caption="Calibration of the preference and authenticity scores",
    order=140,
    needs=("calibration",),
    draw=calibration,
)
