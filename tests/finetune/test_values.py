"""Rewards that have a value and no gradient."""

from __future__ import annotations

import pytest
import torch

from motionrft.configuration import resolve
from motionrft.corpus.kinds.toy import make_clip
from motionrft.errors import InputError
from motionrft.finetune import values
from motionrft.finetune.cells import check_cells
from motionrft.finetune.value_reward import Scene, ValueReward
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import JOINT
from motionrft.text.features import TextBatch


def captions(rows):
    nothing = torch.zeros(rows, 1, 1)
    return TextBatch(
        torch.zeros(rows, 2), nothing, nothing[..., 0].bool(), torch.zeros(rows).long()
    )


def standing_and_sliding():
    """A body at rest on the floor, and the same pushed along at 2 m/s; raw joint features [2, 40, 66]."""
    joints = torch.from_numpy(make_clip(0, {"seed": 0})[0]).float()[:1].repeat(40, 1, 1)
    joints[..., 1] -= joints[..., 1].min()
    pushed = joints.clone()
    pushed[..., 0] += 0.1 * torch.arange(40)[:, None]
    return torch.stack([joints, pushed]).flatten(2)


def test_feet_that_stay_are_one_and_feet_that_slide_are_zero():
    value = values.load("foot_skating")(Scene.of(JOINT, {}, None))
    found = value(standing_and_sliding(), torch.tensor([40, 40]), captions(2))
    assert found.tolist() == [1.0, 0.0]


def test_the_rank_of_ones_own_caption():
    texts = torch.tensor([[0.0], [1.0], [1.0], [5.0]])
    motions = torch.tensor([[0.1], [1.2], [4.0], [float("nan")]])
    scene = Scene.of(JOINT, {}, lambda: lambda raw, lengths, text: (motions, texts))
    found = values.load("retrieval_rank")(scene)(torch.zeros(4, 1, 1), torch.ones(4), captions(4))
    # the third is nearest to the fourth caption; the second's twin is no rival
    torch.testing.assert_close(found, torch.tensor([1.0, 1.0, 0.5, 0.0]))


def test_no_evaluator_no_rank():
    with pytest.raises(InputError, match="--evaluator"):
        values.load("retrieval_rank")(Scene.of(JOINT, {}, None))


class Trained:
    """Half the mean of the features."""

    alphas = torch.ones(1)

    def context(self, text, references, lengths, representation):
        return representation

    def __call__(self, features, lengths, context, t):
        assert context == JOINT
        mean = features.mean((1, 2))
        return {"semantic": mean, "total": 0.5 * mean}


def test_the_sum_is_weighted_and_says_that_it_has_no_gradient():
    statistics = Normaliser(torch.full((3,), 2.0), torch.full((3,), 4.0))
    seen = []

    def value(raw, lengths, text):
        seen.append(raw)
        return lengths.to(raw)

    reward = ValueReward(Trained(), {"long": value}, {"long": 0.1}, statistics)
    assert (reward.differentiable, reward.max_t) == (False, 0)
    lengths = torch.tensor([3, 5])
    context = reward.context(captions(2), None, lengths, JOINT)
    features = torch.ones(2, 6, 3, requires_grad=True)
    scores = reward(features, lengths, context, None)
    assert scores["total"].tolist() == pytest.approx([0.5 + 0.3, 0.5 + 0.5])
    assert set(scores) == {"semantic", "long", "total"}
    assert not scores["total"].requires_grad
    torch.testing.assert_close(seen[0], torch.full((2, 6, 3), 6.0))


def planned(name, method, **changes):
    run = resolve(
        {
            "name": "t",
            "corpus": {"kind": "toy"},
            "backbones": ["mdm"],
            "methods": [method],
            "override": {"methods": {method: {"values": {name: 1.0}}}},
            **changes,
        }
    )
    check_cells(run, "run.yaml")


def test_what_is_refused_when_a_run_is_planned():
    planned("foot_skating", "ddpo")
    with pytest.raises(InputError, match="did you mean foot_skating"):
        planned("foot_skatin", "ddpo")
    with pytest.raises(InputError, match="trains nothing"):
        planned("foot_skating", "best-of-4")
    planned("retrieval_rank", "ddpo")
    with pytest.raises(InputError, match="same text encoder"):
        planned("retrieval_rank", "ddpo", size="paper")
