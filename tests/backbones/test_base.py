"""What every backbone has in common: the condition of a batch, and statistics that move with the network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motionrft.backbones.base import Condition
from tests.backbones.small_flow_models import acmdm, hymotion, texts
from tests.backbones.small_latent_models import condition, make


def test_the_condition_keeps_the_empty_caption_through_selecting_and_doubling():
    prompts = condition([24, 12, 7])
    assert not prompts.drop.any()
    assert prompts.select(slice(0, 2)).empty is prompts.empty
    both = prompts.doubled
    assert both.empty is prompts.empty
    assert both.drop.tolist() == [False] * 3 + [True] * 3
    assert torch.equal(both.text.pooled, prompts.text.pooled.repeat(2, 1))


def test_a_null_condition_without_the_empty_caption_is_refused():
    text = condition([8]).text
    prompts = Condition(text, torch.tensor([8]), torch.ones(1, dtype=torch.bool))
    with pytest.raises(ValueError, match="empty caption"):
        make("mld").predict(torch.randn(1, 1, 16), torch.tensor([3]), prompts)


@pytest.mark.parametrize("build", [acmdm, hymotion, lambda: make("mld")])
def test_the_statistics_of_the_corpus_move_with_the_network(build):
    backbone = build()
    names = set(backbone.state_dict())
    mean = backbone.normaliser.mean
    backbone.to("meta")
    assert backbone.normaliser.mean.device.type == backbone.normaliser.std.device.type == "meta"
    assert mean.device.type == "cpu"  # the corpus's own numbers stay where they were
    assert set(backbone.state_dict()) == names
    assert not any("feature_" in name for name in names)


def test_a_condition_of_no_dropped_caption():
    prompts = Condition.of(texts(3), texts(1), torch.tensor([8, 8, 4]))
    assert len(prompts) == 3
    assert not prompts.drop.any()


def test_distinct_captions_of_a_batch():
    three = texts(3, tokens=5)
    text = three.select(torch.tensor([2, 0, 2, 1, 0]))
    drop = torch.tensor([False, False, False, True, True])
    rows, place = Condition(text, torch.full((5,), 8), drop).distinct
    assert len(rows) == 4
    assert place[0] == place[2]
    assert sorted(place.unique().tolist()) == [0, 1, 2, 3]
    chosen = rows[place]
    assert torch.equal(text.pooled[chosen][~drop], text.pooled[~drop])
    assert torch.equal(text.mask[chosen], text.mask)
    assert torch.equal(drop[chosen], drop)


def test_captions_that_differ_in_their_tokens_alone_are_distinct():
    one = texts(1).expand(2)
    text = replace(one, tokens=torch.stack([one.tokens[0], one.tokens[1] + 1.0]))
    rows, place = Condition(text, torch.full((2,), 8), torch.zeros(2, dtype=torch.bool)).distinct
    assert rows[place].tolist() == [0, 1]
