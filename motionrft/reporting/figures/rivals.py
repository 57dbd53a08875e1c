"""Quality against what training costs, and against what each motion costs."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.mean_scores import mean_scores
from motionrft.reporting.records import Records
from motionrft.reporting.spent import compared, methods_of, motion_spent, training_spent
from motionrft.reporting.style import legend, look, panels

QUALITY = (("R-Precision Top-1", "R@1 ↑"), ("FID", "FID ↓"))


def rivals(records: Records) -> Any | None:
    """A row of panels a backbone: R@1 and FID, each against TFLOPs of training and GFLOPs of a motion."""
    training = training_spent(records, "flops").groupby(["backbone", "method"]).mean() / 1e12
    motion = motion_spent(records, "flops") / 1e9
    backbones = compared(records)
    if not backbones or motion.empty:
        return None
    figure, axes = panels(4 * len(backbones), width=3.2, columns=4)
    place = iter(axes)
    for backbone in backbones:
        for metric, title in QUALITY:
            scores = mean_scores(records, metric)
            for costs, label in ((training, "training (TFLOPs)"), (motion, "a motion (GFLOPs)")):
                axis = next(place)
                _panel(axis, records, backbone, scores, costs)
                axis.set(title=backbone, xlabel=label, ylabel=title)
                if costs is training:  # what trains nothing stands at zero
                    axis.set_xscale("symlog", linthresh=float(training.min()))
                else:
                    axis.set_xscale("log")
                    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                    axis.xaxis.set_major_formatter("{x:g}")
                    axis.xaxis.set_minor_formatter(NullFormatter())
    legend(figure, axes)
    return figure


def _panel(
    axis: Any, records: Records, backbone: str, scores: pd.DataFrame, costs: pd.Series
) -> None:
    """A point a method, its 95 % interval upright."""
    own = methods_of(records, backbone)
    order = [(index, name) for index, name in enumerate(records.run["methods"]) if name in own]
    for index, method in [(-1, "base"), *order]:
        if (backbone, method) not in scores.index:
            continue
        row, cost = scores.loc[(backbone, method)], float(costs.get((backbone, method), 0.0))
        half = 0.0 if row["half"] is None or math.isnan(row["half"]) else row["half"]
        style = look(index) | {"linestyle": "none"} if index >= 0 else {"color": "0.4", "marker": "_", "linestyle": "none"}  # fmt: skip
        axis.errorbar(cost, row["mean"], yerr=half, label=method, capsize=2, **style)
    axis.margins(x=0.2)


FIGURE = FigureFile(
    caption="Quality against the cost of training and of a motion",
    question="cost",
    order=95,
    needs=("evaluations", "finetuning", "analyse/sampling_cost"),
    draw=rivals,
)
