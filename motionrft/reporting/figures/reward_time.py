"""Reward against seconds."""

from __future__ import annotations

from typing import Any

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels
from motionrft.reporting.training_curves import RUN, over_seeds

VALIDATED = "val/reward"
SECONDS = "seconds"


def reward_time(records: Records) -> dict[str, Any]:
    """The reward on the prompts of the validation split, the same for all methods, against seconds of training: means
    over seeds with their range, a figure a backbone with more than one method."""
    frame = records.finetuning
    key = [*RUN, "update"]
    reward = frame[frame["name"].eq(VALIDATED)].set_index(key)["value"]
    seconds = frame[frame["name"].eq(SECONDS)].set_index(key)["value"]
    joined = reward.rename("reward").to_frame().join(seconds.rename("seconds"), how="inner")
    figures = {}
    for backbone, part in joined.reset_index().groupby("backbone", sort=False):
        if part["method"].nunique() < 2:
            continue
        figure, [axis] = panels(1, width=5.6, height=3.6)
        for index, method in records.in_order(part["method"]):
            by_update = part[part["method"].eq(method)].groupby("update")
            mean, reach = over_seeds(by_update["reward"])
            when = by_update["seconds"].mean()
            axis.errorbar(when, mean, yerr=reach, label=method, capsize=2, **look(index))
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
