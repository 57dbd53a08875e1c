"""Reward against seconds."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, panels
from motionrft.reporting.training_curves import by_seconds, draw_by_seconds

VALIDATED = "val/reward"


def reward_time(records: Records) -> dict[str, Any]:
    """The reward on the prompts of the validation split, the same for all methods, against seconds of training: means
    over seeds with their range, a figure a backbone with more than one method."""
    figures = {}
    rewards = by_seconds(records.finetuning, VALIDATED)
    for backbone, part in rewards.groupby("backbone", sort=False):
        if part["method"].nunique() < 2:
            continue
        figure, [axis] = panels(1, width=5.6, height=3.6)
        for index, method in records.in_order(part["method"]):
            draw_by_seconds(axis, part[part["method"].eq(method)], index, method)
        axis.set(
            title=backbone, xlabel="seconds of training", ylabel="reward on validation prompts"
        )
        legend(figure, [axis])
        figures[str(backbone)] = figure
    return figures


FIGURE = FigureFile(
    caption="Reward on validation prompts against seconds of training",
    question="cost",
    opening=True,
    source="10",
    order=5,
    needs=("finetuning",),
    draw=reward_time,
)
