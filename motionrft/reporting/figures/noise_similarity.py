"""How like the clean motion a noised one is."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import by_backbone, look, panels

STATES = {"noised": "noised motion", "one_step": "one-step estimate"}
SIMILARITIES = {"cosine": "features", "embedding": "reward's embedding"}


def noise_similarity(records: Records) -> Any:
    """Likeness to the clean motion of the noised one and of the model's estimate (paper Fig. 5)."""
    parts = by_backbone(records.analysis("similarity"))
    figure, axes = panels(len(parts))
    for axis, (backbone, similarities) in zip(axes, parts, strict=True):
        curves = [(what, name) for what in STATES for name in SIMILARITIES]
        for index, (what, name) in enumerate(curves):
            picked = similarities[similarities["what"].eq(what) & similarities["name"].eq(name)]
            curve = picked.groupby("step")["value"].mean()
            label = f"{STATES[what]}, {SIMILARITIES[name]}"
            axis.plot(curve.index, curve, label=label, **look(index) | {"markersize": 3})
        axis.set(
            title=backbone,
            xlabel="denoising step (0: noise)",
            ylabel="similarity to the clean motion",
        )
        axis.legend()
    return figure


FIGURE = FigureFile(
    caption="How like the clean motion a noised one is, and the model's estimate from it, by step",
    source="5",
    order=40,
    needs=("analyse/similarity",),
    draw=noise_similarity,
)
