"""Curves of the reward over a fine-tuning run."""

from __future__ import annotations

from typing import Any

import pandas as pd

from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels

RUN = ["backbone", "method", "seed"]


def smooth(series: pd.DataFrame) -> pd.DataFrame:
    """A running mean over a fifteenth of the run."""
    return series.rolling(max(len(series) // 15, 1), min_periods=1).mean()


def batch_reward(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the batches' reward by which methods compare: its semantic part, which all of them share,
    or the whole where some run records no part."""
    semantic = frame[frame["name"].eq("reward/semantic")]
    whole = frame[frame["name"].eq("reward")]
    everywhere = semantic.groupby(RUN).ngroups == whole.groupby(RUN).ngroups
    return semantic if everywhere else whole


def reward_panels(records: Records, frame: pd.DataFrame, x: str, label: str) -> Any | None:
    """A panel a backbone, a curve a method over the column `x`: mean and range over seeds; None of an empty frame."""
    if frame.empty:
        return None
    backbones = list(frame["backbone"].unique())
    part = "semantic reward" if frame["name"].iloc[0] == "reward/semantic" else "reward"
    figure, axes = panels(len(backbones))
    for axis, backbone in zip(axes, backbones, strict=True):
        rewards = frame[frame["backbone"].eq(backbone)]
        for index, method in records.in_order(rewards["method"]):
            curves = smooth(
                rewards[rewards["method"].eq(method)].pivot_table(
                    index=x, columns="seed", values="value"
                )
            )
            style = look(index) | {"marker": None}
            axis.plot(curves.index, curves.mean(axis=1), label=method, **style)
            if curves.shape[1] > 1:
                low, high = curves.min(axis=1), curves.max(axis=1)
                axis.fill_between(curves.index, low, high, color=style["color"], alpha=0.08, lw=0)
        axis.set(title=backbone, xlabel=label, ylabel=f"{part} of the batch")
    legend(figure, axes)
    return figure
