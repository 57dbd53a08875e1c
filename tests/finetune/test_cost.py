"""The metered sampler in bf16 and compiled (the same training within stated bounds), and what a record says was spent."""

from __future__ import annotations

import time

import pytest
import torch

from motionrft.finetune.cost import Meter
from motionrft.finetune.loop import Training
from motionrft.finetune.setup import Compiled
from motionrft.metrics.training_record import at_equal, summary, until_level, wide

from .toy_run import METHODS, toy_run


def moved(tmp_path, name: str, change=lambda run: None, **settings) -> torch.Tensor:
    """The first update's step under plain SGD, that is minus the gradient."""
    options = {"updates": 1, "optimizer": "sgd", "lr": 1.0, "clip": 0.0, **settings}
    run = toy_run(METHODS["draft"], options)
    start = torch.cat([parameter.detach().flatten().clone() for parameter in run.trained])
    change(run)
    Training(run, tmp_path / name).run()
    return torch.cat([parameter.detach().flatten() for parameter in run.trained]) - start


def test_bf16_keeps_the_gradient_within_three_percent(tmp_path):
    exact = moved(tmp_path, "a")
    half = moved(tmp_path, "b", precision="bf16")
    assert half.dtype == torch.float32
    assert not torch.equal(half, exact)
    assert (half - exact).norm() < 0.03 * exact.norm()


@pytest.mark.slow
def test_the_compiled_network_trains_the_same(tmp_path):
    exact = moved(tmp_path, "a")

    def compiled(run):
        run.sampler.denoiser = Compiled(run.backbone)

    assert (moved(tmp_path, "b", compiled) - exact).norm() < 1e-4 * exact.norm()


def test_three_views_and_levels_of_one_record(tmp_path):
    run = toy_run(METHODS["easytune"], {"updates": 30, "validate_every": 5})
    scores = iter([0.1, 0.2, 0.4, 0.5, 0.45, 0.6, 0.7])
    run.validation = lambda: {"reward": next(scores)}
    record = Training(run, tmp_path / "checkpoint").run()
    table = wide(record)
    assert at_equal(table, "updates", [0, 7, 30], "val/reward") == [0.1, 0.2, 0.7]
    calls = float(table[table["update"] == 10]["denoiser_calls"].iloc[0])
    assert at_equal(table, "denoiser_calls", [calls, calls - 1], "val/reward") == [0.4, 0.2]
    assert at_equal(table, "wall_s", [1e9], "val/reward") == [0.7]
    levels = until_level(table, "val/reward", [0.05, 0.5, 0.9])
    assert [row["update"] for row in levels] == [0, 15, None]
    assert levels[1]["wall_s"] > 0
    costs = summary(record)
    assert costs["per_trajectory"]["scorings_mean"] == pytest.approx(2.0)
    assert costs["memory"]["peak_bytes"] > 0


def test_a_cpus_seconds_are_the_processors():
    """Waiting is no work; work counts on both clocks."""
    meter = Meter.of(torch.device("cpu"))
    meter.start()
    time.sleep(0.2)
    meter.stop()
    assert meter.wall_s >= 0.2
    assert meter.seconds < 0.1
    resting = meter.seconds
    meter.start()
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    meter.stop()
    assert meter.seconds - resting == pytest.approx(0.1, abs=0.05)
    assert Meter.of(torch.device("cuda")).clock == "wall"
