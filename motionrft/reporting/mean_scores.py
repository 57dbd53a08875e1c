"""Mean scores of generated motions, for figures that set two of them against each other."""

from __future__ import annotations

import pandas as pd

from motionrft.reporting.compare import summary
from motionrft.reporting.records import Records


def mean_scores(records: Records, metric: str) -> pd.DataFrame:
    """mean and half (95 %) of one metric by backbone and method."""
    frame = records.evaluations
    rows = [
        (backbone, method, *summary(group)[:2])
        for (backbone, method), group in frame[frame["metric"].eq(metric)].groupby(
            ["backbone", "method"]
        )
    ]
    columns = ["backbone", "method", "mean", "half"]
    return pd.DataFrame(rows, columns=columns).set_index(["backbone", "method"])
