"""Norms of Jacobians by denoising step."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import by_backbone, look, panels

NORMS = {"jacobian": "one step's Jacobian / √d", "product_reward": "product of the Jacobians"}


def gradient_norm(records: Records) -> Any:
    """Norm of one step's Jacobian against the product of those after it (paper Fig. 4), with the sampler's guidance:
    medians and quartiles over samples."""
    frame = records.analysis("gradients")
    parts = by_backbone(frame)
    figure, axes = panels(len(parts))
    for axis, (backbone, norms) in zip(axes, parts, strict=True):
        norms = norms[norms["guidance"].eq(norms["guidance"].max())]
        for index, (name, label) in enumerate(NORMS.items()):
            by_step = norms[norms["name"].eq(name)].groupby("step")["value"]
            style = look(index) | {"markersize": 3}
            median = by_step.median()
            axis.plot(median.index, median, label=label, **style)
            low, high = by_step.quantile(0.25), by_step.quantile(0.75)
            axis.fill_between(median.index, low, high, color=style["color"], alpha=0.15, lw=0)
        axis.set_yscale("log")
        axis.set(title=backbone, xlabel="denoising step (0: noise)", ylabel="norm")
        axis.legend()
    return figure


FIGURE = FigureFile(
    caption="Norm of the gradient by denoising step: one step's Jacobian, and the product that a whole chain multiplies up",
    source="4",
    order=30,
    needs=("analyse/gradients",),
    draw=gradient_norm,
)
