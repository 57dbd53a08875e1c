"""Memory held along a trajectory."""

from __future__ import annotations

from typing import Any

import pandas as pd

from motionrft.reporting.records import Records
from motionrft.reporting.style import by_backbone, legend, look, panels

FORMS = {"plain": "graph kept", "checkpoint": "checkpointed", "exact": "exact, O(1) form"}


def memory_panels(records: Records, frame: pd.DataFrame, label: str) -> Any:
    """A row a backbone, a panel an activation form, on one scale; a colour and line style a method."""
    parts = by_backbone(frame)
    figure, axes = panels(len(FORMS) * len(parts), width=3.4, columns=len(FORMS))
    for place, (backbone, traces) in enumerate(parts):
        most = traces["bytes"].max() / 2**20
        for axis, (form, title) in zip(axes[len(FORMS) * place :], FORMS.items(), strict=False):
            formed = traces[traces["activations"].eq(form)]
            for index, method in records.in_order(formed["method"]):
                curve = formed[formed["method"].eq(method)].sort_values("order")
                held = curve["bytes"].to_numpy() / 2**20
                axis.plot(
                    range(1, len(held) + 1), held, label=method, **look(index) | {"marker": None}
                )
            axis.set(title=f"{backbone}, {title}", xlabel=label, ylabel="memory held (MiB)")
            axis.set_ylim(-0.03 * most, 1.05 * most)
            axis.xaxis.get_major_locator().set_params(integer=True)
    legend(figure, axes)
    return figure
