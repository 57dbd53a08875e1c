"""The losses of latent diffusion: VAE reconstruction, and the consistency model's pseudo-Huber."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.networks.masks import frame_mask


@dataclass(frozen=True)
class VAELoss:
    """Weights of the terms. masked: means over valid frames a motion (MLD++), not over the padded
    batch as in the original MLD, where short motions weigh less."""

    features: float = 1.0
    joints: float = 1.0
    velocity: float = 0.0
    kl: float = 1e-4
    masked: bool = True

    def __call__(
        self,
        reconstruction: Tensor,
        target: Tensor,
        lengths: Tensor,
        mean: Tensor,
        log_variance: Tensor,
        to_joints: Callable[[Tensor], Tensor],
    ) -> dict[str, Tensor]:
        """Weighted terms and their sum "loss". reconstruction, target: normalised features [B, T, F];
        to_joints maps them to joints [B, T, 22, 3] in metres."""
        lengths = lengths if self.masked else torch.full_like(lengths, target.shape[1])
        terms = {
            "features": self.features * smooth_l1(reconstruction, target, lengths),
            "kl": self.kl * gaussian_kl(mean, log_variance),
        }
        if self.joints:
            pair = to_joints(reconstruction), to_joints(target)
            terms["joints"] = self.joints * smooth_l1(*pair, lengths)
        if self.velocity:
            # what the official code calls velocity: the root-local positions of J - 1 joints
            columns = slice(4, (target.shape[-1] + 1) // 4 + 1)
            pair = reconstruction[..., columns], target[..., columns]
            terms["velocity"] = self.velocity * smooth_l1(*pair, lengths)
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}


def smooth_l1(a: Tensor, b: Tensor, lengths: Tensor) -> Tensor:
    """Smooth L1 (beta 1) of [B, T, …]: mean over channels, over each motion's frames, over motions."""
    per_frame = F.smooth_l1_loss(a, b, reduction="none").flatten(2).mean(-1)
    valid = frame_mask(lengths, a.shape[1])
    return ((per_frame * valid).sum(1) / lengths).mean()


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)), mean over all entries (Kingma & Welling, 2014, appendix B)."""
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).mean()


def pseudo_huber(a: Tensor, b: Tensor, c: float) -> Tensor:
    """mean(sqrt((a - b)^2 + c^2) - c) (Song & Dhariwal, 2024, section 3.3)."""
    return ((a - b).square().add(c * c).sqrt() - c).mean()
