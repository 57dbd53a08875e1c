"""Labelled motions on disk: round trips, one rule of crops, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.data.labelled import (
    LabelledMotion,
    LabelledMotions,
    MotionPair,
    labelled_folders,
    write_labelled,
)
from motionrft.reward.rules import Rules
from motionrft.reward.stages import load
from tests.reward.tiny import IDENTITY, random_motion


def test_pairs_round_trip(tmp_path):
    arrays = [random_motion(9), random_motion(9), random_motion(12), random_motion(12)]
    pairs = [
        MotionPair(
            *(LabelledMotion({"joint": a}, "train", "c") for a in arrays[i : i + 2]), "jitter", 2
        )
        for i in (0, 2)
    ]
    write_labelled(tmp_path, pairs, "preference", {"labels": "made"})
    data = LabelledMotions(tmp_path, "preference", IDENTITY)
    for index, array in enumerate(arrays):
        assert np.array_equal(data.raw(index).numpy(), array)
    features, lengths = data.batch([0, 2], 196)
    assert lengths.tolist() == [8, 12]
    assert (features[0, 8:] == 0).all()
    batch = load("preference").items(data, "train", Rules()).batch([1])
    assert batch.representation == "joint"
    assert np.array_equal(batch.motions[1][0][0].numpy(), arrays[3])
    with pytest.raises(InputError, match="reward-data --kind authenticity"):
        LabelledMotions(tmp_path, "authenticity", IDENTITY)


def test_one_crop_law_for_real_and_generated(tmp_path):
    items = [LabelledMotion({"joint": random_motion(10)}, "train", "a", g) for g in ("", "mld")]
    write_labelled(tmp_path, items, "authenticity", {})
    shifted = {"joint": Normaliser(torch.ones(66), torch.ones(66))}
    data = LabelledMotions(tmp_path, "authenticity", shifted)
    for seeds in (None, [[1], [1]]):
        features, lengths = data.batch([0, 1], 196, seeds)
        assert lengths[0] == lengths[1]
        assert (features[:, int(lengths[0]) :] == 0).all()


def test_bad_motions_are_named(tmp_path):
    bad = random_motion(9)
    bad[4] = np.nan
    with pytest.raises(InputError, match="NaN or infinite values in frame 4"):
        write_labelled(
            tmp_path, [LabelledMotion({"joint": bad}, "train", "walk")], "authenticity", {}
        )
    assert not (tmp_path / "judged.json").exists()
    with pytest.raises(InputError, match="2 frames"):
        write_labelled(
            tmp_path, [LabelledMotion({"joint": random_motion(2)}, "train")], "authenticity", {}
        )
    mixed = [
        LabelledMotion({"joint": random_motion(9)}, "train"),
        LabelledMotion({"joint": random_motion(9)[:, :65]}, "train"),
    ]
    with pytest.raises(InputError, match=r"shape \(9, 65\)"):
        write_labelled(tmp_path, mixed, "authenticity", {})


def test_folders_go_by_the_stage_that_learns_from_them(tmp_path):
    for stage in ("preference", "authenticity"):
        write_labelled(
            tmp_path / stage, [LabelledMotion({"joint": random_motion(9)}, "train")], stage, {}
        )
    folders = labelled_folders([tmp_path / "preference", tmp_path / "authenticity"])
    assert folders == {name: tmp_path / name for name in ("preference", "authenticity")}
