"""A reward that climbs while what it knows nothing of gets worse."""

from __future__ import annotations

import pandas as pd

from motionrft.finetune.reward_hacking import hacking


def test_a_reward_that_climbs_while_other_metrics_fall_is_flagged():
    def record(**series):
        rows = [
            (10 * n, f"val/{name}", v)
            for name, values in series.items()
            for n, v in enumerate(values)
        ]
        return pd.DataFrame(rows, columns=["update", "name", "value"])

    rising, falling = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    assert hacking(record(reward=rising, **{"R-Precision Top-1": falling}))["fell"] == [
        "R-Precision Top-1"
    ]
    assert hacking(record(reward=rising, FID=rising))["flagged"]
    assert not hacking(record(reward=rising, FID=falling, **{"MM-Dist": falling}))["flagged"]
    assert not hacking(record(reward=falling, FID=rising))["flagged"]
    assert not hacking(record(reward=rising[:3], FID=rising[:3]))["judged"]
