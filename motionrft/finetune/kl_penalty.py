"""The optional KL to the pre-trained model (EasyTune eq. S2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import Sampler
from motionrft.finetune.optimizer import swapped


@dataclass(frozen=True)
class KLPenalty:
    """weight * mean ||o - o_ref||^2 at every live step. The paper does not publish its formula; for equal
    variances the KL of two denoising steps is this up to a constant.

    pretrained(i, x, condition): the pre-trained model's output o_ref
    """

    weight: float
    pretrained: Callable[[int, Tensor, Condition], Tensor]

    def __call__(self, i: int, x: Tensor, output: Tensor, condition: Condition) -> Tensor:
        return self.weight * (output - self.pretrained(i, x.detach(), condition)).square().mean()


def kl_to_now(weight: float, sampler: Sampler, trained: Sequence[Tensor]) -> KLPenalty:
    """The penalty towards the weights as they are now. They change places with the trained ones for one
    call, so that there is no second model."""
    weights_now = [parameter.detach().clone() for parameter in trained]

    @torch.no_grad()
    def pretrained(i: int, x: Tensor, condition: Condition) -> Tensor:
        with swapped(trained, weights_now):
            return sampler.output(i, x, condition)

    return KLPenalty(weight, pretrained)
