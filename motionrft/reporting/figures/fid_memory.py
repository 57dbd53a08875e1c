"""FID against peak memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.mean_scores import mean_scores
from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels


def fid_against_memory(records: Records) -> dict[str, Any]:
    """FID against peak memory, a point a method, a figure a backbone that has several (paper Fig. 1a)."""
    costs = records.costs[records.costs["name"].eq("peak_mb")]
    fid = mean_scores(records, "FID")
    memory = costs.groupby(["backbone", "method"])["value"].mean()
    both = memory.index.intersection(fid.index)
    figures = {}
    for backbone in records.run["backbones"]:
        methods = [name for name in records.run["methods"] if (backbone, name) in both]
        if len(methods) < 2:
            continue
        figure, [axis] = panels(1, width=5.6, height=3.6)
        if (backbone, "base") in fid.index:
            axis.axhline(fid.loc[(backbone, "base"), "mean"], color="0.5", lw=1, label="base")
        for index, method in records.in_order(methods):
            row = fid.loc[(backbone, method)]
            half = 0.0 if row["half"] is None or np.isnan(row["half"]) else row["half"]
            style = look(index) | {"linestyle": "none"}
            place = memory[(backbone, method)]
            axis.errorbar(place, row["mean"], yerr=half, label=method, capsize=2, **style)
        axis.margins(x=0.25)
        axis.set_xlim(left=0)
        axis.set(title=backbone, xlabel="peak memory of an update (MiB)", ylabel="FID ↓")
        legend(figure, [axis])
        figures[backbone] = figure
    return figures


FIGURE = FigureFile(
    question="cost",
    caption="FID against peak memory of fine-tuning",
    source="1a",
    order=10,
    needs=("evaluations", "costs"),
    draw=fid_against_memory,
)
