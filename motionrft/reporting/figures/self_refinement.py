"""Retrieval before and after self-refinement."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import REPRESENTATIONS, retrieval_scores
from motionrft.reporting.style import HATCHES, look, panels


def self_refinement_bars(records: Records) -> Any | None:
    """R@1 both ways before and after self-refinement, by representation."""
    scores = {
        (name, model): retrieval_scores(records, model, name)
        for name in REPRESENTATIONS
        for model in ("semantic", "spl")
    }
    if not all(scores.values()):
        return None
    figure, axes = panels(2, width=3.6)
    ways = (("t2m R@1", "text → motion"), ("m2t R@1", "motion → text"))
    for axis, (key, title) in zip(axes, ways, strict=True):
        for index, (model, label) in enumerate((("semantic", "before"), ("spl", "after"))):
            values = [scores[name, model][key][0] for name in REPRESENTATIONS]
            bars = axis.bar(
                np.arange(len(REPRESENTATIONS)) + (index - 0.5) * 0.4, values, 0.38, label=label,
                color=look(index)["color"], hatch=HATCHES[index],
            )  # fmt: skip
            axis.bar_label(bars, fmt="%.1f", fontsize=7, padding=1)
        axis.set(
            title=title, ylabel="R@1 (%)",
            xticks=range(len(REPRESENTATIONS)), xticklabels=REPRESENTATIONS,
        )  # fmt: skip
        axis.margins(y=0.25)
        axis.grid(visible=False, axis="x")
        axis.legend(ncols=2, loc="upper center")
    return figure


FIGURE = FigureFile(
    question="reward",
    caption="Retrieval before and after self-refinement",
    order=130,
    needs=("reward",),
    draw=self_refinement_bars,
)
