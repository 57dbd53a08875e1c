"""Splits: seeded, of the fractions given, and large enough for a run."""

import pandas as pd

from motionrft.corpus.splits import ordered_splits, seeded_splits, too_few

FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}


def test_splits_are_seeded_and_sized():
    first = seeded_splits(100, FRACTIONS, 0)
    assert first == seeded_splits(100, FRACTIONS, 0)
    assert first != seeded_splits(100, FRACTIONS, 1)
    assert [first.count(name) for name in FRACTIONS] == [70, 10, 20]
    assert ordered_splits(4, {"train": 0.5, "val": 0.25, "test": 0.25}) == ["train", "train", "val", "test"]  # fmt: skip


def test_too_few_clips_are_said_with_numbers():
    splits = ["train"] * 50 + ["val"] * 31 + ["test"] * 40
    clips = pd.DataFrame({"split": splits, "frames": 60})
    problem = str(too_few(clips, 40, 32, "run.yaml"))
    assert "train 50, val 31, test 40; val needs 32. Fix: give val" in problem
    # 121 clips fill groups of 16 with a margin; settings that would do are said
    assert (
        "corpus: {splits: {train: 0.4, val: 0.3, test: 0.3}} and evaluate: {group: 16}" in problem
    )
    assert too_few(clips, 40, 31, "run.yaml") is None
    many = pd.concat([clips, clips[clips["split"] == "train"]])
    assert "would do" in str(too_few(many, 40, 32, "run.yaml"))
    assert "evaluate: {group" not in str(too_few(many, 40, 32, "run.yaml"))
    assert "would do" not in str(too_few(clips.head(12), 40, 32, "run.yaml"))
    assert "(121 more are shorter)" in str(too_few(clips, 61, 2, "run.yaml"))
    none = too_few(clips[clips["split"] != "test"], 40, 2, "run.yaml")
    assert "test 0; test needs 2" in str(none)
