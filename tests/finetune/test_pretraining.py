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

from .toy_run import toy_run

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
