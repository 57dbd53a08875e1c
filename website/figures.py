"""The drawn figures of the site, as SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from website.walks import Walked

INK, LIVE, STEP = "#8a8f98", "#00796b", "#d84315"
RC = {
    "svg.hashsalt": "motionrft",
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "font.size": 10,
}


def svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="svg", metadata={"Date": None}, transparent=False, bbox_inches="tight"
    )
    return buffer.getvalue()


def walks(found: Mapping[str, Sequence[Walked]], steps: int) -> bytes:
    """A row a method: which steps carry gradient, where the chain is cut, where the reward is read."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(8.6, 0.56 * len(found) + 0.9))
        axis = figure.add_subplot()
        for row, (name, parts) in enumerate(found.items()):
            for part in parts:
                _walk(axis, -row, part)
            axis.text(-0.7, -row, name, ha="right", va="center")
        axis.set(
            xlim=(-0.5, steps + 0.4),
            ylim=(-len(found) + 0.35, 0.75),
            yticks=[],
            xticks=range(steps),
        )
        axis.set_xlabel(f"denoising step of {steps} (0 is noise)")
        for side in ("left", "right", "top"):
            axis.spines[side].set_visible(False)
        axis.legend(
            handles=_legend(),
            loc="lower left",
            ncols=4,
            frameon=False,
            bbox_to_anchor=(-0.02, 0.97),
        )
        return svg(figure)


def _walk(axis: Axes, height: float, part: Walked) -> None:
    """Dots are network calls, lines the gradient's way, the diamond is where the reward is read."""
    steps = range(part.start, part.last + 1)
    first = min(part.live, default=part.last + 1)
    if part.live:
        axis.plot([first, part.last + 0.5], [height, height], color=LIVE, linewidth=2, zorder=1)
    for step in steps:
        live = step in part.live
        axis.scatter(
            step, height, s=46, zorder=2, linewidths=1.2,
            facecolors=LIVE if live else "white", edgecolors=LIVE if live else INK,
        )  # fmt: skip
    if part.live and part.scored:
        axis.scatter(part.last + 0.5, height, marker="D", s=30, color=STEP, zorder=3)


def _legend() -> list[Line2D]:
    dot = {"linestyle": "none", "marker": "o", "markersize": 7}
    return [
        Line2D([], [], markerfacecolor="white", markeredgecolor=INK, label="no gradient", **dot),
        Line2D([], [], markerfacecolor=LIVE, markeredgecolor=LIVE, label="with gradient", **dot),
        Line2D([], [], color=LIVE, linewidth=2, label="the gradient's way"),
        Line2D(
            [],
            [],
            linestyle="none",
            marker="D",
            markersize=5,
            color=STEP,
            label="reward read, update",
        ),
    ]


def memory(found: Mapping[str, Mapping[str, float]]) -> bytes:
    """Gigabytes of an update by backbone and method, on a log axis."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(8.6, 3.4))
        axis = figure.add_subplot()
        methods = list(next(iter(found.values())))
        colours = ("#00796b", "#7cb5a8", "#f2a65a", "#d84315")
        for place, method in enumerate(methods):
            shift = (place - (len(methods) - 1) / 2) * 0.2
            heights = [values[method] for values in found.values()]
            bars = axis.bar(
                [i + shift for i in range(len(found))],
                heights,
                0.19,
                label=method,
                color=colours[place],
            )
            axis.bar_label(bars, fmt="%.0f", fontsize=8, padding=1)
        axis.set(
            yscale="log",
            ylabel="GB",
            xticks=range(len(found)),
            xticklabels=[name.replace("-", "\n") for name in found],
        )
        axis.axhline(80, color=INK, linewidth=1, linestyle="--")
        axis.text(-0.5, 84, "80 GB card", ha="left", va="bottom", color=INK, fontsize=8)
        for side in ("right", "top"):
            axis.spines[side].set_visible(False)
        axis.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.14))
        return svg(figure)
