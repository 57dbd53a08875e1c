"""Reward against seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.training_curves import RUN, batch_reward, reward_panels

GRID = 120


def reward_time(records: Records) -> Any | None:
    """The same against seconds of training, on a common grid."""
    frame = records.finetuning
    key = [*RUN, "update"]
    reward = batch_reward(frame).set_index(key)[["name", "value"]]
    seconds = frame[frame["name"].eq("seconds")].set_index(key)["value"]
    joined = reward.join(seconds.rename("seconds"), how="inner").reset_index()
    rows = []
    for (backbone, method), part in joined.groupby(["backbone", "method"], sort=False):
        grid = np.linspace(0, part.groupby("seed")["seconds"].max().min(), GRID)
        for seed, run in part.groupby("seed"):
            # no value before the first update ended
            values = np.interp(grid, run["seconds"], run["value"], left=np.nan)
            rows.append(
                pd.DataFrame({"seconds": grid, "value": values}).assign(
                    backbone=backbone, method=method, seed=seed, name=run["name"].iloc[0]
                )
            )
    return (
        reward_panels(records, pd.concat(rows), "seconds", "seconds of training") if rows else None
    )


FIGURE = FigureFile(
    caption="Reward against seconds of training",
    source="10",
    order=90,
    needs=("finetuning",),
    draw=reward_time,
)
