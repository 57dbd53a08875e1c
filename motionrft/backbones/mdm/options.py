"""What tells MDM's official variants apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from motionrft.errors import InputError
from motionrft.options import first_changed, must_fit

HEADS = 4  # of every official network: its file's shapes do not tell, and `args.json` has no place for it
COSINE = "squaredcos_cap_v2"  # of diffusers, the official `cosine`


@dataclass(frozen=True)
class MDMOptions:
    """The `network:` section. Defaults are the official constructor's and `args.json`'s.

    text           clip: one pooled vector; bert: all tokens
    decoder_token  what trans_dec sees before the frames: none, time (the code since 2024) or
                   time_text (files trained before; official `emb_trans_dec`)
    emb_policy     add: the time is added to every token; concat: it is a token of its own (bert)
    mask_frames    False, as files of before 2025 were trained: no mask, always `max_frames` frames
    average        the official file holds {model, model_avg} instead of plain weights
    velocity       weight of the velocities' error in pre-training (eq. 5), against jitter; the official files had 0
    temporal_kernel  frames that an embedded frame is averaged over, against jitter (the suite's own); 1: official
    """

    schedule: dict[str, Any]
    latent_dim: int = 512
    ff_size: int = 1024
    layers: int = 8
    heads: int = 4
    dropout: float = 0.1
    arch: Literal["trans_enc", "trans_dec"] = "trans_enc"
    text: Literal["clip", "bert"] = "clip"
    decoder_token: Literal["none", "time", "time_text"] = "none"
    emb_policy: Literal["add", "concat"] = "add"
    mask_frames: bool = False
    cond_mask_prob: float = 0.1
    pos_embed_max_len: int = 5000
    max_frames: int = 196
    average: bool = False
    velocity: float = 0.0
    temporal_kernel: int = 1

    def __post_init__(self) -> None:
        if self.arch == "trans_enc" and (self.text, self.decoder_token) != ("clip", "none"):
            raise InputError(
                "the encoder variant has one pooled text vector and no decoder token",
                field="network.arch",
                fix="use arch: trans_dec",
            )
        if self.text == "clip" and self.emb_policy != "add":
            raise InputError(
                "a pooled text vector is always added to the time",
                field="network.emb_policy",
                fix="use emb_policy: add",
            )
        divides = f"a divisor of latent_dim ({self.latent_dim})"
        must_fit(
            self,
            "network",
            {
                "heads": (self.latent_dim % self.heads == 0, divides),
                "temporal_kernel": (self.temporal_kernel % 2 == 1, "an odd number of frames"),
            },
        )

    def unofficial(self) -> str:
        """The option by which the network means something else than the official one; empty: none does."""
        changed = {
            "heads": self.heads != HEADS,
            "temporal_kernel": self.temporal_kernel > 1,
            "schedule": self.schedule.get("beta_schedule") != COSINE,
        }
        return first_changed(changed)
