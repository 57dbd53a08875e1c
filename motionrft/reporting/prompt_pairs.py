"""The scores of two models on the same prompts."""

from __future__ import annotations

import pandas as pd

from motionrft.reporting.records import CELL, Records


def per_clip(records: Records, backbone: str, method: str) -> pd.DataFrame:
    """Means by clip over replications and seeds: matching (distance to its text), top1."""
    frame = records.prompts
    model = frame[frame["backbone"].eq(backbone) & frame["method"].eq(method)]
    return model.drop(columns=CELL).groupby("clip")[["matching", "top1"]].mean()


def paired_prompts(
    records: Records, backbone: str, method: str, base: str = "base"
) -> pd.DataFrame:
    """per_clip of both models on the clips they share: columns matching_base, matching, top1_base, top1."""
    model, rival = per_clip(records, backbone, method), per_clip(records, backbone, base)
    return model.merge(rival, left_index=True, right_index=True, suffixes=("", "_base"))
