"""Curves over a fine-tuning run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels

GRID = 120
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


def reward_curves(records: Records) -> Any | None:
    """Reward of the training batches against optimiser updates: mean and range over seeds (paper Fig. 10)."""
    frame = batch_reward(records.finetuning)
    return _curves(records, frame, "update", "optimiser updates")


def reward_time(records: Records) -> Any | None:
    """The same against seconds of training, on a common grid."""
    frame = records.finetuning
    key = [*RUN, "update"]
    reward = batch_reward(frame).set_index(key)[["name", "value"]]
    seconds = frame[frame["name"].eq("wall_s")].set_index(key)["value"]
    joined = reward.join(seconds.rename("seconds"), how="inner").reset_index()
    rows = []
    for (backbone, method), part in joined.groupby(["backbone", "method"], sort=False):
        grid = np.linspace(0, part.groupby("seed")["seconds"].max().min(), GRID)
        for seed, own in part.groupby("seed"):
            # no value before the first update ended
            values = np.interp(grid, own["seconds"], own["value"], left=np.nan)
            rows.append(
                pd.DataFrame({"seconds": grid, "value": values}).assign(
                    backbone=backbone, method=method, seed=seed, name=own["name"].iloc[0]
                )
            )
    return _curves(records, pd.concat(rows), "seconds", "seconds of training") if rows else None


def _curves(records: Records, frame: pd.DataFrame, x: str, label: str) -> Any | None:
    if frame.empty:
        return None
    backbones = list(frame["backbone"].unique())
    part = "semantic reward" if frame["name"].iloc[0] == "reward/semantic" else "reward"
    figure, axes = panels(len(backbones))
    for axis, backbone in zip(axes, backbones, strict=True):
        own = frame[frame["backbone"].eq(backbone)]
        for index, method in records.in_order(own["method"]):
            curves = smooth(
                own[own["method"].eq(method)].pivot_table(index=x, columns="seed", values="value")
            )
            style = look(index) | {"marker": None}
            axis.plot(curves.index, curves.mean(axis=1), label=method, **style)
            if curves.shape[1] > 1:
                low, high = curves.min(axis=1), curves.max(axis=1)
                axis.fill_between(curves.index, low, high, color=style["color"], alpha=0.08, lw=0)
        axis.set(title=backbone, xlabel=label, ylabel=f"{part} of the batch")
    legend(figure, axes)
    return figure


VALIDATED = {
    "val/R-Precision Top-1": "R@1 (validation) ↑",
    "val/FID": "FID (validation) ↓",
}


def validation_curves(records: Records) -> Any | None:
    """R-Precision Top-1 and FID on the validation split while fine-tuning."""
    frame = records.finetuning
    frame = frame[frame["name"].isin(list(VALIDATED))]
    if frame.empty:
        return None
    backbones = list(frame["backbone"].unique())
    figure, axes = panels(len(VALIDATED) * len(backbones), height=2.6, columns=4)
    for place, backbone in enumerate(backbones):
        own = frame[frame["backbone"].eq(backbone)]
        for axis, (name, title) in zip(
            axes[len(VALIDATED) * place :], VALIDATED.items(), strict=False
        ):
            for index, method in records.in_order(own["method"]):
                picked = own[own["method"].eq(method) & own["name"].eq(name)]
                curves = picked.groupby("update")["value"].mean()
                axis.plot(curves.index, curves, label=method, **look(index))
            axis.set(title=backbone, xlabel="optimiser updates", ylabel=title)
    legend(figure, axes)
    return figure


DIMENSIONS = ("reward/preference", "reward/authenticity")


def reward_dimensions(records: Records) -> Any | None:
    """Preference and authenticity reward while fine-tuning, two axes (paper Fig. 11)."""
    frame = records.finetuning
    frame = frame[frame["name"].isin(DIMENSIONS)]
    if frame.empty:
        return None
    runs = [key for key, _ in frame.groupby(["backbone", "method"], sort=False)]
    figure, axes = panels(len(runs), width=4.4)
    for axis, (backbone, method) in zip(axes, runs, strict=True):
        own = frame[frame["backbone"].eq(backbone) & frame["method"].eq(method)]
        twin = axis.twinx()
        for target, name, index in zip((axis, twin), DIMENSIONS, range(2), strict=True):
            picked = own[own["name"].eq(name)]
            curves = smooth(picked.groupby("update")[["value"]].mean())
            style = look(index) | {"marker": None}
            target.plot(curves.index, curves["value"], **style)
            target.set_ylabel(f"{name.removeprefix('reward/')} reward", color=style["color"])
            target.tick_params(axis="y", labelcolor=style["color"])
        twin.spines["right"].set_visible(True)
        twin.grid(visible=False)
        axis.set(title=f"{backbone}, {method}", xlabel="optimiser updates")
    return figure
