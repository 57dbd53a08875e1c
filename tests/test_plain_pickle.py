"""Checkpoints as people save them: whatever lies beside the weights, nothing of it runs."""

import argparse
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from motionrft.checkpoints import load_into, read_checkpoint, read_plain
from motionrft.errors import InputError
from motionrft.plain_pickle import Inert

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.tensor([1, 2])}


def same(content):
    assert list(content) == list(WEIGHTS)
    for name, value in WEIGHTS.items():
        assert torch.equal(content[name], value), name
        assert content[name].dtype == value.dtype


class Trainer:
    """Something that training tools leave in their checkpoints."""

    def __init__(self):
        self.history = [1, 2]


BESIDE = {
    "a numpy scalar": np.float64(0.5),
    "a Namespace": argparse.Namespace(lr=1e-4, layers=[1, 2]),
    "an object": Trainer(),
    "a dtype": torch.float16,
    "an array": np.arange(3),
    "a set": {1, 2},
    "a class": Trainer,
}


@pytest.mark.parametrize("kind", BESIDE)
def test_what_lies_beside_the_weights_does_no_harm(tmp_path, kind):
    torch.save({"state_dict": WEIGHTS, "extra": BESIDE[kind]}, tmp_path / "a.ckpt")
    same(read_checkpoint(tmp_path / "a.ckpt", "state_dict"))
    torch.save({**WEIGHTS, "extra": BESIDE[kind]}, tmp_path / "b.pt")
    content = read_plain(tmp_path / "b.pt")
    same({name: content[name] for name in WEIGHTS})


def test_numbers_and_arrays_keep_their_values(tmp_path):
    content = {
        "epoch": np.int64(7),
        "loss": np.float32(0.25),
        "mean": np.arange(3.0),
        "t": torch.ones(1),
    }
    torch.save(content, tmp_path / "a.pt")
    read = read_plain(tmp_path / "a.pt")
    assert (read["epoch"], read["loss"]) == (7, 0.25)
    assert type(read["epoch"]) is int
    assert read["mean"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: {f"module.{name}": value for name, value in w.items()},
        lambda w: {f"_orig_mod.{name}": value for name, value in w.items()},
        lambda w: {f"module._orig_mod.{name}": value for name, value in w.items()},
        lambda w: {name.replace("a.", "a._orig_mod."): value for name, value in w.items()},
        lambda w: {"state_dict": w, "epoch": 3},
        lambda w: {"model_state_dict": w, "optimizer": {"state": {0: {"exp": torch.ones(2)}}}},
        lambda w: {"state_dict": {f"model.{name}": value for name, value in w.items()}},
        lambda w: {"model": {f"module.{name}": value for name, value in w.items()}},
        lambda w: {name: nn.Parameter(value) if value.is_floating_point() else value for name, value in w.items()},
    ],
)  # fmt: skip
def test_weights_are_found_under_any_of_the_usual_names(tmp_path, wrap):
    torch.save(wrap(WEIGHTS), tmp_path / "a.pt")
    read = read_checkpoint(tmp_path / "a.pt", "ema", flat=True)
    same({name: value.detach() for name, value in read.items()})
    same(
        {
            name: value.detach()
            for name, value in read_checkpoint(tmp_path / "a.pt", "state_dict").items()
        }
    )


@pytest.mark.parametrize("legacy", [True, False])
def test_both_formats_of_torch_and_half_precision(tmp_path, legacy):
    half = {
        name: value.half() if value.is_floating_point() else value
        for name, value in WEIGHTS.items()
    }
    torch.save(half, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    same(read_checkpoint(tmp_path / "a.pt"))


def test_nothing_runs(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'owned'}",)

    class Loader:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (pickle.dumps(Evil()),)

    class Quiet:
        def __reduce__(self):
            return torch.hub.load, ("somebody/something", "model")

    for legacy in (True, False):
        for evil, name in ((Evil(), "posix.system"), (Loader(), "torch.storage._load_from_bytes")):
            torch.save(
                {**WEIGHTS, "evil": evil},
                tmp_path / "a.pt",
                _use_new_zipfile_serialization=not legacy,
            )
            with pytest.raises(InputError, match=f"it would run {name}"):
                read_plain(tmp_path / "a.pt")
        torch.save(
            {**WEIGHTS, "quiet": Quiet()},
            tmp_path / "a.pt",
            _use_new_zipfile_serialization=not legacy,
        )
        assert isinstance(read_plain(tmp_path / "a.pt")["quiet"], Inert)
    assert not (tmp_path / "owned").exists()
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError):
        read_plain(tmp_path / "plain.pkl")
    assert not (tmp_path / "owned").exists()


def test_a_scripted_module_is_refused(tmp_path):
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "a.pt")
    with pytest.raises(InputError, match="TorchScript"):
        read_plain(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer.*git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "an HTML page"),
        (b"", "an empty file"),
        (b"hello", "not a checkpoint"),
        (b"PK\x03\x04 truncated", "not a checkpoint"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_one_plain_line(tmp_path, data, message):
    path = tmp_path / "model.ckpt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read_plain(path)
    text = str(caught.value)
    assert "model.ckpt" in text
    assert "\x1b" not in text
    assert "\n" not in text
    with pytest.raises(InputError, match=r"no such file\. Fix: get the official file"):
        read_plain(tmp_path / "none")


def test_a_whole_module_is_named(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"it holds a torch\.nn\.modules\.linear\.Linear object"):
        read_plain(tmp_path / "a.pt")


def test_a_truncated_file_is_refused(tmp_path):
    torch.save(WEIGHTS, tmp_path / "a.pt")
    data = (tmp_path / "a.pt").read_bytes()
    for part in (0.2, 0.5, 0.95):
        (tmp_path / "b.pt").write_bytes(data[: int(part * len(data))])
        with pytest.raises(InputError, match="not a checkpoint"):
            read_plain(tmp_path / "b.pt")
    assert zipfile.is_zipfile(tmp_path / "a.pt")


def test_what_the_file_holds_is_said(tmp_path):
    torch.save({"optimizer": {}, "epoch": 3}, tmp_path / "a.pt")
    with pytest.raises(
        InputError, match="state_dict: no such part; the file holds optimizer, epoch"
    ):
        read_checkpoint(tmp_path / "a.pt", "state_dict")
    with pytest.raises(
        InputError,
        match=r"2 tensors missing from the file \(weight, bias\), 2 unknown to the model \(a\.weight, a\.bias\)",
    ):
        load_into(nn.Linear(3, 2), WEIGHTS, "a.pt")
