"""Part by part, sorted by length and recomputed: L_sem and its gradient are those of one whole graph, in less memory."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from motionrft.finetune.memory_meter import SavedBytes
from motionrft.networks.early_gradient import early_sum
from motionrft.reward import semantic_objective as module
from motionrft.reward.noise_schedule import NoiseLaw
from motionrft.reward.semantic_objective import SemanticLoss, SemanticObjective
from motionrft.text.features import TextBatch

from ..same import assert_same
from .tiny import DIMS, TOKENS, tiny_network

ROWS, FRAMES = 10, 24


class WholeLoss(SemanticLoss):
    """L_rec as it is written: every motion decoded to the longest length, in one graph."""

    def reconstruction(self, target, z_text, z_motion):
        x, lengths = target.features, target.lengths
        counted = self.rules.counted_frames(lengths, x.shape[1])
        decode = self.network.decode
        x_text, x_motion = (
            decode(z, lengths, x.shape[1], target.representation) for z in (z_text, z_motion)
        )
        weight = torch.ones_like(x) if counted is None else counted[..., None].expand_as(x).to(x)
        values = [
            (F.smooth_l1_loss(a, b, reduction="none") * weight).sum() / weight.sum()
            for a, b in ((x_text, x), (x_motion, x), (x_motion, x_text))
        ]
        return sum(values), torch.stack(values).detach()


def batch(dtype: torch.dtype = torch.float32, frames: int = FRAMES, rows: int = ROWS):
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(5, frames + 1, (rows,), generator=generator)
    lengths[3] = frames
    valid = torch.arange(frames)[None] < lengths[:, None]
    features = {
        name: (torch.randn(rows, frames, dim, generator=generator) * valid[..., None]).to(dtype)
        for name, dim in DIMS.items()
    }
    tokens = torch.randn(rows, 3, TOKENS, generator=generator).to(dtype)
    text = TextBatch(
        tokens[:, 0], tokens, torch.ones(rows, 3, dtype=torch.bool), torch.full((rows,), 2)
    )
    return features, lengths, text


def losses_and_gradients(network, kind, *, recompute=False, inputs=None):
    objective = SemanticObjective(kind(network), NoiseLaw(), recompute=recompute)
    network.zero_grad()
    torch.manual_seed(0)
    losses = objective(
        *(inputs or batch(next(network.parameters()).dtype)), torch.Generator().manual_seed(2)
    )
    (2 * losses["loss"]).backward()
    gradients = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    return {name: value.detach() for name, value in losses.items()}, gradients


@pytest.mark.parametrize("together", [3, 16])
@pytest.mark.parametrize("recompute", [False, True])
def test_parts_are_the_whole(float64, monkeypatch, together, recompute):
    monkeypatch.setattr(module, "DECODED_TOGETHER", together)
    monkeypatch.setattr(module, "ENCODED_TOGETHER", together * FRAMES)
    network = tiny_network().double()
    expected, whole = losses_and_gradients(network, WholeLoss)
    losses, gradients = losses_and_gradients(network, SemanticLoss, recompute=recompute)
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert_same(losses[name].double(), value.double())
    assert set(gradients) == set(whole)
    for name, gradient in whole.items():
        assert_same(gradients[name], gradient)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("recompute", [False, True])
def test_a_single_part_draws_the_dropout_masks_of_the_whole(recompute):
    network = tiny_network().train()
    expected, whole = losses_and_gradients(network, WholeLoss)
    losses, gradients = losses_and_gradients(network, SemanticLoss, recompute=recompute)
    assert_same(losses["loss"], expected["loss"])
    for name, gradient in whole.items():
        assert_same(gradients[name], gradient)


def test_bf16_recomputes_under_its_own_autocast():
    """The way back runs outside the caller's autocast; weights copied without gradient are not kept."""
    network = tiny_network().train()
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(0)
        objectives = [
            SemanticObjective(SemanticLoss(network), NoiseLaw(), recompute=r) for r in (False, True)
        ]
        gradients = []
        for objective in objectives:
            network.zero_grad()
            torch.manual_seed(0)
            loss = objective(*batch(), torch.Generator().manual_seed(2))["loss"]
            with torch.autocast("cpu", enabled=False):
                loss.backward()
            gradients.append(
                torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
            )
    plain, recomputed = gradients
    assert plain.shape == recomputed.shape
    assert F.cosine_similarity(plain, recomputed, dim=0) > 0.999


def test_memory_is_less_than_half(monkeypatch):
    monkeypatch.setattr(module, "DECODED_TOGETHER", 4)
    network = tiny_network(unified_dim=32, latent_dim=16).train()
    inputs = batch(frames=48, rows=32)
    peaks = []
    for kind, recompute in ((WholeLoss, False), (SemanticLoss, False), (SemanticLoss, True)):
        with SavedBytes(list(network.parameters())) as saved:
            losses_and_gradients(network, kind, recompute=recompute, inputs=inputs)
        peaks.append(saved.peak)
    whole, parts, recomputed = peaks
    assert parts < 0.7 * whole
    assert recomputed < 0.4 * whole


def test_early_sums_are_ordinary_nodes():
    a, b = (
        torch.randn(3, dtype=torch.float64, requires_grad=True),
        torch.tensor(2.0, dtype=torch.float64, requires_grad=True),
    )
    unused = torch.ones(1, requires_grad=True)
    losses = [lambda x, i=i: torch.stack([(b * x[i]).square(), x[i].sin()]) for i in range(3)]
    total, parts = early_sum(losses, [b, unused], a)
    assert not parts.requires_grad
    (3 * total).backward()
    expected = (b * a).square().sum() + a.sin().sum()
    by_hand = torch.autograd.grad(3 * expected, [a, b])
    torch.testing.assert_close([a.grad, b.grad], list(by_hand))
    torch.testing.assert_close(total, expected)
    assert unused.grad is None
    with torch.no_grad():
        again, _ = early_sum(losses, [b], a)
    torch.testing.assert_close(again, expected)
