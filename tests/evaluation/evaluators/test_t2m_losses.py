from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from motionrft.evaluation.evaluators.t2m.losses import infonce_loss, margin_loss

# the pairwise distance adds 1e-6 to both coordinates: sqrt(2) 1e-6 of a distance, times the margin's excess, below three
EPSILON = 4e-6


def test_margin_loss_closed_form_and_gradient():
    texts = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    motions = torch.tensor([[0.0, 1.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    pull, push = margin_loss(texts, motions, 1, margin=4.0)
    # pairs: distances 1 and 0; mismatched: |t1 - m0| = √18 > 4, |t0 - m1| = 5 > 4
    assert pull.item() == pytest.approx(0.5, abs=EPSILON)
    assert push.item() == 0.0
    far = margin_loss(texts, motions, 1, margin=6.0)[1].item()
    assert far == pytest.approx(((6 - 18**0.5) ** 2 + 1) / 2, abs=EPSILON)
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
