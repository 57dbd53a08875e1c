"""The optional KL to the pre-trained model (EasyTune eq. S2)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import Sampler


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


def kl_to(
    weight: float, sampler: Sampler, reference: Callable[[], AbstractContextManager[None]]
) -> KLPenalty:
    """The penalty towards the weights that the network has inside `reference`."""

    @torch.no_grad()
    def pretrained(i: int, x: Tensor, condition: Condition) -> Tensor:
        with reference():
            return sampler.output(i, x, condition)

    return KLPenalty(weight, pretrained)
