"""The loop: it learns, all methods see the same prompts and noise, bad gradients are refused, views, cost."""

from __future__ import annotations

import math

import pytest
import torch

from motionrft.errors import InputError
from motionrft.finetune.loop import Training
from motionrft.metrics.training_record import wide
from tests.same import assert_same

from .toy_run import METHODS, SAMPLERS, prompts, toy_run


def flat(run) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in run.trained])


def trained(tmp_path, method="draft", **settings):
    extra = {
        key: settings.pop(key) for key in ("sampler", "dropout", "guidance") if key in settings
    }
    run = toy_run(METHODS[method], {"updates": 8, **settings}, **extra)
    training = Training(run, tmp_path / "checkpoint")
    return run, training, training.run()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_raises_its_reward(tmp_path, method, sampler):
    run = toy_run(METHODS[method], {"updates": 60, "lr": 0.02, "clip": 0.0}, sampler=sampler)
    fixed = prompts(0)
    run.batch = lambda k: fixed
    with torch.no_grad():
        objective = run.objective(fixed)

        def mean_reward() -> float:
            z = run.sampler.sample(fixed.condition, fixed.noise())
            return float(objective.rewards(z)["total"].mean())

        before = mean_reward()
        with torch.enable_grad():
            record = Training(run, tmp_path / "checkpoint").run()
        after = mean_reward()
    assert after > before + 0.02
    table = wide(record)
    assert list(table["update"]) == list(range(1, 61))
    assert run.sampler.denoiser.frozen.weight.grad is None


def test_methods_see_the_same_prompts_and_the_same_noise(tmp_path):
    seen = {}
    for method in METHODS:
        run = toy_run(METHODS[method], {"trajectories": 3})
        drawn, original = [], run.batch

        def remember(k, drawn=drawn, original=original):
            batch = original(k)
            drawn.append((batch.condition.text.pooled, batch.noise().start))
            return batch

        run.batch = remember
        Training(run, tmp_path / method).run()
        seen[method] = torch.cat([torch.cat([a, b.flatten(1)], 1) for a, b in drawn])
    for numbers in seen.values():
        assert torch.equal(numbers, seen["draft"])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("method", METHODS)
def test_slices_and_micro_batches_change_nothing(tmp_path, method):
    whole, _, record = trained(tmp_path / "a", method)
    sliced, _, sliced_record = trained(tmp_path / "b", method, slices=3)
    micro, *_ = trained(tmp_path / "c", method, micro_batch=4)
    assert_same(flat(sliced), flat(whole))
    assert_same(flat(micro), flat(whole))
    assert_same(*(torch.tensor(wide(r)["reward"].to_numpy()) for r in (record, sliced_record)))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("activations", ["checkpoint", "exact"])
def test_memory_saving_forms_train_the_same(tmp_path, method, activations):
    plain, *_ = trained(tmp_path / "a", method, kl=0.1)
    other, *_ = trained(tmp_path / "b", method, kl=0.1, activations=activations)
    assert_same(flat(other), flat(plain))


@pytest.mark.usefixtures("float64")
def test_checkpointing_replays_the_dropout_masks(tmp_path):
    options = {"train_dropout": True, "dropout": 0.3, "updates": 3}
    plain, *_ = trained(tmp_path / "a", "draft", **options)
    kept, *_ = trained(tmp_path / "b", "draft", activations="checkpoint", **options)
    assert_same(flat(kept), flat(plain))
    with pytest.raises(InputError, match="dropout"):
        trained(tmp_path / "c", "draft", activations="exact", **options)


def test_kl_holds_the_model_near_its_start(tmp_path):
    start = flat(toy_run(METHODS["easytune"], {"updates": 1}))
    free, *_ = trained(tmp_path / "a", "easytune", updates=40, optimizer="sgd", lr=0.05)
    held, *_ = trained(tmp_path / "b", "easytune", updates=40, optimizer="sgd", lr=0.05, kl=20.0)
    assert (flat(held) - start).norm() < 0.5 * (flat(free) - start).norm()


def test_counts_of_one_trajectory(tmp_path):
    _, training, record = trained(tmp_path, "draft", trajectories=2, updates=None)
    table = wide(record)
    assert list(table["forwards"]) == [5, 10]
    assert list(table["backwards"]) == [3, 6]
    assert list(table["scorings"]) == [1, 2]
    assert list(table["flops"]) == [
        training.flops.of({"forwards": 5 * n, "backwards": 3 * n, "scorings": n}) for n in (1, 2)
    ]
    # guidance doubles the rows: 2 * rows * frames * (9 * 8 + 8 * 4) multiply-adds
    assert training.flops.forward == 2 * (2 * 6 * 6 * (9 * 8 + 8 * 4))
    _, _, record = trained(
        tmp_path / "exact", "draft", trajectories=1, updates=None, activations="exact"
    )
    assert list(wide(record)["forwards"]) == [8]
    _, _, record = trained(tmp_path / "easy", "chain", trajectories=1, updates=None)
    table = wide(record)
    assert list(table["scorings"]) == [1, 2]
    assert list(table["step"]) == [3, 4]


def test_a_budget_ends_the_run_where_it_says(tmp_path):
    _, training, _ = trained(tmp_path / "a", "easytune", updates=5)
    assert training.updater.updates == 5
    _, training, _ = trained(tmp_path / "b", "draft", updates=None, denoiser_calls=30)
    assert 30 <= training.meter.denoiser_calls <= 38
    _, training, _ = trained(tmp_path / "c", "draft", updates=None, seconds=0.05)
    assert training.meter.seconds >= 0.05
    with pytest.raises(InputError, match="exactly one"):
        trained(tmp_path / "d", "draft", trajectories=3)
    with pytest.raises(InputError, match="exactly one"):
        trained(tmp_path / "e", "draft", updates=None)


def test_a_poisoned_step_is_skipped_and_counted(tmp_path):
    run = toy_run(METHODS["draft"], {"updates": 6})
    run.reward.poison = 4
    record = Training(run, tmp_path / "checkpoint").run()
    table = wide(record)
    # the reward's first call is the FLOP count's
    assert list(table["skipped"]) == [0, 0, 1, 1, 1, 1]
    assert math.isnan(table["loss"][2])
    assert torch.isfinite(flat(run)).all()


def test_too_many_refused_steps_end_the_run_with_the_last_good_weights(tmp_path):
    run = toy_run(METHODS["easytune"], {"updates": 50, "max_skipped": 3})
    original, kept = run.batch, {}

    def breaking(k):
        kept[k] = flat(run).clone()
        batch = original(k)
        if k >= 4:
            batch.captions.pooled.fill_(float("nan"))
        return batch

    run.batch = breaking
    training = Training(run, tmp_path / "checkpoint")
    training.run()
    assert training.ended == "too many refused updates"
    assert training.updater.skipped == 3
    # trajectory 3 was clean and began with these
    assert torch.equal(flat(run), kept[3])


def test_an_exploding_gradient_is_refused(tmp_path):
    run = toy_run(METHODS["draft"], {"updates": 14, "explosion": 50.0})
    original = run.batch

    def breaking(k):
        batch = original(k)
        if k == 12:
            batch.captions.pooled.mul_(1e4)
        return batch

    run.batch = breaking
    table = wide(Training(run, tmp_path / "checkpoint").run())
    assert list(table["skipped"])[11:] == [0, 1, 1]


def test_validation_selects_and_stops_early(tmp_path):
    scores = iter([0.0, 1.0, 3.0, 2.0, 2.5])
    run = toy_run(
        METHODS["chain"], {"updates": 40, "validate_every": 3, "select": "best", "patience": 2}
    )
    snapshots = []

    def validate():
        snapshots.append(flat(run).clone())
        return {"reward": next(scores)}

    run.validation = validate
    training = Training(run, tmp_path / "checkpoint")
    record = training.run()
    assert training.ended == "no improvement on validation"
    assert list(record[record["name"] == "val/reward"]["update"]) == [0, 3, 6, 9, 12]
    # the policy, not the weights the chain samples with, is judged and kept
    assert torch.equal(flat(run), snapshots[2])
    assert not torch.equal(snapshots[1], snapshots[0])


def test_warmup_counts_the_methods_own_updates(tmp_path):
    _, _, record = trained(tmp_path, "easytune", updates=10, warmup=0.5, schedule="cosine")
    rates = wide(record)["lr"] / 0.01
    assert list(rates[:5]) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert list(rates[5:]) == pytest.approx(
        [0.5 * (1 + math.cos(math.pi * n / 5)) for n in range(5)]
    )


@pytest.mark.parametrize("method", ["draft", "chain"])
def test_a_run_ends_with_the_moving_average_of_its_weights(tmp_path, method):
    settings = {"updates": 6, "lr": 0.05, "ema": 0.5, "validate_every": 2, "select_by": "mean"}
    run = toy_run(METHODS[method], settings)
    training = Training(run, tmp_path / "checkpoint")
    validated, steps = [], [flat(run)]
    run.validation = lambda: validated.append(flat(run)) or {"mean": 0.0}
    take = training.updater.step

    def step(**given):
        norm = take(**given)
        steps.append(torch.cat([tensor.detach().flatten() for tensor in training.updater.policy]))
        return norm

    training.updater.step = step
    training.run()
    average, averages = steps[0], [steps[0]]
    for k, weights in enumerate(steps[1:]):
        decay = min(0.5, (1 + k) / (10 + k))
        average = decay * average + (1 - decay) * weights
        averages.append(average)
    assert len(steps) == 7
    torch.testing.assert_close(flat(run), averages[-1])
    assert float((averages[-1] - steps[-1]).abs().max()) > 1e-3
    torch.testing.assert_close(torch.stack(validated), torch.stack(averages[::2]))


def test_the_best_of_the_averages_is_kept(tmp_path):
    settings = {"updates": 6, "lr": 0.05, "ema": 0.5, "validate_every": 1, "select_by": "mean"}
    run = toy_run(METHODS["draft"], {**settings, "select": "best"})
    seen = []
    scores = iter([0.0, 1.0, 5.0, 2.0, 1.0, 1.0, 1.0])
    run.validation = lambda: seen.append(flat(run)) or {"mean": next(scores)}
    training = Training(run, tmp_path / "checkpoint")
    training.run()
    assert training.best.step == 2
    assert torch.equal(flat(run), seen[2])


def test_without_an_average_nothing_is_remembered(tmp_path):
    _, training, _ = trained(tmp_path)
    assert training.updater.average is None
    assert training.updater.result is training.updater.policy
    with pytest.raises(InputError, match="ema"):
        trained(tmp_path, ema=1.0)


@pytest.mark.parametrize(("zero", "ends"), [(3, "which learned nothing"), (4, "is the base model")])
def test_updates_without_a_gradient_are_said(tmp_path, monkeypatch, caplog, zero, ends):
    """As those of a sample that no live step reaches."""
    calls = iter(range(4))

    def cut(parameters):
        if next(calls) < zero:
            for parameter in parameters:
                parameter.grad.zero_()

    monkeypatch.setattr("motionrft.finetune.loop.sum_gradients", cut)
    trained(tmp_path, updates=4)
    [warning] = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert f"exactly zero in {zero} of 4 updates" in warning
    assert warning.endswith(ends)


@pytest.mark.parametrize("method", ["drtune", "alignprop"])
def test_every_update_learns_where_the_network_predicts_the_clean_sample(tmp_path, method):
    """Its last ancestral step and its clean estimate are the output alone (A = P = 0)."""
    run = toy_run(METHODS[method], {"updates": 8}, sampler="ddpm")
    record = Training(run, tmp_path / "checkpoint").run()
    norms = record[record["name"] == "grad_norm"]["value"]
    assert len(norms) == 8
    assert norms.min() > 1e-3 * norms.max()


def test_a_run_whose_gradients_live_says_nothing(tmp_path, caplog):
    trained(tmp_path, updates=2)
    assert not [entry for entry in caplog.records if entry.levelname == "WARNING"]
