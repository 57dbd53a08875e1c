"""The figures of a run, each from the records alone; a figure whose records are absent is not drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from motionrft.reporting.compare import summary
from motionrft.reporting.records import Records
from motionrft.reporting.style import look, pyplot


def _panels(count: int, width: float = 4.0, height: float = 3.1) -> tuple[Any, list[Any]]:
    plt = pyplot()
    columns = min(count, 3)
    rows = -(-count // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained"
    )
    flat = list(axes.flat)
    for axis in flat[count:]:
        axis.set_visible(False)
    return figure, flat[:count]


def reward_curves(records: Records, x: str = "update") -> Any | None:
    """Reward of the training batches against optimiser updates: mean and range over seeds (paper Fig. 10)."""
    frame = records.finetuning
    frame = frame[frame["name"] == "reward"]
    if frame.empty:
        return None
    backbones = list(frame["backbone"].unique())
    figure, axes = _panels(len(backbones))
    for axis, backbone in zip(axes, backbones, strict=True):
        own = frame[frame["backbone"] == backbone]
        for index, method in enumerate(own["method"].unique()):
            curves = own[own["method"] == method].pivot_table(
                index=x, columns="seed", values="value"
            )
            smooth = curves.rolling(max(len(curves) // 15, 1), min_periods=1).mean()
            style = look(index) | {"marker": None}
            axis.plot(smooth.index, smooth.mean(axis=1), label=method, **style)
            if smooth.shape[1] > 1:
                axis.fill_between(
                    smooth.index,
                    smooth.min(axis=1),
                    smooth.max(axis=1),
                    color=style["color"],
                    alpha=0.15,
                    lw=0,
                )
        axis.set(title=backbone, xlabel="optimiser updates", ylabel="reward of the training batch")
        axis.legend()
    return figure


def validation_curves(records: Records) -> Any | None:
    """R-Precision Top-1 and FID on the validation split while fine-tuning."""
    frame = records.finetuning
    names = {
        "val/R-Precision Top-1": "R-Precision Top-1 (validation)",
        "val/FID": "FID (validation)",
    }
    frame = frame[frame["name"].isin(list(names))]
    if frame.empty:
        return None
    backbones = list(frame["backbone"].unique())
    plt = pyplot()
    figure, axes = plt.subplots(
        2, len(backbones), figsize=(4 * len(backbones), 5.6), squeeze=False, layout="constrained"
    )
    for column, backbone in enumerate(backbones):
        own = frame[frame["backbone"] == backbone]
        for row, (name, title) in enumerate(names.items()):
            for index, method in enumerate(own["method"].unique()):
                picked = own[(own["method"] == method) & (own["name"] == name)]
                curves = picked.pivot_table(index="update", columns="seed", values="value")
                axes[row, column].plot(
                    curves.index, curves.mean(axis=1), label=method, **look(index)
                )
            axes[row, column].set(
                title=backbone if row == 0 else "", xlabel="optimiser updates", ylabel=title
            )
        axes[0, column].legend()
    return figure


def _means(records: Records, metric: str) -> pd.DataFrame:
    frame = records.evaluations
    frame = frame[frame["metric"] == metric]
    rows = [
        (backbone, method, *summary(group)[:2])
        for (backbone, method), group in frame.groupby(["backbone", "method"])
    ]
    return pd.DataFrame(rows, columns=["backbone", "method", "mean", "half"]).set_index(
        ["backbone", "method"]
    )


def fid_against_memory(records: Records) -> Any | None:
    """FID against peak memory, a point a method (paper Fig. 1a)."""
    costs = records.costs[records.costs["name"] == "peak_mb"]
    fid = _means(records, "FID")
    if costs.empty or fid.empty:
        return None
    memory = costs.groupby(["backbone", "method"])["value"].mean()
    backbones = [
        name for name in records.run["backbones"] if name in memory.index.get_level_values(0)
    ]
    figure, axes = _panels(len(backbones))
    for axis, backbone in zip(axes, backbones, strict=True):
        for index, method in enumerate(records.run["methods"]):
            if (backbone, method) in memory.index and (backbone, method) in fid.index:
                row = fid.loc[(backbone, method)]
                half = 0.0 if row["half"] is None or np.isnan(row["half"]) else row["half"]
                style = look(index) | {"linestyle": "none"}
                axis.errorbar(
                    memory[(backbone, method)],
                    row["mean"],
                    yerr=half,
                    label=method,
                    capsize=2,
                    **style,
                )
        if (backbone, "base") in fid.index:
            axis.axhline(fid.loc[(backbone, "base"), "mean"], color="0.5", lw=1, label="base")
        axis.set(title=backbone, xlabel="peak memory (MB)", ylabel="FID ↓")
        axis.legend()
    return figure


def fid_against_mm_dist(records: Records) -> Any | None:
    """FID against MM-Dist with an arrow from each base model to its fine-tuned one (paper Fig. 1b)."""
    fid, distance = _means(records, "FID"), _means(records, "MM-Dist")
    method = next(
        (name for name in ("motionrft", "easytune") if name in records.run["methods"]), None
    )
    pairs = [
        name
        for name in records.run["backbones"]
        if (name, "base") in fid.index and (name, method) in fid.index
    ]
    if not pairs:
        return None
    plt = pyplot()
    figure, axis = plt.subplots(figsize=(5.2, 4.0))
    for index, backbone in enumerate(pairs):
        points = np.array(
            [
                [table.loc[(backbone, name), "mean"] for table in (distance, fid)]
                for name in ("base", method)
            ]
        )
        style = look(index) | {"linestyle": "none"}
        axis.plot(*points[0], fillstyle="none", **style)
        axis.plot(*points[1], label=backbone, **style)
        axis.annotate(
            "",
            points[1],
            points[0],
            arrowprops={"arrowstyle": "->", "color": style["color"], "lw": 1.2},
        )
    axis.set(xlabel="MM-Dist ↓", ylabel="FID ↓", title=f"base (hollow) → {method} (filled)")
    axis.legend(ncols=2)
    return figure


def reward_dimensions(records: Records) -> Any | None:
    """Preference and authenticity reward while fine-tuning (paper Fig. 11)."""
    frame = records.finetuning
    frame = frame[frame["name"].isin(["reward/preference", "reward/authenticity"])]
    if frame.empty:
        return None
    runs = [key for key, _ in frame.groupby(["backbone", "method"])]
    figure, axes = _panels(len(runs))
    for axis, (backbone, method) in zip(axes, runs, strict=True):
        own = frame[(frame["backbone"] == backbone) & (frame["method"] == method)]
        twin = axis.twinx()
        for target, name, index in (
            (axis, "reward/preference", 0),
            (twin, "reward/authenticity", 1),
        ):
            curve = own[own["name"] == name].groupby("update")["value"].mean()
            style = look(index) | {"marker": None}
            target.plot(
                curve.index, curve.rolling(max(len(curve) // 15, 1), min_periods=1).mean(), **style
            )
            target.set_ylabel(name.removeprefix("reward/"), color=style["color"])
        twin.spines["right"].set_visible(True)
        twin.grid(visible=False)
        axis.set(title=f"{backbone}, {method}", xlabel="optimiser updates")
    return figure


FIGURES: dict[str, tuple[str, Callable[[Records], Any | None]]] = {
    "fid_memory": ("FID against peak memory of fine-tuning", fid_against_memory),
    "fid_mmdist": ("FID against MM-Dist, before and after fine-tuning", fid_against_mm_dist),
    "reward_curves": ("Reward while fine-tuning", reward_curves),
    "validation_curves": (
        "R-Precision and FID while fine-tuning, on the validation split",
        validation_curves,
    ),
    "reward_dimensions": ("Preference and authenticity while fine-tuning", reward_dimensions),
}


def draw_all(records: Records, folder: Path, names: list[str]) -> dict[str, list[Path]]:
    """Draws the named figures; returns what was written (nothing for figures whose records are absent)."""
    from motionrft.reporting.style import save

    written = {}
    for name in names:
        figure = FIGURES[name][1](records)
        if figure is not None:
            written[name] = save(figure, folder, name)
    return written
