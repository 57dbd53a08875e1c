"""Files of other code bases: read without running them, taken whole."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from motionrft.checkpoints import LoadReport, load_into, read_checkpoint, write_checkpoint
from motionrft.errors import InputError


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "model.pt"
    write_checkpoint(path, {"state_dict": {"weight": torch.ones(2)}, "epoch": 3})
    assert read_checkpoint(path)["epoch"] == 3
    assert torch.equal(read_checkpoint(path, "ema", "state_dict")["weight"], torch.ones(2))
    with pytest.raises(
        InputError,
        match=r"model\.pt: ema: no such part; the file holds state_dict, epoch\. Fix: use the release",
    ):
        read_checkpoint(path, "ema", source="the release")


def test_absent_and_dangerous_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.pt: no such file\. Fix: get the release"):
        read_checkpoint(tmp_path / "gone.pt", source="the release")
    path = tmp_path / "code.pt"
    path.write_bytes(pickle.dumps(print, protocol=2))
    with pytest.raises(InputError, match=r"code\.pt: not a checkpoint of plain tensors"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"weight": torch.zeros(3, 3)},
            r"file: net\.weight: shape \(3, 3\).*\(1, 2\) in the model",
        ),
        ({"weight": 3.0}, r"file: net\.weight: a float, not a tensor"),
        ({"other": torch.zeros(1)}, r"file: net\.other: 0 tensors missing.*1 unknown"),
    ],
)
def test_a_mismatch_is_one_line(change, message):
    module = nn.Linear(2, 1)
    with pytest.raises(InputError, match=message):
        load_into(module, {**module.state_dict(), **change}, "file", "net.")


def test_everything_is_loaded():
    module = nn.Linear(2, 1)
    names = load_into(module, {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, "file", "net.")
    assert names == ["net.weight", "net.bias"]
    assert torch.equal(module.weight, torch.ones(1, 2))
    assert str(LoadReport("file", names, [])) == (
        "file: 2 tensors matched, 0 ignored, 0 missing, 0 unexpected"
    )
