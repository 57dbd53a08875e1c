"""Prompts won."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionrft.reporting.compare import proportion_half
from motionrft.reporting.figure import FigureFile
from motionrft.reporting.prompt_pairs import paired_prompts
from motionrft.reporting.records import Records
from motionrft.reporting.style import look, panels


def win_rates(records: Records) -> dict[str, Any]:
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
    figures = {}
    for backbone, rates in bars.items():
        if not rates:
            continue
        figure, [axis] = panels(1, width=5.6, height=0.8 + 0.28 * len(rates))
        names, shares, halves = zip(*rates, strict=True)
        rows = np.arange(len(rates))
        colors = [look(0 if name.endswith("/ base") else 1)["color"] for name in names]
        axis.barh(rows, shares, color=colors, height=0.6)
        axis.barh(rows, [100 - share for share in shares], left=shares, color="0.85", height=0.6)
        axis.errorbar(shares, rows, xerr=halves, fmt="none", ecolor="black", capsize=3, lw=1)
        axis.axvline(50, color="black", lw=0.8, ls="--")
        for row, share in zip(rows, shares, strict=True):
            axis.text(1.5, row, f"{share:.0f} %", color="white", va="center", fontsize=8)
        axis.set(
            title=backbone, yticks=rows, yticklabels=names, xlim=(0, 100),
            ylim=(len(rates) - 0.4, -0.6), xlabel="prompts on which it is nearer (%)",
        )  # fmt: skip
        axis.grid(visible=False)
        figures[backbone] = figure
    return figures


FIGURE = FigureFile(
    caption="Prompts on which the fine-tuned motion is nearer to its text than the base model's",
    order=120,
    needs=("prompts",),
    draw=win_rates,
)
