"""Two parts of the reward while fine-tuning."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import look, panels
from motionrft.reporting.training_curves import smooth

PARTS = ("reward/preference", "reward/authenticity")


def reward_dimensions(records: Records) -> dict[str, Any]:
    """Preference and authenticity reward while fine-tuning, two axes, a figure a backbone (paper Fig. 11)."""
    frame = records.finetuning
    frame = frame[frame["name"].isin(PARTS)]
    figures = {}
    for backbone, parts in frame.groupby("backbone", sort=False):
        methods = [method for _, method in records.in_order(parts["method"])]
        figure, axes = panels(len(methods), width=4.4)
        for axis, method in zip(axes, methods, strict=True):
            model = parts[parts["method"].eq(method)]
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
        figures[str(backbone)] = figure
    return figures


FIGURE = FigureFile(
    question="reward",
    caption="Preference and authenticity reward while fine-tuning",
    source="11",
    order=110,
    needs=("finetuning",),
    draw=reward_dimensions,
)
