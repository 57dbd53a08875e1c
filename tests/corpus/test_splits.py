"""Splits: seeded, of the fractions given, and large enough for a run."""

import pandas as pd
import pytest

from motionrft.corpus.splits import check_fractions, ordered_splits, seeded_splits, too_few
from motionrft.errors import InputError

FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}


def test_splits_are_seeded_and_sized():
    first = seeded_splits(100, FRACTIONS, 0)
    assert first == seeded_splits(100, FRACTIONS, 0)
    assert first != seeded_splits(100, FRACTIONS, 1)
    assert [first.count(name) for name in FRACTIONS] == [70, 10, 20]
    assert ordered_splits(4, {"train": 0.5, "val": 0.25, "test": 0.25}) == ["train", "train", "val", "test"]  # fmt: skip


def test_fractions_sum_to_one():
    check_fractions(FRACTIONS, "x")
    check_fractions({"train": 1 / 3, "val": 1 / 3, "test": 1 / 3}, "x")
    for fractions in ((0.7, 0.1, 0.1), (0.5, 0.5, 0.5)):
        with pytest.raises(
            InputError, match=r"run\.yaml: corpus\.splits: train 0\.\d, val .* sum to"
        ):
            check_fractions(dict(zip(FRACTIONS, fractions, strict=True)), "run.yaml")


def test_too_few_clips_are_said_with_numbers():
    splits = ["train"] * 50 + ["val"] * 31 + ["test"] * 40
    clips = pd.DataFrame({"split": splits, "frames": 60})
    problem = str(too_few(clips, 40, 32, "run.yaml"))
    assert "train 50, val 31, test 40; val needs 32. Fix: give val" in problem
    assert too_few(clips, 40, 31, "run.yaml") is None
    assert "(121 more are shorter)" in str(too_few(clips, 61, 2, "run.yaml"))
    none = too_few(clips[clips["split"] != "test"], 40, 2, "run.yaml")
    assert "test 0; test needs 2" in str(none)
