"""Two parts of the reward while fine-tuning."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import look, panels
from motionrft.reporting.training_curves import smooth

PARTS = ("reward/preference", "reward/authenticity")


def reward_dimensions(records: Records) -> Any | None:
    """Preference and authenticity reward while fine-tuning, two axes (paper Fig. 11)."""
    frame = records.finetuning
    frame = frame[frame["name"].isin(PARTS)]
    if frame.empty:
        return None
    runs = [key for key, _ in frame.groupby(["backbone", "method"], sort=False)]
    figure, axes = panels(len(runs), width=4.4)
    for axis, (backbone, method) in zip(axes, runs, strict=True):
        model = frame[frame["backbone"].eq(backbone) & frame["method"].eq(method)]
        twin = axis.twinx()
        for target, name, index in zip((axis, twin), PARTS, range(2), strict=True):
            term = model[model["name"].eq(name)]
            curves = smooth(term.groupby("update")[["value"]].mean())
            style = look(index) | {"marker": None}
            target.plot(curves.index, curves["value"], **style)
            target.set_ylabel(f"{name.removeprefix('reward/')} reward", color=style["color"])
            target.tick_params(axis="y", labelcolor=style["color"])
        twin.spines["right"].set_visible(True)
        twin.grid(visible=False)
        axis.set(title=f"{backbone}, {method}", xlabel="optimiser updates")
    return figure


FIGURE = FigureFile(
    caption="Preference and authenticity reward while fine-tuning",
    source="11",
    order=110,
    needs=("finetuning",),
    draw=reward_dimensions,
)
