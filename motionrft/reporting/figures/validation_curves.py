"""Independent scores while fine-tuning."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels

VALIDATED = {
    "val/R-Precision Top-1": "R@1 (validation) ↑",
    "val/FID": "FID (validation) ↓",
}


def validation_curves(records: Records) -> Any | None:
    """R-Precision Top-1 and FID on the validation split while fine-tuning."""
    frame = records.finetuning
    frame = frame[frame["name"].isin(list(VALIDATED))]
    if frame.empty:
        return None
    backbones = list(frame["backbone"].unique())
    figure, axes = panels(len(VALIDATED) * len(backbones), height=2.6, columns=4)
    for place, backbone in enumerate(backbones):
        validated = frame[frame["backbone"].eq(backbone)]
        for axis, (name, title) in zip(
            axes[len(VALIDATED) * place :], VALIDATED.items(), strict=False
        ):
            for index, method in records.in_order(validated["method"]):
                picked = validated[validated["method"].eq(method) & validated["name"].eq(name)]
                curves = picked.groupby("update")["value"].mean()
                axis.plot(curves.index, curves, label=method, **look(index))
            axis.set(title=backbone, xlabel="optimiser updates", ylabel=title)
    legend(figure, axes)
    return figure


FIGURE = FigureFile(
    caption="R-Precision and FID while fine-tuning, on the validation split",
    order=100,
    needs=("finetuning",),
    draw=validation_curves,
)
