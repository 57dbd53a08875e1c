import pandas as pd

from motionrft.reporting.training_curves import batch_reward, by_seconds


def record(method: str, *names: str) -> pd.DataFrame:
    rows = [("mdm", method, 0, 1, name, 0.5) for name in names]
    return pd.DataFrame(rows, columns=["backbone", "method", "seed", "update", "name", "value"])


def test_methods_compare_by_the_part_of_the_reward_they_share():
    easytune = record("easytune", "reward", "reward/semantic")
    motionrft = record("motionrft", "reward", "reward/semantic", "reward/preference")
    own = record("own", "reward")
    both = batch_reward(pd.concat([easytune, motionrft]))
    assert both["name"].unique().tolist() == ["reward/semantic"]
    assert both["method"].tolist() == ["easytune", "motionrft"]
    # a row without the part: the whole for all
    three = batch_reward(pd.concat([easytune, motionrft, own]))
    assert three["name"].unique().tolist() == ["reward"]
    assert len(three) == 3


def test_curves_end_where_most_seeds_do():
    rows = []
    for seed, updates in enumerate([(0, 100), (0, 100), (0, 100, 200)]):
        for update in updates:
            key = ("mdm", "pretraining", seed, update)
            rows += [(*key, "seconds", update / 10 + seed), (*key, "val/FID", 0.5)]
    rows.append(("mdm", "pretraining", 0, 50, "seconds", 5.0))  # no validation
    frame = pd.DataFrame(rows, columns=["backbone", "method", "seed", "update", "name", "value"])
    found = by_seconds(frame, "val/FID")
    assert found["update"].tolist() == [0, 100, 0, 100, 0, 100]
    assert found["seconds"].tolist() == [0, 10, 1, 11, 2, 12]
