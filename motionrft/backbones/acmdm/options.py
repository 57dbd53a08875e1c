"""The `network:` section of ACMDM."""

from __future__ import annotations

from dataclasses import dataclass

from motionrft.backbones.acmdm.transformer import HEAD, JOINTS
from motionrft.errors import InputError
from motionrft.options import must_fit


@dataclass(frozen=True)
class AutoencoderOptions:
    """Channels and dropout of the causal auto-encoder; defaults are the published ones."""

    width: int = 512
    dropout: float = 0.2


@dataclass(frozen=True)
class ACMDMOptions:
    """layers, width and feedforward are the transformer's.

    patch        joints a token
    frames       the longest motion
    drop         how often training hides the text
    autoencoder  its section, or null for the raw variant
    principal    [tokens, channels of a joint]: the latent is the principal components of the training motions
                 (principal.py beside the families), not an auto-encoder's
    whitened     each principal component at variance one; false: at its share of the motions' variance, one on
                 average, so that sampling decides large movements before small ones
    cached       principal latents of the training motions are encoded once, uncropped
    text_norm    the text vector at mean zero and variance one over its entries (official: as the encoder gives it),
                 which a short training needs where an encoder's vectors are small
    velocity     0 trains the auto-encoder on smooth L1 of positions, as published; above 0 on L1 of positions plus
                 so many times that of frame differences, without which a short training leaves more
                 jitter than motion
    clean        the network's output is the data, from which the velocity follows (`velocity_of_clean`)
    """

    layers: int
    width: int
    feedforward: int
    patch: int = 22
    frames: int = 196
    drop: float = 0.1
    autoencoder: AutoencoderOptions | None = None
    principal: tuple[int, int] | None = None
    whitened: bool = True
    cached: bool = False
    text_norm: bool = False
    velocity: float = 0.0
    clean: bool = False

    def __post_init__(self) -> None:
        if self.principal and self.autoencoder:
            raise InputError(
                "two latents",
                field="network.principal",
                fix="leave it out, or set network.autoencoder to null",
            )
        principal = self.principal is not None
        must_fit(
            self,
            "network",
            {
                "whitened": (principal or self.whitened, "true, or set network.principal"),
                "cached": (principal or not self.cached, "false, or set network.principal"),
                "width": (self.width % HEAD == 0, f"a multiple of {HEAD}"),
                "patch": (JOINTS % self.patch == 0, f"a divisor of {JOINTS} joints"),
            },
        )
