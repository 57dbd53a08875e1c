"""Reward hacking: a reward that climbs while an independent evaluation, realism or diversity gets worse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

# metrics that the reward knows nothing of, and which way is better
INDEPENDENT = {
    "R-Precision Top-1": 1,
    "R-Precision Top-3": 1,
    "FID": -1,
    "MM-Dist": -1,
    "Diversity gap": -1,
    "skating_ratio": -1,
    "penetration_mm": -1,
    "floating_mm": -1,
    "jerk": -1,
}
LEAST = 4  # validations; the least number whose order alone can be significant at 5 %


def rises(values: Sequence[float], significance: float) -> bool:
    """Whether a series climbs: Kendall's one-sided test of a trend."""
    from scipy import stats  # a second to load: once a run, not at every job's start

    trend = stats.kendalltau(np.arange(len(values)), values, alternative="greater")
    return bool(trend.pvalue < significance)


def hacking(record: pd.DataFrame, significance: float = 0.05) -> dict[str, object]:
    """Which metrics got worse while the validation reward rose: {"flagged": bool, "fell": [names], …}.

    A verdict needs at least four validations; both trends must be significant (Kendall, one-sided).
    """
    validated = record[record["name"].str.startswith("val/")]
    series = {
        name: group.sort_values("update")["value"].to_numpy()
        for name, group in validated.groupby("name")
    }
    reward = series.get("val/reward")
    if reward is None or len(reward) < LEAST:
        why = f"fewer than {LEAST} validations"
        return {"flagged": False, "judged": False, "fell": [], "why": why}
    fell = [
        name
        for name, better in INDEPENDENT.items()
        if len(values := -better * series.get(f"val/{name}", np.empty(0))) >= LEAST
        and rises(values, significance)
    ]
    climbed = rises(reward, significance)
    return {"flagged": climbed and bool(fell), "judged": True, "climbed": climbed, "fell": fell}
