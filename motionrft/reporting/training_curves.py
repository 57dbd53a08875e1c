"""Curves over a fine-tuning run."""

from __future__ import annotations

from typing import Any

import pandas as pd

from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels

RUN = ["backbone", "method", "seed"]
SECONDS = "seconds"


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


def over_seeds(values: Any) -> tuple[pd.Series, list[pd.Series]]:
    """Of the values of every update (a grouped column): the mean over seeds, and how far the lowest and the highest are."""
    of = values.agg(["mean", "min", "max"])
    return of["mean"], [
        (of["mean"] - of["min"]).clip(lower=0),
        (of["max"] - of["mean"]).clip(lower=0),
    ]


def by_seconds(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """backbone, method, seed, update, value and seconds of training of what a record calls `name`, where at least half of
    a method's seeds have it: one that is budgeted in seconds makes more updates with some seeds than with others."""
    key = [*RUN, "update"]
    values = frame[frame["name"].eq(name)].set_index(key)[["value"]]
    seconds = frame[frame["name"].eq(SECONDS)].set_index(key)["value"]
    joined = values.join(seconds.rename("seconds"), how="inner").reset_index()
    cell = joined.groupby(["backbone", "method"])["seed"].transform("nunique")
    reached = joined.groupby(["backbone", "method", "update"])["seed"].transform("nunique")
    return joined[2 * reached >= cell]


def draw_by_seconds(axis: Any, curve: pd.DataFrame, index: int, label: str) -> None:
    """One method of `by_seconds` on one backbone: means over seeds with their range."""
    by_update = curve.groupby("update")
    mean, reach = over_seeds(by_update["value"])
    when = by_update["seconds"].mean()
    axis.errorbar(when, mean, yerr=reach, label=label, capsize=2, **look(index))


def reward_curves(records: Records, frame: pd.DataFrame, x: str, label: str) -> dict[str, Any]:
    """A figure a backbone, a curve a method over the column `x`: the mean over seeds, smoothed, in a band as wide as the
    unsmoothed rewards around it are."""
    figures = {}
    part = "semantic reward" if frame["name"].eq("reward/semantic").all() else "reward"
    for backbone, rewards in frame.groupby("backbone", sort=False):
        figure, [axis] = panels(1, width=5.6, height=3.6)
        for index, method in records.in_order(rewards["method"]):
            raw = rewards[rewards["method"].eq(method)].pivot_table(
                index=x, columns="seed", values="value"
            )
            mean = smooth(raw).mean(axis=1)
            spread = (raw.sub(mean, axis=0) ** 2).mean(axis=1)
            half = smooth(spread.to_frame())[0] ** 0.5
            style = look(index) | {"marker": None}
            axis.plot(mean.index, mean, label=method, **style)
            axis.fill_between(
                mean.index, mean - half, mean + half, color=style["color"], alpha=0.08, lw=0
            )
        axis.set(title=backbone, xlabel=label, ylabel=f"{part} of the batch, smoothed")
        legend(figure, [axis])
        figures[str(backbone)] = figure
    return figures
