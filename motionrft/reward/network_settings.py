"""The `reward.network:` section: sizes of the reward's network, and which fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from motionrft.options import must_fit, read_options


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes. latent_dim d: embeddings, text branch and decoder; unified_dim u: motion encoder.

    dims: features a frame of each representation; text_dim: width of the text encoder's token states;
    patch: frames a token (the paper has 1; small runs on a CPU take 4, the field's unit of motion).
    """

    dims: Mapping[str, int]
    text_dim: int
    latent_dim: int = 128
    unified_dim: int = 256
    layers: int = 3
    heads: int = 4
    feedforward: int = 512
    text_layers: int = 3
    text_heads: int = 4
    text_feedforward: int = 512
    projection_hidden: int = 256
    projection_layers: int = 2
    dropout: float = 0.1
    patch: int = 1

    def __post_init__(self) -> None:
        odd = "an odd number, the stack is U-shaped"
        d, u = self.latent_dim, self.unified_dim
        must_fit(
            self,
            "reward.network",
            {
                "layers": (self.layers % 2 == 1, odd),
                "text_layers": (self.text_layers % 2 == 1, odd),
                "heads": (
                    d % self.heads == u % self.heads == 0,
                    f"a divisor of latent_dim ({d}) and unified_dim ({u})",
                ),
                "text_heads": (d % self.text_heads == 0, f"a divisor of latent_dim ({d})"),
            },
        )

    @classmethod
    def read(
        cls, section: Mapping[str, Any], dims: Mapping[str, int], text_dim: int
    ) -> NetworkSettings:
        """From `reward.network`; an unknown key is an `InputError`."""
        return read_options(
            cls, section, field="reward.network", dims=dict(dims), text_dim=text_dim
        )

    def about(self) -> dict[str, Any]:
        """As a file's header holds them."""
        return asdict(self)
