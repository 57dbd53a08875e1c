"""Independent scores while fine-tuning."""

from __future__ import annotations

from typing import Any

import pandas as pd

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, panels
from motionrft.reporting.training_curves import by_seconds, draw_by_seconds

VALIDATED = {
    "val/R-Precision Top-1": "R@1 (validation) ↑",
    "val/FID": "FID (validation) ↓",
}


def validation_curves(records: Records) -> dict[str, Any]:
    """R-Precision Top-1 and FID on the validation split against seconds of training, which an update of one method takes
    more of than one of another: means over seeds with their range, a figure a backbone."""
    scores = {title: by_seconds(records.finetuning, name) for name, title in VALIDATED.items()}
    figures = {}
    for backbone in pd.concat(scores.values())["backbone"].unique():
        figure, axes = panels(len(VALIDATED), height=3.4)
        for axis, (title, score) in zip(axes, scores.items(), strict=True):
            validated = score[score["backbone"].eq(backbone)]
            for index, method in records.in_order(validated["method"]):
                curve = validated[validated["method"].eq(method)]
                draw_by_seconds(axis, curve, index, method)
            axis.set(title=backbone, xlabel="seconds of training", ylabel=title)
        legend(figure, axes)
        figures[str(backbone)] = figure
    return figures


FIGURE = FigureFile(
    caption="R-Precision and FID while fine-tuning, on the validation split",
    order=100,
    needs=("finetuning",),
    draw=validation_curves,
)
