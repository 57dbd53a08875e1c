"""What a model has cost to train, and what each of its motions costs."""

from __future__ import annotations

import pandas as pd

from motionrft.reporting.records import Records


def training_spent(records: Records, name: str) -> pd.Series:
    """Totals of a cumulative number of the training record (seconds, flops), by backbone, method and seed."""
    frame = records.finetuning
    frame = frame[frame["name"].eq(name)]
    totals: pd.Series = frame.groupby(["backbone", "method", "seed"])["value"].max()
    return totals


def motion_spent(records: Records, name: str) -> pd.Series:
    """A number of analyse/sampling_cost (flops, s, forwards) by backbone and method. A base model costs what a
    fine-tuned one does: both sample plainly."""
    frame = records.analysis("sampling_cost")
    if frame.empty:
        return pd.Series(dtype=float)
    values: pd.Series = (
        frame[frame["name"].eq(name)].groupby(["backbone", "method"])["value"].mean().astype(float)
    )
    for backbone in sorted(set(values.index.get_level_values(0))):
        plain = [
            value
            for (own, method), value in values.items()
            if own == backbone and records.trains(method)
        ]
        if plain:
            values.loc[(backbone, "base")] = sum(plain) / len(plain)
    return values


def compared(records: Records) -> list[str]:
    """Backbones on which a method that trains nothing is set beside others, in the order of the run."""
    found = {
        entry["backbone"] for entry in records.run["matrix"] if not records.trains(entry["method"])
    }
    return [name for name in records.run["backbones"] if name in found]


def methods_of(records: Records, backbone: str) -> list[str]:
    """The methods of the matrix on a backbone, in the order of the run."""
    own = {entry["method"] for entry in records.run["matrix"] if entry["backbone"] == backbone}
    return [name for name in records.run["methods"] if name in own]
