"""How a sampler's network runs where that is no matter of the model: compiled, or under autocast."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from motionrft.backbones.base import Backbone, Condition
from motionrft.diffusion.casts import asking_for_gradients
from motionrft.diffusion.sampler import Denoiser
from motionrft.training.loop import autocast

LOG = logging.getLogger(__name__)


class Autocast:
    """A denoiser whose products are in bf16; what it says is in x's type. The numbers of a sample change."""

    def __init__(self, denoiser: Denoiser):
        self.denoiser = denoiser
        self.parameters, self.width = denoiser.parameters, denoiser.width
        self._weights = list(denoiser.parameters())

    def guided(self, x: Tensor, t: Tensor, condition: Condition, scale: float) -> Tensor:
        """`Backbone.guided`."""
        with autocast("bf16", x.device), asking_for_gradients(self._weights):
            return self.denoiser.guided(x, t, condition, scale).to(x.dtype)


class Compiled:
    """A denoiser of fewer and larger kernels, for networks that are bound by their launches. Where the compiler fails,
    one line says so and the network runs as it is."""

    def __init__(self, backbone: Backbone):
        self.parameters, self.width = backbone.parameters, backbone.width
        self._plain = backbone.guided
        self._compiled: Callable[..., Tensor] | None = torch.compile(backbone.guided, dynamic=True)

    def guided(self, x: Tensor, t: Tensor, condition: Condition, scale: float) -> Tensor:
        """`Backbone.guided`."""
        if self._compiled is not None:
            try:
                return self._compiled(x, t, condition, scale)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                # an error of the network's own comes again below, where nothing catches it
                output = self._plain(x, t, condition, scale)
                reason = str(error).strip().partition("\n")[0] or type(error).__name__
                LOG.warning("compile: %s; goes on without it", reason)
                self._compiled = None
                return output
        return self._plain(x, t, condition, scale)
