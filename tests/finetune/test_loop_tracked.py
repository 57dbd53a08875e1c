"""A tracker sees what the record holds: rewards, validation and costs; weights and record are the same without it."""

from __future__ import annotations

from dataclasses import replace

import torch

from motionrft.finetune.loop import Training
from motionrft.finetune.validation import RECORDED
from motionrft.training import tracking

from .toy_run import METHODS, toy_run

SETTINGS = {"updates": 6, "validate_every": 2}
PASSING = ("wall_s", "seconds", "peak_bytes")  # what two runs of one machine do not share


class Kept:
    """Keeps what it is told."""

    def __init__(self, folder, name):
        del folder, name
        Kept.told = self.rows = []

    def scalars(self, step, values):
        self.rows += [(step, name, value) for name, value in values.items()]

    def close(self):
        self.rows.append("closed")


def run(folder, kind):
    tuning = toy_run(METHODS["draft"], SETTINGS)
    numbers = {"reward": 0.5, RECORDED: 1.0, "FID": float("nan")}
    tuning = replace(tuning, validation=lambda: dict(numbers))
    training = Training(tuning, folder / kind)
    with tracking.tracked(kind, folder):
        record = training.run()
    return [weight.detach().clone() for weight in tuning.trained], record


def test_rewards_validation_and_costs_as_they_come(tmp_path, monkeypatch):
    monkeypatch.setitem(tracking.KINDS, "kept", Kept)
    plain, record = run(tmp_path, "none")
    followed, same = run(tmp_path, "kept")
    assert all(torch.equal(a, b) for a, b in zip(plain, followed, strict=True))
    timeless = [
        frame[~frame["name"].isin(PASSING)].reset_index(drop=True) for frame in (record, same)
    ]
    assert timeless[0].equals(timeless[1])
    *told, last = Kept.told
    assert last == "closed"
    finite = same[same["value"].map(torch.tensor).map(torch.isfinite).map(bool)]
    assert told == [tuple(row) for row in finite.itertuples(index=False)]
    assert {"reward", "val/reward", "denoiser_calls", "wall_s"} <= {name for _, name, _ in told}
