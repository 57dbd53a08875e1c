"""Independent scores while fine-tuning."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels
from motionrft.reporting.training_curves import over_seeds

VALIDATED = {
    "val/R-Precision Top-1": "R@1 (validation) ↑",
    "val/FID": "FID (validation) ↓",
}


def validation_curves(records: Records) -> dict[str, Any]:
    """R-Precision Top-1 and FID on the validation split while fine-tuning: means over seeds with their range, a figure
    a backbone."""
    frame = records.finetuning
    figures = {}
    for backbone, validated in frame[frame["name"].isin(list(VALIDATED))].groupby(
        "backbone", sort=False
    ):
        figure, axes = panels(len(VALIDATED), height=3.4)
        for axis, (name, title) in zip(axes, VALIDATED.items(), strict=True):
            for index, method in records.in_order(validated["method"]):
                picked = validated[validated["method"].eq(method) & validated["name"].eq(name)]
                mean, reach = over_seeds(picked.groupby("update")["value"])
                axis.errorbar(mean.index, mean, yerr=reach, label=method, capsize=2, **look(index))
            axis.set(title=backbone, xlabel="optimiser updates", ylabel=title)
        legend(figure, axes)
        figures[str(backbone)] = figure
    return figures


FIGURE = FigureFile(
    caption="R-Precision and FID while fine-tuning, on the validation split",
    order=100,
    needs=("finetuning",),
    draw=validation_curves,
)
