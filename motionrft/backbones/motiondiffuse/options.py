"""The `network:` section of MotionDiffuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from motionrft.options import first_changed, must_fit


@dataclass(frozen=True)
class MotionDiffuseOptions:
    """Defaults are the official model's.

    attention    efficient: linear in time; full: softmax over keys; full_official: see `motiondiffuse.released`
    prediction   epsilon; or sample, for networks narrower than a frame: noise fills all its dimensions, so
                 that a width below them cannot carry it, while motion lies in few
    velocity     weight of the velocities' error in pre-training, against jitter, of prediction: sample
    temporal_kernel  frames that an embedded frame is averaged over, against jitter (the suite's own); 1: official
    """

    schedule: dict[str, Any]
    latent_dim: int = 512
    ff_size: int = 1024
    layers: int = 8
    heads: int = 8
    dropout: float = 0.0
    text_latent_dim: int = 256
    text_ff_size: int = 2048
    text_layers: int = 4
    text_heads: int = 4
    attention: Literal["efficient", "full", "full_official"] = "efficient"
    prediction: Literal["epsilon", "sample"] = "epsilon"
    max_frames: int = 196
    velocity: float = 0.0
    temporal_kernel: int = 1

    def __post_init__(self) -> None:
        width, text = self.latent_dim, self.text_latent_dim
        must_fit(
            self,
            "network",
            {
                "heads": (width % self.heads == 0, f"a divisor of latent_dim ({width})"),
                "text_heads": (
                    text % self.text_heads == 0,
                    f"a divisor of text_latent_dim ({text})",
                ),
                "velocity": (
                    not self.velocity or self.prediction == "sample",
                    "0 with prediction: epsilon, which predicts no motion",
                ),
                "temporal_kernel": (self.temporal_kernel % 2 == 1, "an odd number of frames"),
            },
        )

    def unofficial(self) -> str:
        """The option by which the network means something else than the official one; empty: none does."""
        changed = {
            "prediction": self.prediction != "epsilon",
            "temporal_kernel": self.temporal_kernel > 1,
        }
        return first_changed(changed)
