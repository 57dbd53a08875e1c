"""Selection by one number and by several, and the ceiling of the reward."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from motionrft.finetune.loop import Training
from motionrft.finetune.selection import selection_score, standard_errors
from motionrft.finetune.validation import RECORDED, RewardValidation, recorded_reward
from tests.same import SHARE

from .toy_run import FRAMES, METHODS, Reward, prompts, toy_run

FIRST = {
    "R@1": 0.2, "R@1 error": 0.1, "FID": 2.0, "FID error": 0.5, "reward": -1.0, "jerk": 3.0,
}  # fmt: skip


def test_one_name_is_its_number():
    assert selection_score("FID", FIRST, {}) == 2.0
    assert selection_score("-FID", FIRST, {}) == -2.0
    assert selection_score("reward", FIRST, {}) == -1.0


def test_of_several_the_mean_gain_in_standard_errors_of_the_base_counts():
    assert selection_score("R@1, -FID", FIRST, FIRST) == 0.0
    # errors of later validations do not count: they would prefer a small gain that is certain to a large one
    better = {"R@1": 0.5, "FID": 1.5, "R@1 error": 1e-6, "FID error": 1e-6}
    assert selection_score("R@1, -FID", better, FIRST) == pytest.approx((3 + 1) / 2)
    within = {"R@1": 0.5, "FID": 2.4}  # FID is worse, by less than its standard error
    assert selection_score("R@1,-FID", within, FIRST) == pytest.approx((3 - 0.8) / 2)
    assert selection_score("R@1,FID", within, FIRST) == pytest.approx((3 + 0.8) / 2)


def test_none_of_several_is_traded_for_another():
    assert selection_score("R@1,-FID", {"R@1": 0.9, "FID": 3.0}, FIRST) == pytest.approx(-2.0)
    for names in ("R@1,-FID", "-FID,R@1"):
        assert math.isnan(selection_score(names, {"R@1": 0.9, "FID": math.nan}, FIRST))


def test_prompts_that_are_all_alike_have_no_standard_error_to_lose():
    alike = FIRST | {"R@1": 0.0, "R@1 error": 0.0}
    assert selection_score("R@1,-FID", alike, alike) == 0.0
    assert selection_score("R@1,-FID", {"R@1": 0.0, "FID": 1.5}, alike) == pytest.approx(0.5)
    assert selection_score("R@1,-FID", {"R@1": 0.1, "FID": 1.5}, alike) == math.inf
    assert selection_score("-R@1,-FID", {"R@1": 0.1, "FID": 1.5}, alike) == -math.inf


def test_standard_errors_are_those_of_means_over_prompts():
    rows = {"MM": [1.0, 2.0, math.nan, 3.0], "even": [2.0, 2.0], "one": [1.0, math.nan]}
    errors = standard_errors(rows)
    assert errors["MM error"] == pytest.approx(1 / math.sqrt(3))
    assert errors["even error"] == 0.0
    assert math.isnan(errors["one error"])


@pytest.mark.parametrize(
    ("names", "message"),
    [("R@2", "R@2"), ("R@1,-MM", "MM"), ("R@1,-jerk", "choose from R@1, FID")],
)
def test_what_cannot_select_is_one_clear_error(names, message):
    with pytest.raises(InputError, match=message):
        selection_score(names, FIRST, FIRST)


def ended(tmp_path, ceiling: float) -> tuple[str, int]:
    settings = {"updates": 6, "validate_every": 1, "reward_ceiling": ceiling}
    run = toy_run(METHODS["draft"], settings)
    rewards = iter([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
    run.validation = lambda: {"reward": next(rewards), "recorded reward": 0.8}
    training = Training(run, tmp_path / f"{ceiling}")
    training.run()
    return training.ended, training.updater.updates


def test_a_run_ends_at_the_reward_of_recorded_motions(tmp_path):
    assert ended(tmp_path, 1.0) == ("the reward of the recorded motions is reached", 3)
    assert ended(tmp_path, 0.8) == ("the reward of the recorded motions is reached", 2)
    assert ended(tmp_path, 0.0) == ("", 6)


def test_the_best_by_two_numbers_is_kept_through_a_resumption(tmp_path):
    settings = {
        "trajectories": 4,
        "validate_every": 1,
        "checkpoint_every": 1,
        "checkpoint_minutes": 0.0,
        "select": "best",
        "select_by": "R@1, -FID",
    }
    numbers = [(0.2, 2.0), (0.5, 2.5), (0.3, 1.5), (0.9, 4.0), (0.1, 0.1)]
    errors = {"R@1 error": 0.09, "FID error": 0.4}
    run = toy_run(METHODS["draft"], settings)
    kept = []

    def validation():
        kept.append(torch.cat([p.detach().flatten() for p in run.trained]))
        return errors | dict(zip(("R@1", "FID"), numbers[len(kept) - 1], strict=True))

    run.validation = validation
    original = run.batch

    def until_the_third(k):
        if k == 2 and len(kept) == 3:
            raise KeyboardInterrupt
        return original(k)

    run.batch = until_the_third
    with pytest.raises(KeyboardInterrupt):
        Training(run, tmp_path / "checkpoint").run()
    run.batch = original
    training = Training(run, tmp_path / "checkpoint")
    training.run()
    assert training.best.step == 2
    assert torch.equal(torch.cat([p.detach().flatten() for p in run.trained]), kept[2])


@pytest.mark.usefixtures("float64")
def test_recorded_motions_are_rewarded_under_their_own_captions():
    reward, batch = Reward(), prompts(0)
    motions = Batch(batch.references, batch.lengths, ["a person walks"] * 6, list("abcdef"))
    kept = (torch.arange(FRAMES)[None] < batch.lengths[:, None])[..., None]
    motions = replace(motions, features=motions.features * kept)
    mean = motions.features.sum(1) / batch.lengths[:, None]
    near = -(mean - batch.captions.pooled @ reward.map.T).square().mean(1)
    expected = near - 0.01 * motions.features.square().mean((1, 2))
    found = recorded_reward(reward, motions, batch, "kinematic")
    assert found == pytest.approx(float(expected.mean().detach()), rel=SHARE)


def test_a_validation_says_the_recorded_reward():
    run = toy_run(METHODS["draft"], {"updates": 1})
    given = (run.backbone, run.sampler, run.reward, {"near": 1.0, "size": 1.0}, [prompts(0)])
    plain, told = RewardValidation(*given), RewardValidation(*given, recorded=0.25)
    assert told() == {**plain(), RECORDED: 0.25}


def test_a_validation_says_how_exact_it_is():
    run = toy_run(METHODS["draft"], {"updates": 1})
    weights = {"near": 1.0, "size": 2.0}
    one = (run.backbone, run.sampler, run.reward, weights)
    numbers = RewardValidation(*one, [prompts(0), prompts(1)])()
    with torch.no_grad():
        batches = [run.objective(prompts(k)).rewards(run.sampler.sample(prompts(k).condition, prompts(k).noise())) for k in (0, 1)]  # fmt: skip
    near, size = (torch.cat([batch[name] for batch in batches]) for name in weights)
    for name, rows in {"near": near, "reward": near + 2 * size}.items():
        assert numbers[name] == pytest.approx(float(rows.mean()), rel=1e-5)
        assert numbers[f"{name} error"] == pytest.approx(float(rows.std()) / 12**0.5, rel=1e-5)
