"""The reward a fine-tuner sees."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from motionrft.errors import InputError
from motionrft.reward.files import save_branch, save_network
from motionrft.reward.latent import draws
from motionrft.reward.lora import LoraSettings
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.stages import load
from reference.tolerance import rounding

from .tiny import shake, tiny_network

WEIGHTS = {"semantic": 1.0, "m2m": 0.5, "preference": 0.3, "authenticity": 0.2}
ABOUT = {"noise": {"max_t": 300}, "official": {"no_clean_token": False}}


@pytest.fixture
def branches(network):
    branches = {
        task: load(task).new_branch(network, LoraSettings(4, 8)).freeze()
        for task in ("preference", "authenticity")
    }
    for branch in branches.values():
        shake(branch)
    return branches


@pytest.fixture
def reward(network, branches):
    return MotionReward(network, branches, WEIGHTS)


def test_dimensions_are_what_they_say(reward, network, branches, motions, words):
    features, lengths = motions
    context = reward.context(words, features.roll(1, 0), lengths.roll(1), "joint")
    scores = reward(features, lengths, context)
    zero = torch.zeros(3, dtype=torch.long)
    z = network.encode_motion(features, lengths, "joint", zero).mean
    text = network.encode_text(words.tokens, words.mask).mean
    torch.testing.assert_close(scores["semantic"], F.cosine_similarity(text, z))
    reference = network.encode_motion(features.roll(1, 0), lengths.roll(1), "joint", zero).mean
    torch.testing.assert_close(scores["m2m"], F.cosine_similarity(reference, z))
    heads = {
        task: branch.head(
            network.encode_motion(features, lengths, "joint", zero, branch.adapter).mean
        )
        for task, branch in branches.items()
    }
    torch.testing.assert_close(scores["preference"], heads["preference"][:, 0])
    torch.testing.assert_close(scores["authenticity"], heads["authenticity"].softmax(1)[:, 0])
    torch.testing.assert_close(scores["total"], sum(w * scores[k] for k, w in WEIGHTS.items()))
    assert list(scores) == ["semantic", "m2m", "preference", "authenticity", "total"]


def test_own_motion_has_m2m_one(reward, motions, words):
    features, lengths = motions
    context = reward.context(words, features, lengths, "joint")
    torch.testing.assert_close(reward(features, lengths, context)["m2m"], torch.ones(3))


def test_recorded_motions_are_encoded_where_a_term_reads_them(reward, motions, words):
    features, lengths = motions
    read = {"semantic": 1.0, "preference": 0.3, "authenticity": 0.2}
    alone = reward.view(weights={**read, "m2m": 0.0})
    context = alone.context(words, features, lengths, "joint")
    assert context.reference is None
    assert reward.context(words, features, lengths, "joint").reference is not None
    expected = reward(features, lengths, reward.context(words, features, lengths, "joint"))
    scores = alone(features, lengths, context)
    assert all(torch.equal(scores[name], expected[name]) for name in read)
    # draws keep their order
    drawn = alone.view(read=draws(torch.Generator().manual_seed(3)))
    assert drawn.context(words, features, lengths, "joint").reference is not None


def test_gradient_is_the_finite_difference_and_padding_has_none(words):
    network = tiny_network().double()
    reward = MotionReward(network, {}, {"semantic": 1.0})
    torch.manual_seed(0)
    lengths = torch.tensor([6, 4, 3])
    features = torch.randn(3, 6, 66, dtype=torch.double, requires_grad=True)
    doubled = type(words)(words.pooled.double(), words.tokens.double(), words.mask, words.eos)
    context = reward.context(doubled, None, lengths, "joint")
    total = reward(features, lengths, context, torch.tensor([0, 100, 250]))["total"].sum()
    (gradient,) = torch.autograd.grad(total, features)
    assert (gradient[1, 4:] == 0).all()
    assert (gradient[1, :4] != 0).any()
    for place in ((0, 5, 3), (2, 1, 60)):
        moved = []
        for step in (1e-5, -1e-5):
            shifted = features.detach().clone()
            shifted[place] += step
            moved.append(
                reward(shifted, lengths, context, torch.tensor([0, 100, 250]))["total"].sum()
            )
        assert float(gradient[place]) == pytest.approx(float(moved[0] - moved[1]) / 2e-5, rel=1e-4)


def test_no_gradient_to_its_own_weights_and_no_dropout(reward, motions, words):
    features, lengths = motions
    reward.train()
    assert not reward.training
    assert not any(m.training for m in reward.modules())
    assert not any(p.requires_grad for p in reward.parameters())
    context = reward.context(words, features, lengths, "joint")
    assert not context.text.requires_grad
    first, second = (reward(features, lengths, context)["total"] for _ in range(2))
    assert torch.equal(first, second)


def test_clean_is_step_zero_unless_official(network, motions, words):
    features, lengths = motions
    scores = {}
    for clean_token in (True, False):
        reward = MotionReward(network, {}, {"semantic": 1.0}, clean_token=clean_token)
        context = reward.context(words, None, lengths, "joint")
        none = reward(features, lengths, context)["total"]
        zero = reward(features, lengths, context, torch.zeros_like(lengths))["total"]
        scores[clean_token] = (none - zero).abs().max()
    assert scores[True] == 0
    assert scores[False] > 1e-4


def test_batch_mates_do_not_matter(reward, motions, words):
    features, lengths = motions
    context = reward.context(words, features, lengths, "joint")
    together = reward(features, lengths, context)["total"]
    alone = reward(features[1:2, :8], lengths[1:2], context.select(slice(1, 2)))["total"]
    torch.testing.assert_close(alone, together[1:2], **rounding(reward))


def test_load_and_sampled(tmp_path, network, branches, motions, words):
    features, lengths = motions
    save_network(tmp_path / "s.safetensors", network, ABOUT)
    save_branch(tmp_path / "p.safetensors", branches["preference"], ABOUT)
    weights = {"semantic": 1.0, "preference": 1.0}
    files = {"semantic": tmp_path / "s.safetensors", "preference": tmp_path / "p.safetensors"}
    fixed = MotionReward.load(files, weights)
    assert fixed.max_t == 300
    assert fixed.alphas.shape == (1000,)
    context = fixed.context(words, None, lengths, "joint")
    direct = MotionReward(network, {"preference": branches["preference"]}, weights)
    torch.testing.assert_close(
        fixed(features, lengths, context)["total"], direct(features, lengths, context)["total"]
    )
    noisy = fixed.view(read=draws(torch.Generator().manual_seed(3)))
    first, second = (noisy(features, lengths, context)["total"] for _ in range(2))
    assert not torch.equal(first, second)
    again = fixed(features, lengths, context)["total"]
    assert torch.equal(again, fixed(features, lengths, context)["total"])  # the view is apart


def test_a_view_has_its_own_weights(reward, motions, words):
    features, lengths = motions
    view = reward.view(weights={"semantic": 2.0})
    context = reward.context(words, None, lengths, "joint")
    scores = view(features, lengths, context)
    torch.testing.assert_close(scores["total"], 2.0 * scores["semantic"])
    assert (view.dimensions, reward.dimensions) == (("semantic",), tuple(WEIGHTS))


def test_mistakes_are_named(network, motions, words):
    features, lengths = motions
    with pytest.raises(InputError, match=r"reward\.weights\.preference.*no trained branch"):
        MotionReward(network, {}, {"preference": 1.0})
    with pytest.raises(InputError, match="unknown term of the reward 'style'"):
        MotionReward(network, {}, {"style": 1.0})
    reward = MotionReward(network, {}, {"m2m": 1.0})
    context = reward.context(words, None, lengths, "joint")
    with pytest.raises(InputError, match="no real motions"):
        reward(features, lengths, context)
