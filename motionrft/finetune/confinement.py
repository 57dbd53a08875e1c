"""The reward's gradient confined to what motions do: an addition of this suite, in neither paper.

A reward's network has learned from motions alone. Where a backbone's samples are joints or rotations of single
frames, the steepest way up leads off them, to bodies that twitch and bend, which score high and look like nothing
recorded. Before the gradient at the decoded motion goes on to the sample it is replaced by what of it

components  lies in the span of so many principal components of the training motions (orthogonal projection), and then
smooth      is left of it by a Gaussian over time of so many frames' deviation.

Both are linear and symmetric, so that what they keep is still an ascent: <g, P g> >= 0. The reward's value and the
samples are what they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from motionrft.backbones.principal import PrincipalComponents
from motionrft.corpus.dataset import MotionDataset
from motionrft.errors import InputError
from motionrft.finetune.settings import GradientSettings
from motionrft.networks.masks import frame_mask

MOTIONS = 2048  # that the components are taken from, evenly spread over the training split
RADIUS = 3.0  # standard deviations at which the Gaussian ends

# gradient [B, T, F], lengths [B] -> what is kept of it
Confine = Callable[[Tensor, Tensor], Tensor]


@dataclass
class Confinement:
    """basis: whose span holds what is kept, None: everything; smooth: frames."""

    basis: PrincipalComponents | None
    smooth: float

    def __call__(self, gradient: Tensor, lengths: Tensor) -> Tensor:
        """dR/dmotion [B, T, F], zero after each length -> the same of what is kept."""
        if self.basis is not None:
            gradient = projected(gradient, lengths, self.basis.loadings)
        if self.smooth:
            gradient = smoothed(gradient, lengths, self.smooth)
        return gradient


def projected(x: Tensor, lengths: Tensor, loadings: Tensor) -> Tensor:
    """Orthogonal projection of x [B, T, F] onto the span of loadings [k, L, F], of the frames before each length."""
    result = torch.zeros_like(x)
    for length in lengths.unique().tolist():
        rows = lengths == length
        directions = torch.linalg.qr(loadings[:, :length].flatten(1).T.to(x)).Q
        flat = x[rows, :length].flatten(1)
        result[rows, :length] = (flat @ directions @ directions.T).view(-1, length, x.shape[2])
    return result


def smoothed(x: Tensor, lengths: Tensor, deviation: float) -> Tensor:
    """x [B, T, F] under a Gaussian over time, whose matrix is symmetric and leaves constants alone within a clip: near an
    end each frame keeps the weight that falls beyond it."""
    frames = torch.arange(x.shape[1], device=x.device)
    apart = (frames[:, None] - frames[None]).abs().to(x)
    weights = torch.exp(-0.5 * (apart / deviation).square()) * (apart <= RADIUS * deviation)
    weights = weights / weights.sum(1).amax()
    valid = frame_mask(lengths, x.shape[1])
    inside = weights * (valid[:, :, None] & valid[:, None])
    mixed = torch.einsum("bst,btf->bsf", inside, x)
    kept: Tensor = (mixed + (1 - inside.sum(2))[..., None] * x) * valid[..., None]
    return kept


def confinement(
    settings: GradientSettings, motions: MotionDataset, device: torch.device, frames: int
) -> Confinement | None:
    """What the settings say, with components of the training motions; None: the gradient stays as it is."""
    if not (settings.components or settings.smooth):
        return None
    basis = None
    if settings.components:
        count = min(len(motions), MOTIONS)
        if settings.components >= count:
            raise InputError(
                f"{settings.components} components of {count} motions",
                where="finetune",
                field="gradient.components",
                fix="use fewer",
            )
        basis = PrincipalComponents(motions.array.shape[1], (1, settings.components), frames)
        rows = np.linspace(0, len(motions) - 1, count).astype(int)
        basis.to(device).fit([motions.rows(rows).to(device)])
    return Confinement(basis, settings.smooth)
