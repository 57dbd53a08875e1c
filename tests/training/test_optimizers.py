"""The functional optimisers are torch's own, update by update, and read each other's state."""

from __future__ import annotations

import pytest
import torch

from motionrft.training.optimizers import SGD, AdamW

HOW = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}


def weights() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in ((4, 3), (5,))]


def give_gradients(parameters: list[torch.Tensor], step: int) -> None:
    """The second parameter has none in every other step, as an unused one."""
    generator = torch.Generator().manual_seed(100 + step)
    for number, parameter in enumerate(parameters):
        gradient = torch.randn(parameter.shape, generator=generator)
        parameter.grad = None if number == 1 and step % 2 else gradient


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_every_update_is_torchs_bit_for_bit(kind):
    ours, theirs = weights(), weights()
    if kind == "adamw":
        optimizer: AdamW | SGD = AdamW(ours, **HOW)
        reference: torch.optim.Optimizer = torch.optim.AdamW(theirs, **HOW, fused=True)
    else:
        optimizer, reference = SGD(ours, HOW["lr"]), torch.optim.SGD(theirs, HOW["lr"])
    for step in range(7):
        give_gradients(ours, step)
        give_gradients(theirs, step)
        optimizer.rate = reference.param_groups[0]["lr"] = 0.05 / (1 + step)
        optimizer.step()
        reference.step()
        for a, b in zip(ours, theirs, strict=True):
            assert torch.equal(a, b)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in ours)


def test_a_state_of_torchs_class_is_gone_on_from():
    theirs = weights()
    reference = torch.optim.AdamW(theirs, **HOW, fused=True)
    for step in range(3):
        give_gradients(theirs, step)
        reference.step()
    ours = [tensor.detach().clone().requires_grad_() for tensor in theirs]
    optimizer = AdamW(ours, **HOW)
    optimizer.load_state_dict(reference.state_dict())
    for parameters, steps in ((theirs, reference), (ours, optimizer)):
        give_gradients(parameters, 4)
        steps.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    back = torch.optim.AdamW(weights(), **HOW, fused=True)
    back.load_state_dict(optimizer.state_dict())
    assert torch.equal(back.state[back.param_groups[0]["params"][0]]["step"], torch.tensor(4.0))


def test_a_loaded_state_is_a_copy():
    ours = weights()
    optimizer = AdamW(ours, **HOW)
    give_gradients(ours, 0)
    optimizer.step()
    state = optimizer.state_dict()
    other = AdamW(weights(), **HOW)
    other.load_state_dict(state)
    give_gradients(ours, 2)
    optimizer.step()
    assert float(other.moments[0]["step"]) == 1.0
