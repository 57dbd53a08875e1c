"""Further pre-training as a method: the control of every fine-tuning."""

from __future__ import annotations

import pytest
import torch

from motionrft.configuration import resolve
from motionrft.errors import InputError
from motionrft.finetune.cells import check_cells
from motionrft.finetune.loop import Training
from motionrft.forecast.count import method_calls
from motionrft.metrics.training_record import wide
from tests.same import assert_same

from .toy_run import METHODS, toy_run

PLAIN = {"optimizer": "sgd", "lr": 0.5, "clip": 0.0}


def reconstruction(network):
    """A loss that is a mean over rows, on the motions it is given."""

    def loss(batch, condition, stage, generator):
        assert stage == "denoiser"
        t = torch.zeros(len(batch.features), dtype=torch.long)
        error = network.predict(batch.features, t, condition) - batch.features
        return {"loss": error.square().mean()}

    return loss


def prepared(guidance=2.0, **settings):
    run = toy_run({"family": "pretraining"}, PLAIN | {"updates": 1} | settings, guidance=guidance)
    run.backbone.pretrain_loss = reconstruction(run.backbone)
    return run


def weights(run):
    return torch.cat([parameter.detach().flatten().clone() for parameter in run.trained])


@pytest.mark.usefixtures("float64")
def test_an_update_is_minus_the_gradient_of_its_loss(tmp_path):
    run = prepared()
    before = weights(run)
    batch = run.batch(0)
    gradient = torch.autograd.grad(run.pretraining_loss(batch), run.trained)
    record = Training(run, tmp_path / "checkpoint").run()
    expected = before - 0.5 * torch.cat([g.flatten() for g in gradient])
    assert_same(weights(run), expected)
    table = wide(record)
    assert table["scorings"].iloc[-1] == 0  # no reward was asked
    assert "reward" not in table
    assert table["loss"].iloc[-1] > 0


@pytest.mark.usefixtures("float64")
def test_a_data_loss_adds_its_gradient_to_every_update_of_a_method(tmp_path):
    """Two updates of EasyTune with a data loss of half: minus half the gradient of the pre-training loss, each at its own noise,
    beside the reward's."""
    drawn = []

    def prepared(updates, weight):
        run = toy_run(METHODS["easytune"], PLAIN | {"updates": updates, "data_loss": weight})
        plain = reconstruction(run.backbone)

        def loss(batch, condition, stage, generator):
            drawn.append(torch.randn((), generator=generator).item())
            return plain(batch, condition, stage, generator)

        run.backbone.pretrain_loss = loss
        return run

    ends, starts = {}, {}
    for weight in (0.0, 0.5):
        run = prepared(1, weight)
        starts[weight], batch = weights(run), run.batch(0)
        gradient = torch.autograd.grad(run.pretraining_loss(batch), run.trained)
        Training(run, tmp_path / f"{weight}").run()
        ends[weight] = weights(run)
    assert_same(starts[0.5], starts[0.0])
    expected = ends[0.0] - 0.5 * 0.5 * torch.cat([g.flatten() for g in gradient])
    assert_same(ends[0.5], expected)
    drawn.clear()
    Training(prepared(2, 0.5), tmp_path / "two").run()
    assert len(set(drawn)) == 2


@pytest.mark.usefixtures("float64")
def test_a_data_loss_does_not_depend_on_slices(tmp_path):
    runs = [
        toy_run(METHODS["easytune"], PLAIN | {"updates": 2, "data_loss": 1.0, **settings})
        for settings in ({}, {"slices": 2, "memory": "fixed"})
    ]
    for number, run in enumerate(runs):
        run.backbone.pretrain_loss = reconstruction(run.backbone)
        Training(run, tmp_path / str(number)).run()
    assert_same(weights(runs[1]), weights(runs[0]))


@pytest.mark.parametrize("method", ["chain", "draft"])
@pytest.mark.parametrize("guidance", [2.0, 1.0])
def test_what_a_data_loss_costs_is_counted_and_forecast(tmp_path, method, guidance):
    run = toy_run(
        METHODS[method], {"trajectories": 1, "updates": None, "data_loss": 1.0}, guidance=guidance
    )
    run.backbone.pretrain_loss = reconstruction(run.backbone)
    Training(run, tmp_path / "checkpoint").run()
    counted = method_calls(run.method, guided=guidance != 1.0, kl=False, data=True)
    meter = run.sampler.meter
    assert (meter.forwards, meter.backwards) == (counted.forwards, counted.live)


def test_a_data_loss_needs_recorded_motions():
    with pytest.raises(InputError, match=r"references"):
        toy_run(METHODS["easytune"], {"updates": 1, "data_loss": 1.0, "references": False})


@pytest.mark.parametrize(("guidance", "calls"), [(2.0, 0.5), (1.0, 1.0)])
def test_an_update_is_half_a_guided_call_and_a_whole_one_without_guidance(
    tmp_path, guidance, calls
):
    run = prepared(guidance)
    Training(run, tmp_path / "checkpoint").run()
    counted = method_calls(run.method, guided=guidance != 1.0, kl=False)
    assert run.sampler.meter.forwards == run.sampler.meter.backwards == calls
    assert (counted.forwards, counted.live, counted.scorings) == (calls, calls, 0)


@pytest.mark.usefixtures("float64")
def test_slices_make_the_same_update(tmp_path):
    whole, sliced = prepared(), prepared(slices=2, memory="fixed")
    for name, run in (("a", whole), ("b", sliced)):
        Training(run, tmp_path / name).run()
    assert_same(weights(sliced), weights(whole))


def test_it_is_validated_by_the_common_reward(tmp_path):
    run = prepared(updates=4, validate_every=2)
    scores = iter([0.1, 0.2, 0.3])
    run.validation = lambda: {"reward": next(scores)}
    table = wide(Training(run, tmp_path / "checkpoint").run())
    assert table["val/reward"].dropna().tolist() == [0.1, 0.2, 0.3]
    assert table["seconds"].iloc[-1] > 0


def test_it_needs_motions_and_a_loss_of_its_own(tmp_path):
    run = prepared()
    batch = run.batch

    def bare(k):
        from dataclasses import replace

        return replace(batch(k), references=None)

    run.batch = bare
    with pytest.raises(InputError, match="references"):
        Training(run, tmp_path / "checkpoint").run()
    distilled = resolve(
        {
            "name": "t",
            "corpus": {"kind": "toy"},
            "backbones": ["motionlcm-1step"],
            "methods": ["pretraining"],
        }
    )
    with pytest.raises(InputError, match="no loss of its own"):
        check_cells(distilled, "t")
    distilled = resolve(
        {
            "name": "t",
            "corpus": {"kind": "toy"},
            "backbones": ["motionlcm-1step"],
            "methods": ["easytune-data"],
        }
    )
    with pytest.raises(InputError, match="no loss of its own"):
        check_cells(distilled, "t")
