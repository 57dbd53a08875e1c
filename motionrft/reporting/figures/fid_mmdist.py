"""FID against MM-Dist."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.mean_scores import mean_scores
from motionrft.reporting.motions import method_beside_base
from motionrft.reporting.records import Records
from motionrft.reporting.style import look, pyplot


def fid_against_mm_dist(records: Records) -> Any | None:
    """FID against MM-Dist with an arrow from each base model to its fine-tuned one (paper Fig. 1b)."""
    fid, distance = mean_scores(records, "FID"), mean_scores(records, "MM-Dist")
    pairs = []
    for backbone in records.run["backbones"]:
        models = [model for name, model in fid.index if name == backbone]
        method = method_beside_base(records, models)
        if "base" in models and method:
            pairs.append((backbone, method))
    if not pairs:
        return None
    figure, axis = pyplot().subplots(figsize=(5.2, 4.0), layout="constrained")
    for index, (backbone, method) in enumerate(pairs):
        start, end = (
            np.array([table.loc[(backbone, name), "mean"] for table in (distance, fid)])
            for name in ("base", method)
        )
        style = look(index) | {"linestyle": "none"}
        axis.plot(*start, fillstyle="none", **style)
        axis.plot(*end, label=f"{backbone}, {method}", **style)
        arrow = {"arrowstyle": "->", "color": style["color"], "lw": 1.2, "shrinkA": 4, "shrinkB": 4}
        axis.annotate("", end, start, arrowprops=arrow)
    axis.margins(0.15)
    axis.set(xlabel="MM-Dist ↓", ylabel="FID ↓", title="base (hollow) → fine-tuned (filled)")
    axis.legend()
    return figure


FIGURE = FigureFile(
    question="backbone",
    caption="FID against MM-Dist, before and after fine-tuning",
    source="1b",
    order=20,
    needs=("evaluations",),
    draw=fid_against_mm_dist,
)
