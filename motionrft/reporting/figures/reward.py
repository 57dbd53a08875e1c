"""The reward's own scores as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionrft.reporting.records import Records
from motionrft.reporting.style import HATCHES, look, panels, pyplot
from motionrft.reporting.tables.reward import DIMENSIONS, REPRESENTATIONS, retrieval_scores

SCORES = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1"}


def authenticity_bars(records: Records) -> Any | None:
    """Accuracy, precision, recall and F1 by representation (paper Fig. 8), on seen and on held-out generators."""
    frame = records.reward
    frame = frame[frame["table"].eq("authenticity") & frame["model"].eq("MotionReward")]
    settings = [name for name in ("test", "held_out") if frame["setting"].eq(name).any()]
    if not settings:
        return None
    figure, axes = panels(len(settings), width=4.6)
    titles = {"test": "generators seen in training", "held_out": "held-out generators"}
    for axis, setting in zip(axes, settings, strict=True):
        for index, name in enumerate(REPRESENTATIONS):
            part = frame[frame["setting"].eq(setting) & frame["representation"].eq(name)]
            values = part.set_index("metric")["value"].reindex(list(SCORES)) * 100
            places = np.arange(len(SCORES)) + (index - 1) * 0.27
            drawn = axis.bar(
                places, values, 0.25, label=name, color=look(index)["color"], hatch=HATCHES[index]
            )
            axis.bar_label(drawn, fmt="%.0f", fontsize=7, padding=1)
        axis.axhline(50, color="0.4", lw=0.8, ls="--")
        axis.set(
            title=titles[setting], ylabel="%", ylim=(0, 118),
            xticks=range(len(SCORES)), xticklabels=list(SCORES.values()),
        )  # fmt: skip
        axis.grid(visible=False, axis="x")
        axis.legend(ncols=3, loc="upper center", fontsize=7)
    return figure


def self_refinement_bars(records: Records) -> Any | None:
    """R@1 both ways before and after self-refinement, by representation."""
    found = {
        (name, model): retrieval_scores(records, model, name)
        for name in REPRESENTATIONS
        for model in ("semantic", "spl")
    }
    if not all(found.values()):
        return None
    figure, axes = panels(2, width=3.6)
    ways = (("t2m R@1", "text → motion"), ("m2t R@1", "motion → text"))
    for axis, (key, title) in zip(axes, ways, strict=True):
        for index, (model, label) in enumerate((("semantic", "before"), ("spl", "after"))):
            values = [found[name, model][key][0] for name in REPRESENTATIONS]
            drawn = axis.bar(
                np.arange(len(REPRESENTATIONS)) + (index - 0.5) * 0.4, values, 0.38, label=label,
                color=look(index)["color"], hatch=HATCHES[index],
            )  # fmt: skip
            axis.bar_label(drawn, fmt="%.1f", fontsize=7, padding=1)
        axis.set(
            title=title, ylabel="R@1 (%)",
            xticks=range(len(REPRESENTATIONS)), xticklabels=REPRESENTATIONS,
        )  # fmt: skip
        axis.margins(y=0.25)
        axis.grid(visible=False, axis="x")
        axis.legend(ncols=2, loc="upper center")
    return figure


def calibration(records: Records) -> Any | None:
    """Observed frequency against predicted probability, a panel a task; the diagonal is calibrated."""
    frame = records.calibration
    tables = list(dict.fromkeys(frame["table"]))
    if not tables:
        return None
    figure, axes = panels(len(tables), width=3.4, height=3.2)
    for axis, name in zip(axes, tables, strict=True):
        axis.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--")
        for index, model in enumerate(("MotionReward", "random")):
            part = frame[frame["table"].eq(name) & frame["model"].eq(model)]
            label = "untrained reward" if model == "random" else model
            axis.plot(part["predicted"], part["observed"], label=label, **look(index))
        axis.set(
            title=name.replace("held_out", "held out"), xlim=(0, 1), ylim=(-0.02, 1.02),
            xlabel="predicted probability", ylabel="observed frequency",
        )  # fmt: skip
        axis.legend()
    return figure


def faithfulness_map(records: Records) -> Any | None:
    """Rank correlation of each reward dimension with the grade of each damage, a panel a representation."""
    frame = records.faithfulness
    frame = frame[frame["against"].eq("grade")]
    if frame.empty:
        return None
    names = [name for name in REPRESENTATIONS if frame["representation"].eq(name).any()]
    kinds = list(dict.fromkeys(frame["kind"]))
    plt = pyplot()
    figure, axes = plt.subplots(
        1, len(names), figsize=(1.6 + 3.0 * len(names), 0.42 * len(kinds) + 1.4), squeeze=False,
        sharey=True, layout="constrained",
    )  # fmt: skip
    for axis, name in zip(axes[0], names, strict=True):
        table = frame[frame["representation"].eq(name)].pivot_table(
            index="kind", columns="dimension", values="spearman", dropna=False
        )
        shown = [dimension for dimension in DIMENSIONS if dimension in table.columns]
        values = table.reindex(index=kinds, columns=shown).to_numpy(dtype=float)
        image = axis.imshow(values, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
        for row, column in np.ndindex(*values.shape):
            value = values[row, column]
            text = "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
            dark = abs(value) > 0.6
            axis.text(
                column, row, text, ha="center", va="center", fontsize=7,
                color="white" if dark else "black",
            )  # fmt: skip
        axis.set_xticks(range(len(shown)), shown, rotation=30, ha="right")
        axis.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
        axis.set_title(name)
        axis.grid(visible=False)
    figure.colorbar(image, ax=axes[0].tolist(), label="−1 seen … 0 blind … +1 rewarded", shrink=0.9)
    return figure
