"""What a tracker is told, what it writes, and that nothing depends on it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from motionrft.errors import InputError
from motionrft.training.loop import TrainSettings, fit
from motionrft.training.tracking import _current, track, tracked

SETTINGS = TrainSettings(steps=45, lr=0.1, validate_every=15, checkpoint_minutes=0, checkpoint_every=10)  # fmt: skip


def trained(folder, kind="none", until=None):
    """Weights and history of a small fit; until: the step at which it is killed."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))

    def loss(step, generator):
        if step == until:
            raise KeyboardInterrupt
        x = torch.randn(8, 3, generator=generator)
        return {"loss": (module(x) - x.sum(1, keepdim=True)).square().mean()}

    with tracked(kind, folder / "track", "small"):
        history = fit(
            module,
            list(module.parameters()),
            loss,
            SETTINGS,
            folder / "checkpoint",
            label="small",
            validation=lambda step: {"score": -float(step), "FID": float("nan")},
        )
    return [weight.detach().clone() for weight in module.parameters()], history


def events(folder):
    """Step -> value by name, as TensorBoard reads the folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    reader.Reload()
    return {
        name: [(event.step, event.value) for event in reader.Scalars(name)]
        for name in reader.Tags()["scalars"]
    }


def test_tensorboard_reads_the_history(tmp_path):
    _, history = trained(tmp_path, "tensorboard")
    read = events(tmp_path / "track")
    assert set(read) == {"loss", "grad_norm", "lr", "val/score"}  # nothing of NaN
    for name in ("loss", "grad_norm", "val/score"):
        rows = history[history["name"] == name]
        assert [step for step, _ in read[name]] == rows["step"].tolist()
        assert [value for _, value in read[name]] == pytest.approx(rows["value"].tolist(), rel=1e-6)
    assert [step for step, _ in read["val/score"]] == [14, 29, 44]


def test_weights_and_history_do_not_depend_on_it(tmp_path):
    plain, rows = trained(tmp_path / "plain")
    followed, same = trained(tmp_path / "followed", "tensorboard")
    assert all(torch.equal(a, b) for a, b in zip(plain, followed, strict=True))
    timed = rows["name"] == "train_s"
    assert rows[~timed].equals(same[~timed])
    assert not (tmp_path / "plain/track").exists()


def test_a_training_that_goes_on_has_every_step_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, "tensorboard", until=42)
    trained(tmp_path, "tensorboard")
    steps = [step for step, _ in events(tmp_path / "track")["loss"]]
    assert steps == [0, 20, 40, 44]


def test_wandb_is_offline_unless_asked(tmp_path, monkeypatch):
    told, asked = [], {}

    def init(**options):
        asked.update(options)
        return SimpleNamespace(
            log=lambda values, step: told.append((step, values)), finish=lambda: told.append("end")
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with tracked("wandb", tmp_path, "mdm"):
        track(3, {"reward": 0.5})
    assert (asked["mode"], asked["name"], asked["resume"]) == ("offline", "mdm", "allow")
    assert told == [(3, {"reward": 0.5}), "end"]
    first = asked["id"]
    monkeypatch.setenv("WANDB_MODE", "online")
    with tracked("wandb", tmp_path, "mdm"):
        pass
    assert (asked["mode"], asked["id"]) == ("online", first)


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_a_package_that_is_not_there_is_one_line(tmp_path, monkeypatch, kind):
    for name in ("wandb", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(InputError, match=rf"{kind} is not installed.*motionrft\[track\]"),
        tracked(kind, tmp_path),
    ):
        pass
    assert _current.get() is None


def test_other_processes_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("motionrft.training.tracking.rank", lambda: 1)
    with tracked("tensorboard", tmp_path / "track"):
        track(0, {"loss": 1.0})
    assert not (tmp_path / "track").exists()
