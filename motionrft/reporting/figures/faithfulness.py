"""Rank correlations as a map."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionrft.reporting.columns import reward_dimensions
from motionrft.reporting.figure import FigureFile
from motionrft.reporting.records import Records
from motionrft.reporting.reward_scores import REPRESENTATIONS
from motionrft.reporting.style import pyplot


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
        dimensions = [name for name in reward_dimensions(table.columns) if name in table.columns]
        values = table.reindex(index=kinds, columns=dimensions).to_numpy(dtype=float)
        image = axis.imshow(values, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
        for row, column in np.ndindex(*values.shape):
            value = values[row, column]
            text = "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
            dark = abs(value) > 0.6
            axis.text(
                column, row, text, ha="center", va="center", fontsize=7,
                color="white" if dark else "black",
            )  # fmt: skip
        axis.set_xticks(range(len(dimensions)), dimensions, rotation=30, ha="right")
        axis.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
        axis.set_title(name)
        axis.grid(visible=False)
    figure.colorbar(image, ax=axes[0].tolist(), label="−1 seen … 0 blind … +1 rewarded", shrink=0.9)
    return figure


FIGURE = FigureFile(
    question="reward",
    caption="What the reward sees of graded damage: rank correlation with its grade",
    order=150,
    needs=("faithfulness",),
    draw=faithfulness_map,
)
