"""The `network:` section of MLD and MLD++; five of its keys are all that separates the two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from motionrft.backbones.mld.losses import VAELoss
from motionrft.options import first_changed, must_fit, read_options


@dataclass(frozen=True)
class LatentOptions:
    """Sizes and switches of VAE and denoiser. Defaults are the official MLD's.

    latent          tokens n and width d of the space diffusion happens in ([1, 256]; MLD++ [16, 32])
    projected       a Linear between width d and the hidden width (MLD++); else the two are equal
    text_relu       a ReLU before the text Linear, which drops half of the text (MLD, not MLD++)
    text_norm       the text vector at mean zero and variance one over its entries (official: as the encoder gives it),
                    which a short training needs where an encoder's vectors are small
    prediction      what the denoiser's output is: epsilon (official), or sample, the clean latent, whose
                    error is not weighted away at the noisy steps where the text decides
    principal       the latent is the principal components of the training motions (principal.py), not a VAE's
    whitened        each principal component at variance one; false: at its share of the motions' variance, one on
                    average, so that sampling decides large movements before small ones
    posterior_bias  added to the log-variance; below 0 the posterior starts narrow, which a short training
                    needs (official: 0)
    cached          latents of the training motions are encoded once a stage, uncropped (official: each time anew)
    draws           latents, times and noises drawn for each encoded motion (official: 1); encoding is
                    most of the cost of a small denoiser's step
    guidance_width  size of the embedded guidance weight (MotionLCM); null for models sampled with CFG
    denoiser        keys of this section that are different for the denoiser (official: none)
    vae_loss        weights of the auto-encoder's losses
    """

    schedule: dict[str, Any]
    latent: tuple[int, int] = (1, 256)
    hidden: int = 256
    feedforward: int = 1024
    layers: int = 9
    heads: int = 4
    dropout: float = 0.1
    projected: bool = False
    time_width: int = 768
    text_relu: bool = True
    text_norm: bool = False
    prediction: Literal["epsilon", "sample"] = "epsilon"
    principal: bool = False
    whitened: bool = True
    posterior_bias: float = 0.0
    cached: bool = False
    draws: int = 1
    guidance_width: int | None = None
    text_drop: float = 0.1
    denoiser: dict[str, Any] = field(default_factory=dict)
    vae_loss: VAELoss = field(default_factory=VAELoss)

    def __post_init__(self) -> None:
        wanted = {
            "layers": (self.layers % 2 == 1, "an odd number, the stack is U-shaped"),
            "heads": (self.hidden % self.heads == 0, f"a divisor of hidden ({self.hidden})"),
            "time_width": (self.time_width % 2 == 0, "an even number"),
            "hidden": (
                self.projected or self.latent[1] == self.hidden,
                f"the latent width ({self.latent[1]}), or projected: true",
            ),
        }
        must_fit(self, "network", wanted)

    def of_denoiser(self) -> Self:
        """The same section with the denoiser's own keys in it."""
        section = {**vars(self), **self.denoiser, "denoiser": {}}
        return read_options(type(self), section, field="network.denoiser")

    def unofficial(self) -> str:
        """The option by which the networks mean something else than the official ones; empty: none does."""
        changed = {
            "prediction": self.prediction != "epsilon",
            "principal": self.principal,
            "text_norm": self.text_norm,
            "posterior_bias": self.posterior_bias != 0.0,
        }
        return first_changed(changed)

    def stack(self) -> tuple[int, int, int, int, float]:
        """The arguments of a skip stack."""
        return self.hidden, self.heads, self.feedforward, self.layers, self.dropout
