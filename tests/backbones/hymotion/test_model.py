"""HY-Motion: masks, band, ragged lengths, text streams, spaces, loss."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.base import Condition
from motionrft.backbones.hymotion.model import HYMotion
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import flow_euler
from motionrft.errors import InputError
from motionrft.motion.representation import representation
from motionrft.text.features import TextBatch
from tests.backbones.small_flow_models import condition, hymotion, motions, normaliser, texts
from tests.same import assert_same


@pytest.mark.parametrize(
    ("network", "tensors", "count", "adapted"),
    [
        ({"width": 1280, "heads": 20, "layers": 27}, 428, 1_042_878_811, 80),
        ({"width": 1024, "heads": 16, "layers": 18}, 308, 460_851_803, 56),
    ],
    ids=["1.0", "lite"],
)
def test_official_sizes(network, tensors, count, adapted):
    from motionrft.backbones.lora import targets

    with torch.device("meta"):
        text = {"pooled": 768, "tokens": 4096}
        backbone = HYMotion.build(network, dim=135, text=text, normaliser=normaliser(135))
    state = backbone.state_dict()
    assert len(state) == tensors
    assert sum(tensor.numel() for tensor in state.values()) == count
    assert len(targets(backbone)[0]) == adapted
    assert backbone.motion_transformer.band == 60
    assert backbone.max_frames == 196
    assert backbone.width(196) == 294


@pytest.mark.parametrize(
    "options", [{}, {"fps": 30, "train_frames": 80, "joints": True}], ids=["small", "201 at 30 fps"]
)
@pytest.mark.usefixtures("float64")
def test_ragged_lengths_do_not_leak(options):
    backbone, both = hymotion(**options), condition([40, 16])
    alone = both.select(slice(1, 2))
    alone = Condition(alone.text.select(slice(0, 1)), alone.lengths, alone.drop)
    batch = motions(135, [40, 16])
    short = Batch(batch.features[1:, :16], batch.lengths[1:], [""], ["1"])
    x, own = (backbone.encode(motion, torch.Generator()) for motion in (batch, short))
    width = backbone.width(16)
    assert_same(x[1:, :width], own)
    t = torch.tensor([0.3, 0.3])
    with torch.no_grad():
        together = backbone.predict(x, t, both)
        assert_same(together[1:, :width], backbone.predict(own, t[1:], alone))
        sampler = Sampler(backbone, flow_euler(3), 2.0)
        many = sampler.sample(both, SeededNoise([4, 5], backbone.sample_shape(40)))
        one = sampler.sample(alone, SeededNoise([5], backbone.sample_shape(16)))
    a = backbone.to_features(many, both.lengths)
    assert a.shape == (2, 40, 135)
    assert (a[1, 16:] == 0).all()
    assert_same(a[1:, :16], backbone.to_features(one, alone.lengths))


@pytest.mark.usefixtures("float64")
def test_padded_tokens_and_their_number_do_not_matter():
    backbone, x = hymotion(), torch.randn(2, 16, 135)
    both, t = condition([16, 12]), torch.tensor([0.2, 0.9])
    wide = TextBatch.cat([both.text, texts(1, tokens=9)]).select(torch.tensor([0, 1]))
    spoilt = TextBatch(
        wide.pooled, wide.tokens.masked_fill(~wide.mask[..., None], 7.0), wide.mask, wide.eos
    )
    a = backbone.predict(x, t, both)
    b = backbone.predict(x, t, Condition(spoilt, both.lengths, both.drop))
    assert_same(a, b)


def test_a_caption_without_tokens_is_finite():
    backbone, x, t = hymotion(), torch.randn(2, 16, 135), torch.tensor([0.2, 0.9])
    both = condition([16, 12])
    mask = both.text.mask.clone()
    mask[1] = False
    empty = TextBatch(both.text.pooled, both.text.tokens, mask, both.text.eos)
    out = backbone.predict(x, t, Condition(empty, both.lengths, both.drop))
    out.sum().backward()
    assert torch.isfinite(out).all()
    gradients = [p.grad for p in backbone.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_frames_see_their_band_only():
    backbone = hymotion(band=0.1, layers=1)  # one single block, two frames to either side
    x, t, one = torch.randn(1, 16, 135), torch.tensor([0.5]), condition([16])
    changed = x.clone()
    changed[:, 10] += 1
    a, b = backbone.predict(x, t, one), backbone.predict(changed, t, one)
    moved = (a - b).abs().amax((0, 2)) > 1e-6
    assert moved.nonzero().flatten().tolist() == [8, 9, 10, 11, 12]


@pytest.mark.usefixtures("float64")
def test_null_text_keeps_the_token_count():
    """The null branch is the learned features under the caption's own mask (official behaviour)."""
    backbone, x, t = hymotion(), torch.randn(2, 16, 135), torch.tensor([0.5, 0.5])
    both = condition([16, 12])
    null = backbone.predict(x, t, both.with_drop(torch.tensor([True, True])))
    text = TextBatch(
        backbone.null_vtxt_feat[0].expand(2, -1),
        backbone.null_ctxt_input.expand(2, 5, -1),
        both.text.mask,
        both.text.eos,
    )
    assert_same(null, backbone.predict(x, t, Condition(text, both.lengths, both.drop)))
    conditional = backbone.predict(x, t, both)
    guided = backbone.guided(x, t, both, 3.0)
    assert_same(guided, null + 3 * (conditional - null))


def reads_of(backbone) -> list[int]:
    """Rows of the text stream's calls, filled as they come."""
    calls: list[int] = []
    backbone.motion_transformer.text_refiner.register_forward_hook(
        lambda _m, inputs, _o: calls.append(len(inputs[0]))
    )
    return calls


@pytest.mark.usefixtures("float64")
def test_equal_captions_are_read_once_and_nothing_changes():
    backbone, x = hymotion(), torch.randn(4, 16, 135)
    text = texts(4).select(torch.tensor([0, 1, 0, 2]))
    four = Condition(text, torch.tensor([16, 12, 8, 8]), torch.zeros(4, dtype=torch.bool))
    t, calls = torch.tensor(0.5).expand(4), reads_of(backbone)
    with_gradient = backbone.guided(x, t, four, 3.0).detach()
    with torch.no_grad():
        times_of_their_own = backbone.guided(x, t.clone(), four, 3.0)
        read_once = backbone.guided(x, t, four, 3.0)
    # three captions of as many lengths, and each length without a caption
    assert calls == [8, 8, 6]
    assert_same(times_of_their_own, with_gradient)
    assert_same(read_once, with_gradient)


def test_dropped_rows_of_one_length_are_read_once():
    backbone, x = hymotion(), torch.randn(4, 8, 135)
    text = texts(1).expand(4)
    text = TextBatch(torch.randn(4, 10), torch.randn(4, 5, 6), text.mask, text.eos)
    four = Condition(text, torch.full((4,), 8), torch.zeros(4, dtype=torch.bool))
    calls = reads_of(backbone)
    with torch.no_grad():
        backbone.guided(x, torch.tensor(0.1).expand(4), four, 2.0)
    assert calls == [4 + 1]


@pytest.mark.usefixtures("float64")
def test_changed_weights_are_read_again():
    backbone, x, both = hymotion(), torch.randn(2, 16, 135), condition([16, 12])
    t = torch.tensor(0.5).expand(2)
    with torch.no_grad():
        before = backbone.predict(x, t, both)
        optimizer = torch.optim.SGD(backbone.parameters(), lr=0.1)
    backbone.predict(x, t, both).sum().backward()
    optimizer.step()
    with torch.no_grad():
        after = backbone.predict(x, t, both)
    assert not torch.allclose(before, after)
    assert_same(after, backbone.predict(x, t, both).detach())


@pytest.mark.usefixtures("float64")
def test_features_survive_the_model_space():
    """Linear in time, so that interpolation is exact: 20 fps -> model -> 20 fps."""
    lengths = torch.tensor([16, 9])
    ramp = torch.linspace(-1, 1, 16)[None, :, None] * torch.ones(2, 1, 135)
    ramp = ramp * (torch.arange(16)[None] < lengths[:, None])[..., None]
    for options in ({}, {"fps": 30, "joints": True}):
        backbone = hymotion(**options)
        x = backbone.encode(Batch(ramp, lengths, ["", ""], ["0", "1"]), torch.Generator())
        assert x.shape == (2, *backbone.sample_shape(16))
        again = backbone.to_features(x, lengths)
        assert_same(again, ramp)


@pytest.mark.usefixtures("float64")
def test_full_frames_hold_the_joints_about_the_pelvis():
    backbone, batch = hymotion(joints=True), motions(135, [6])
    raw = backbone.denormalise(backbone.encode(batch, torch.Generator()))
    joints = representation("rotation").decode(backbone.normaliser.denormalise(batch.features))
    joints = joints - joints[:, :, :1]
    assert_same(raw[..., 135:].unflatten(-1, (22, 3)), joints)


def test_too_long_a_motion_is_refused():
    with pytest.raises(InputError, match="train_frames"):
        hymotion(fps=30).width(60)


def test_the_loss_trains_everything_it_should():
    lengths = [24, 16, 16, 12]
    backbone, batch, prompts = hymotion(), motions(135, lengths), condition(lengths)
    losses = [
        backbone.pretrain_loss(batch, prompts, "denoiser", torch.Generator().manual_seed(7))["loss"]
        for _ in range(2)
    ]
    assert torch.equal(*losses)
    losses[0].backward()
    idle = {name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.any()}
    # of the last block the text stream gives keys and values only; null features need a dropped row
    assert not any(name.startswith("motion_transformer.") for name in idle), idle
