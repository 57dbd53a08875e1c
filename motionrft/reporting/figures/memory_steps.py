"""Memory against the denoising steps of an update."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import look, panels

STEPS, MEMORY = "per_update.backwards_mean", "peak_mb"


def memory_steps(records: Records) -> dict[str, Any]:
    """Peak memory of an update against the denoising steps its gradient passes, a point a method, a figure a backbone with
    more than one (the papers' O(1) against O(T))."""
    frame = records.costs[records.costs["name"].isin([STEPS, MEMORY])]
    means = frame.pivot_table(index=["backbone", "method"], columns="name", values="value")
    figures: dict[str, Any] = {}
    if not {STEPS, MEMORY} <= set(means):
        return figures
    for backbone, part in means.dropna().groupby("backbone", sort=False):
        if len(part) < 2:
            continue
        figure, [axis] = panels(1, width=5.6, height=3.6)
        points = part.droplevel("backbone")
        for index, method in records.in_order(points.index):
            style = look(index) | {"linestyle": "none"}
            axis.plot(*points.loc[method, [STEPS, MEMORY]], label=method, **style)
        axis.set(
            title=backbone,
            xlabel="denoising steps that an update differentiates through",
            ylabel="peak memory of an update (MiB)",
            xlim=(0, None),
            ylim=(0, None),
        )
        axis.legend(ncols=2)
        figures[str(backbone)] = figure
    return figures


FIGURE = FigureFile(
    caption="Memory of an update against the denoising steps that it differentiates through",
    question="cost",
    opening=True,
    order=6,
    needs=("costs",),
    draw=memory_steps,
)
