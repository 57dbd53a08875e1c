"""bf16 and compilation: the same training within stated bounds."""

from __future__ import annotations

import pytest
import torch

from motionrft.finetune.loop import Training

from .toy_course import METHODS, course


def moved(tmp_path, name: str, change=lambda run: None, **settings) -> torch.Tensor:
    """The first update's step under plain SGD, that is minus the gradient."""
    options = {"updates": 1, "optimizer": "sgd", "lr": 1.0, "clip": 0.0, **settings}
    run = course(METHODS["draft"], options)
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
        backbone = run.sampler.denoiser
        backbone.predict = torch.compile(backbone.predict, dynamic=True)

    assert (moved(tmp_path, "b", compiled) - exact).norm() < 1e-4 * exact.norm()
