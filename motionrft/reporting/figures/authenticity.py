"""Recorded or generated, by representation."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import REPRESENTATIONS
from motionrft.reporting.style import HATCHES, look, panels

SCORES = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1"}


def authenticity_bars(records: Records) -> Any | None:
    """Accuracy, precision, recall and F1 by representation (paper Fig. 8), on seen and on held-out generators."""
    frame = records.reward
    frame = frame[frame["table"].eq("authenticity") & frame["model"].eq("MotionReward")]
    settings = [name for name in ("test", "held_out") if frame["setting"].eq(name).any()]
    if not settings:
        return None
    figure, axes = panels(len(settings), width=4.6)
    titles = {"test": "generators seen in training", "held_out": "held-out generators"}
    for axis, setting in zip(axes, settings, strict=True):
        for index, name in enumerate(REPRESENTATIONS):
            part = frame[frame["setting"].eq(setting) & frame["representation"].eq(name)]
            values = part.set_index("metric")["value"].reindex(list(SCORES)) * 100
            places = np.arange(len(SCORES)) + (index - 1) * 0.27
            bars = axis.bar(
                places, values, 0.25, label=name, color=look(index)["color"], hatch=HATCHES[index]
            )
            axis.bar_label(bars, fmt="%.0f", fontsize=7, padding=1)
        axis.axhline(50, color="0.4", lw=0.8, ls="--")
        axis.set(
            title=titles[setting], ylabel="%", ylim=(0, 118),
            xticks=range(len(SCORES)), xticklabels=list(SCORES.values()),
        )  # fmt: skip
        axis.grid(visible=False, axis="x")
        axis.legend(ncols=3, loc="upper center", fontsize=7)
    return figure


FIGURE = FigureFile(
    question="reward",
    caption="Recorded or generated: scores by representation",
    source="8",
    order=70,
    needs=("reward",),
    draw=authenticity_bars,
)
