from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from motionrft.errors import InputError
from motionrft.evaluation.evaluators.t2m.losses import infonce_loss, margin_loss
from motionrft.evaluation.evaluators.t2m.model import (
    MovementEncoder,
    TextEncoder,
    TextMotionMatch,
    Widths,
)
from motionrft.evaluation.motionclip import MotionCLIP, MotionTower, clip_score
from motionrft.motion.normaliser import Normaliser
from reference.case import rounding
from tests.same import SHARE, assert_same

SMALL = Widths(8, 8, 8, 8, 6)


def small(dim: int = 20, **options) -> TextMotionMatch:
    torch.manual_seed(0)
    return TextMotionMatch(
        SMALL, Normaliser(torch.randn(dim), torch.rand(dim) + 0.5), word=5, **options
    ).eval()


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_official_sizes_have_the_official_number_of_parameters():
    with torch.device("meta"):
        t2m = TextMotionMatch(
            Widths(), Normaliser(torch.zeros(263), torch.ones(263)), word=300, pos=15
        )
        kit = MovementEncoder(251 - 4, 512, 512)
        acmdm = MovementEncoder(67, 512, 512)
        clip = MotionCLIP()
    counts = [count(n) for n in (t2m.movement_encoder, t2m.text_encoder, t2m.motion_encoder)]
    assert counts == [1842688, 4100288, 15747584]
    assert (count(kit), count(acmdm)) == (1818112, 1449472)
    assert sum(tensor.numel() for tensor in clip.state_dict().values()) == 60567553
    assert clip.state_dict()["motion_encoder.sequence_pos_encoder.pe"].shape == (2000, 512)


def test_a_movement_token_sees_frames_4i_minus_3_to_4i_plus_6():
    torch.manual_seed(0)
    encoder = MovementEncoder(3, 4, 4).eval()
    x = torch.randn(1, 32, 3, requires_grad=True)
    encoder(x)[0, 3].sum().backward()
    seen = x.grad[0].abs().sum(1).nonzero().flatten().tolist()
    assert seen == list(range(4 * 3 - 3, 4 * 3 + 7))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(4, 40), min_size=2, max_size=6), st.integers(0, 100))
def test_ragged_is_alone(lengths, seed):
    evaluator = small(max_frames=40)
    generator = torch.Generator().manual_seed(seed)
    motions = [torch.randn(length, 20, generator=generator) for length in lengths]
    together = evaluator.embed_motions(motions)
    alone = torch.cat([evaluator.embed_motions([motion]) for motion in motions])
    torch.testing.assert_close(together, alone, **rounding(evaluator))


def test_what_lies_after_a_length_does_not_count():
    torch.manual_seed(0)
    encoder = TextEncoder(5, 0, 8, 6).eval()
    words, lengths = torch.randn(3, 7, 5), torch.tensor([7, 2, 4])
    other = words.clone()
    other[1, 2:] = 99.0
    assert torch.equal(encoder(words, None, lengths), encoder(other, None, lengths))
    with pytest.raises(InputError, match="sequence 1 has no token"):
        encoder(words, None, torch.tensor([7, 0, 4]))


def test_padding_in_the_training_space_moves_the_last_token_only_when_it_is_seen():
    evaluator = small(max_frames=40)
    motions = [torch.randn(16, 20), torch.randn(40, 20)]
    plain = evaluator.embed_motions(motions)
    leaked = evaluator.embed_motions(motions, padding=evaluator.normaliser.mean + 3.0)
    assert not torch.allclose(plain[0], leaked[0], atol=1e-4)
    assert torch.equal(plain[1], leaked[1])  # no padding at the full length


@pytest.mark.usefixtures("float64")
def test_broken_and_short_motions_are_nan_and_nobody_else_is():
    evaluator = small()
    broken = torch.randn(12, 20)
    broken[3, 2] = float("inf")
    motions = [torch.randn(12, 20), broken, torch.randn(3, 20), torch.randn(8, 20)]
    found = evaluator.embed_motions(motions)
    assert found.isnan().all(1).tolist() == [False, True, True, False]
    assert_same(found[0], evaluator.embed_motions(motions[:1])[0])


def test_contacts_are_not_seen_and_first_67_are_all_that_is():
    motion = torch.randn(12, 20)
    changed = motion.clone()
    changed[:, -4:] += 5
    evaluator = small()
    assert torch.equal(evaluator.embed_motions([motion]), evaluator.embed_motions([changed]))
    wide = small(dim=80, channels="first 67")
    motion = torch.randn(12, 80)
    changed = motion.clone()
    changed[:, 67:] = 0
    assert torch.equal(wide.embed_motions([motion]), wide.embed_motions([changed]))


def test_margin_loss_closed_form_and_gradient():
    texts = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    motions = torch.tensor([[0.0, 1.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    pull, push = margin_loss(texts, motions, 1, margin=4.0)
    # pairs: distances 1 and 0; mismatched: |t1 - m0| = √18 > 4, |t0 - m1| = 5 > 4
    assert pull.item() == pytest.approx(0.5, abs=1e-5)
    assert push.item() == 0.0
    far = margin_loss(texts, motions, 1, margin=6.0)[1].item()
    assert far == pytest.approx(((6 - 18**0.5) ** 2 + 1) / 2, abs=1e-4)
    assert torch.autograd.gradcheck(lambda t, m: sum(margin_loss(t, m, 1, 6.0)), (texts, motions))


def test_infonce_is_cross_entropy_of_squared_distances_and_spares_equal_captions():
    torch.manual_seed(0)
    texts, motions = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    none = torch.eye(4, dtype=torch.bool)
    logits = -(torch.cdist(texts, motions) ** 2)
    expected = (
        F.cross_entropy(logits, torch.arange(4)) + F.cross_entropy(logits.T, torch.arange(4))
    ) / 2
    assert infonce_loss(texts, motions, none).item() == pytest.approx(expected.item())
    same = none.clone()
    same[0, 1] = same[1, 0] = True
    moved = motions.clone()
    moved[1] += 100.0  # motion 1 is no negative of text 0: text 0's term must not see it move
    row = logits[0].clone()
    row[1] = -torch.inf
    term = F.cross_entropy(row[None], torch.tensor([0]))
    assert torch.isfinite(infonce_loss(texts, motions, same))
    only = infonce_loss(texts[:2], motions[:2], torch.ones(2, 2, dtype=torch.bool))
    assert only.item() == pytest.approx(0.0)
    assert term.item() < F.cross_entropy(logits[:1], torch.tensor([0])).item()
    x = texts.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda t: infonce_loss(t, moved, same), (x,))


@pytest.mark.usefixtures("float64")
def test_motion_tower_is_ragged_and_clip_embeddings_are_unit():
    torch.manual_seed(0)
    tower = MotionTower(67, 16, 4, 32, 2, 16).eval()
    x, lengths = torch.randn(2, 12, 67), torch.tensor([12, 5])
    assert_same(tower(x, lengths)[1], tower(x[1:, :5], lengths[1:])[0])
    clip = MotionCLIP(width=16, heads=4, feedforward=32, layers=2, vocabulary=50, tokens=7).eval()
    ids = torch.randint(0, 49, (2, 7))
    ids[0, 3], ids[1, 6] = 49, 49
    texts, motions = clip.encode_texts(ids), clip.encode_motions(x, lengths)
    assert_same(texts.norm(dim=1), torch.ones(2))
    assert clip_score(texts, texts) == pytest.approx(1.0, abs=SHARE)
    assert -1 <= clip_score(texts, motions) <= 1
    with pytest.raises(InputError, match="7 CLIP tokens"):
        clip.encode_texts(ids[:, :3])
