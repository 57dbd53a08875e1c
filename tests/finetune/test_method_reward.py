"""The reward that validates every method alike."""

import pytest
import torch

from motionrft.finetune.method_reward import validating
from motionrft.finetune.validation import RewardValidation

RUN = {"semantic": 1.0, "m2m": 0.5, "preference": 2e-4, "authenticity": 2e-4}


def test_it_counts_terms_of_the_semantic_stage_where_there_are_any():
    assert validating(RUN) == {"semantic": 1.0, "m2m": 0.5}
    people = {"semantic": 0.0, "m2m": 0.0, "preference": 1.0}
    assert validating(people) == people


@pytest.mark.parametrize("terms", [RUN, {"semantic": 1.0, "m2m": 0.5}])
def test_its_sum_does_not_depend_on_what_else_a_method_reads(terms, monkeypatch):
    values = {"semantic": 0.4, "m2m": 0.2, "preference": 90.0, "authenticity": 0.9}

    class Scored:
        def __init__(self, *_):
            pass

        def rewards(self, z):
            own = {name: torch.full_like(z, values[name]) for name in terms}
            return {**own, "total": sum(weight * own[name] for name, weight in terms.items())}

    class Batch:
        condition = None

        def noise(self):
            return torch.zeros(3)

        def __len__(self):
            return 3

    class Sampler:
        def sample(self, condition, noise):
            return noise

    monkeypatch.setattr("motionrft.finetune.validation.Objective", Scored)
    backbone = torch.nn.Linear(1, 1)
    validation = RewardValidation(backbone, Sampler(), None, validating(RUN), [Batch(), Batch()])
    numbers = validation()
    assert numbers["reward"] == pytest.approx(0.4 + 0.5 * 0.2)
    assert {name: numbers[name] for name in terms} == pytest.approx({n: values[n] for n in terms})
