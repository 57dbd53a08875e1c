"""Reward hacking: a reward that climbs while an independent judge, realism or diversity falls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

# judges beside the reward, and which way is better
JUDGES = {
    "R1": 1,
    "R3": 1,
    "FID": -1,
    "MMDist": -1,
    "diversity_gap": -1,
    "foot_skate": -1,
    "jerk": -1,
}


def trend(values: Sequence[float]) -> tuple[float, float]:
    """Change from the first to the last third of the validations, and Kendall's p value of a trend."""
    series = np.asarray(values, dtype=float)
    third = max(len(series) // 3, 1)
    change = float(series[-third:].mean() - series[:third].mean())
    return change, float(stats.kendalltau(np.arange(len(series)), series).pvalue)


def hacking(record: pd.DataFrame, significance: float = 0.05) -> dict[str, object]:
    """Which judges fell while the validation reward rose: {"flagged": bool, "fell": [names], …}.

    A verdict needs at least four validations; both trends must be significant (Kendall).
    """
    validated = record[record["name"].str.startswith("val/")]
    series = {
        name: group.sort_values("update")["value"].to_numpy()
        for name, group in validated.groupby("name")
    }
    reward = series.get("val/reward")
    if reward is None or len(reward) < 4:
        return {"flagged": False, "judged": False, "fell": [], "why": "fewer than four validations"}
    rise, certain = trend(reward)
    fell = []
    for judge, sign in JUDGES.items():
        values = series.get(f"val/{judge}")
        if values is None or len(values) < 4:
            continue
        change, p = trend(values)
        if change * sign < 0 and p < significance:
            fell.append(judge)
    climbed = rise > 0 and certain < significance
    return {"flagged": bool(climbed and fell), "judged": True, "reward_change": rise, "fell": fell}
