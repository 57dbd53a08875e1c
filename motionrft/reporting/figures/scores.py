"""Scores of generated motions as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from motionrft.reporting.compare import proportion_half, summary
from motionrft.reporting.motions import shown_first
from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels, pyplot
from motionrft.reporting.tables.cost import paired_prompts


def means(records: Records, metric: str) -> pd.DataFrame:
    """mean and half (95 %) by backbone and method."""
    frame = records.evaluations
    rows = [
        (backbone, method, *summary(group)[:2])
        for (backbone, method), group in frame[frame["metric"].eq(metric)].groupby(
            ["backbone", "method"]
        )
    ]
    columns = ["backbone", "method", "mean", "half"]
    return pd.DataFrame(rows, columns=columns).set_index(["backbone", "method"])


def fid_against_memory(records: Records) -> Any | None:
    """FID against peak memory, a point a method (paper Fig. 1a)."""
    costs = records.costs[records.costs["name"].eq("peak_mb")]
    fid = means(records, "FID")
    if costs.empty or fid.empty:
        return None
    memory = costs.groupby(["backbone", "method"])["value"].mean()
    both = memory.index.intersection(fid.index)
    backbones = [name for name in records.run["backbones"] if name in both.get_level_values(0)]
    if not backbones:
        return None
    figure, axes = panels(len(backbones))
    for axis, backbone in zip(axes, backbones, strict=True):
        if (backbone, "base") in fid.index:
            axis.axhline(fid.loc[(backbone, "base"), "mean"], color="0.5", lw=1, label="base")
        for index, method in enumerate(records.run["methods"]):
            if (backbone, method) not in both:
                continue
            row = fid.loc[(backbone, method)]
            half = 0.0 if row["half"] is None or np.isnan(row["half"]) else row["half"]
            style = look(index) | {"linestyle": "none"}
            place = memory[(backbone, method)]
            axis.errorbar(place, row["mean"], yerr=half, label=method, capsize=2, **style)
        axis.margins(x=0.25)
        axis.set(title=backbone, xlabel="peak memory of an update (MiB)", ylabel="FID ↓")
    legend(figure, axes)
    return figure


def fid_against_mm_dist(records: Records) -> Any | None:
    """FID against MM-Dist with an arrow from each base model to its fine-tuned one (paper Fig. 1b)."""
    fid, distance = means(records, "FID"), means(records, "MM-Dist")
    pairs = []
    for backbone in records.run["backbones"]:
        models = [model for name, model in fid.index if name == backbone]
        method = shown_first(records, models)
        if "base" in models and method:
            pairs.append((backbone, method))
    if not pairs:
        return None
    figure, axis = pyplot().subplots(figsize=(5.2, 4.0), layout="constrained")
    for index, (backbone, method) in enumerate(pairs):
        start, end = (
            np.array([table.loc[(backbone, name), "mean"] for table in (distance, fid)])
            for name in ("base", method)
        )
        style = look(index) | {"linestyle": "none"}
        axis.plot(*start, fillstyle="none", **style)
        axis.plot(*end, label=f"{backbone}, {method}", **style)
        arrow = {"arrowstyle": "->", "color": style["color"], "lw": 1.2, "shrinkA": 4, "shrinkB": 4}
        axis.annotate("", end, start, arrowprops=arrow)
    axis.margins(0.15)
    axis.set(xlabel="MM-Dist ↓", ylabel="FID ↓", title="base (hollow) → fine-tuned (filled)")
    axis.legend()
    return figure


def win_rates(records: Records) -> Any | None:
    """Share of prompts on which a model's motion is nearer to its text than its rival's: against base, and a
    method `<name>-spl` against `<name>` (the effect of a self-refined reward)."""
    bars: dict[str, list[tuple[str, float, float]]] = {
        name: [] for name in records.run["backbones"]
    }
    order = list(records.run["methods"])
    for entry in sorted(records.run["matrix"], key=lambda entry: order.index(entry["method"])):
        backbone, method = entry["backbone"], entry["method"]
        rivals = ["base"]
        if method.endswith("-spl"):
            rivals.append(method.removesuffix("-spl"))
        for rival in rivals:
            pairs = paired_prompts(records, backbone, method, rival)
            nearer = (pairs["matching_base"] - pairs["matching"]).dropna()
            if len(nearer):
                share = float((nearer > 0).mean() + 0.5 * (nearer == 0).mean())
                half = proportion_half(100 * share, len(nearer))
                bars[backbone].append((f"{method} / {rival}", 100 * share, half))
    drawn = [(backbone, own) for backbone, own in bars.items() if own]
    if not drawn:
        return None
    most = [max(len(own) for _, own in drawn[k : k + 2]) for k in range(0, len(drawn), 2)]
    heights = [0.8 + 0.28 * count for count in most]
    figure, axes = panels(len(drawn), width=5.0, columns=2, heights=heights)
    for place, (axis, (backbone, own)) in enumerate(zip(axes, drawn, strict=True)):
        names, shares, halves = zip(*own, strict=True)
        rows = np.arange(len(own))
        colors = [look(0 if name.endswith("/ base") else 1)["color"] for name in names]
        axis.barh(rows, shares, color=colors, height=0.6)
        axis.barh(rows, [100 - share for share in shares], left=shares, color="0.85", height=0.6)
        axis.errorbar(shares, rows, xerr=halves, fmt="none", ecolor="black", capsize=3, lw=1)
        axis.axvline(50, color="black", lw=0.8, ls="--")
        for row, share in zip(rows, shares, strict=True):
            axis.text(1.5, row, f"{share:.0f} %", color="white", va="center", fontsize=8)
        axis.set(
            title=backbone, yticks=rows, yticklabels=names, xlim=(0, 100),
            ylim=(most[place // 2] - 0.4, -0.6), xlabel="prompts on which it is nearer (%)",
        )  # fmt: skip
        axis.grid(visible=False)
    return figure
