"""A training's state between two kills, and its best weights."""

import logging

import pytest
import torch

from motionrft.errors import InputError
from motionrft.training.checkpoint import BestWeights, Checkpoint, CheckpointClock


def test_a_state_comes_back(tmp_path):
    kept = Checkpoint(tmp_path / "run.pt", {"lr": 1.0})
    assert kept.load() is None
    kept.save({"step": 3, "weights": [torch.ones(2)]})
    state = kept.load()
    assert state is not None
    assert state["step"] == 3
    assert torch.equal(state["weights"][0], torch.ones(2))
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_another_run_starts_over(tmp_path, caplog):
    Checkpoint(tmp_path / "run.pt", {"lr": 1.0}).save({"step": 3})
    with caplog.at_level(logging.WARNING):
        assert Checkpoint(tmp_path / "run.pt", {"lr": 2.0}).load() is None
    assert "starting over" in caplog.text


def test_an_unreadable_file_is_named(tmp_path):
    path = tmp_path / "run.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match=r"run\.pt: unreadable.*delete it"):
        Checkpoint(path, {}).load()


def test_the_best_weights_are_copies_and_nan_is_never_best():
    best, weights = BestWeights(), [torch.zeros(1)]
    assert best.offer(1.0, 5, weights)
    weights[0] += 1
    assert not best.offer(1.0, 6, weights)
    assert not best.offer(float("nan"), 7, weights)
    assert (best.score, best.step) == (1.0, 5)
    assert best.weights is not None
    assert float(best.weights[0]) == 0.0


@pytest.mark.parametrize(
    ("every", "minutes", "expected"), [(1, 2, [2, 4, 6]), (4, 2, [4]), (2, 0, [2, 4, 6])]
)
def test_a_checkpoint_is_due_by_time_and_on_multiples(monkeypatch, every, minutes, expected):
    now = 0.0
    monkeypatch.setattr("motionrft.training.checkpoint.time.monotonic", lambda: now)
    clock, written = CheckpointClock(every, minutes, now), []
    for done in range(1, 7):
        now += 60.0
        written += [done] if clock.due(done) else []
    assert written == expected
