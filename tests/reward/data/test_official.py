"""The released data files, and bad ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.errors import InputError
from motionrft.reward.data.official import official_generated, official_pairs


def test_released_preference_files(tmp_path):
    path = tmp_path / "critic_train_22x3.pth"
    better, worse = torch.randn(1, 6, 22, 3), torch.randn(8, 22, 3)
    torch.save([{"motion_better": better, "motion_worse": worse.numpy()}], path)
    with pytest.raises(InputError, match=r"\[0\]: 6 frames against 8"):
        list(official_pairs([path]))
    worse = worse[:6]
    torch.save([{"motion_better": better, "motion_worse": worse.numpy()}], path)
    (pair,) = official_pairs([path])
    assert pair.better.split == "train"
    assert pair.better.features["joint"].shape == (6, 66)
    assert np.array_equal(pair.worse.features["joint"], worse.flatten(1).numpy())
    stacked = {"motion_better": torch.randn(2, 9, 22, 3), "motion_worse": torch.randn(2, 9, 22, 3)}
    stacked |= {"length_better": torch.tensor([5, 7]), "length_worse": torch.tensor([5, 7])}
    torch.save(stacked, path)
    assert [len(p.worse.features["joint"]) for p in official_pairs([path])] == [5, 7]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("critic_train_135.pth", [{"motion_better": torch.zeros(6, 66), "motion_worse": torch.zeros(6, 66)}], "no rotation motion"),
        ("critic_train_263.pth", [{"motion_better": torch.zeros(6, 263)}], "motion_worse: missing"),
        ("critic_train_263.pth", {"motion_better": torch.zeros(2, 6, 263), "motion_worse": torch.zeros(3, 6, 263)}, "2 better but 3 worse"),
        ("critic_train_263.pth", {"motion_better": torch.zeros(2, 6, 263), "motion_worse": torch.zeros(2, 6, 263), "length_worse": torch.tensor([5])}, "length_worse: 1 lengths for 2"),
        ("critic_263.pth", [], "which split"),
        ("critic_train_9.pth", [], "which representation"),
        ("critic_train_263.pth", [{"motion_better": "x", "motion_worse": "y"}], "not a tensor"),
    ],
)  # fmt: skip
def test_bad_preference_files_are_named(tmp_path, name, value, message):
    torch.save(value, tmp_path / name)
    with pytest.raises(InputError, match=message):
        list(official_pairs([tmp_path / name]))


def test_bytes_that_are_no_file_of_tensors_are_named(tmp_path):
    path = tmp_path / "critic_train_263.pth"
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match="not a checkpoint of plain tensors"):
        list(official_pairs([path]))


def test_released_authenticity_files(tmp_path):
    path = tmp_path / "ai_generated_val.pth"
    entry = {
        "motions": torch.randn(2, 12, 22, 3),
        "lengths": torch.tensor([8, 12]),
        "sources": ["mld", "acmdm"],
    }
    torch.save({"22x3": entry}, path)
    first, second = official_generated([path], held_out=["acmdm"])
    assert (first.generator, first.split, len(first.features["joint"])) == ("mld", "val", 8)
    assert (second.generator, second.split) == ("acmdm", "held_out")
    torch.save({"22x3": {**entry, "lengths": torch.tensor([8])}}, path)
    with pytest.raises(InputError, match="2 motions but 1 lengths"):
        list(official_generated([path]))
    torch.save({"22x3": {**entry, "sources": ["mld"]}}, path)
    with pytest.raises(InputError, match="2 motions but 1 sources"):
        list(official_generated([path]))
    torch.save({"201": entry}, path)
    with pytest.raises(InputError, match="unknown representation '201'"):
        list(official_generated([path]))
