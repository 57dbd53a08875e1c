"""MotionReward's network (paper section III): one encoder and one decoder for three representations.

Parameter names are those of the official checkpoints: projections `proj_<r>`, `encoder`, `text_encoder`,
`decoder`, `final_layer_<r>` with r one of 263, 22x3, 135.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.networks.masks import frame_mask
from motionrft.networks.positions import LearnedPositions, TimestepEmbedding, timestep_sinusoid
from motionrft.networks.skip_transformer import SkipDecoder, SkipEncoder
from motionrft.reward.latent import Latent
from motionrft.reward.network_settings import NetworkSettings

OFFICIAL_NAMES = {"kinematic": "263", "joint": "22x3", "rotation": "135"}
SINUSOID = 512  # channels of the time-step sinusoid


class MotionTower(Protocol):
    """What takes features to the motion embedding: the network's own modules, or a LoRA view of them."""

    @property
    def encoder(self) -> nn.Module: ...

    def projection(self, representation: str) -> nn.Module: ...


class Projection(nn.Module):
    """Features of one representation -> the encoder's width; GELU and dropout between the linears."""

    def __init__(self, dim: int, hidden: int, width: int, layers: int, dropout: float):
        super().__init__()
        widths = [dim, *[hidden] * (layers - 1), width]
        stack: list[nn.Module] = []
        for before, after in pairwise(widths[:-1]):
            stack += [nn.Linear(before, after), nn.GELU(), nn.Dropout(dropout)]
        last = nn.Linear(widths[-2], width)
        self.proj: nn.Module = nn.Sequential(*stack, last) if stack else last

    def forward(self, features: Tensor) -> Tensor:
        """[B, T, dim] -> [B, T, width]."""
        return cast(Tensor, self.proj(features))


class RewardNetwork(nn.Module):
    """The semantic backbone. Embeddings are `Latent`s of width d in which text and motion meet.

    Without dropout (eval mode) every method is deterministic.
    """

    def __init__(self, settings: NetworkSettings):
        super().__init__()
        s = settings
        self.settings = s
        d, u = s.latent_dim, s.unified_dim
        self.global_motion_token = nn.Parameter(torch.randn(1, u))
        self.global_text_token = nn.Parameter(torch.randn(1, d))
        for name, dim in s.dims.items():
            projection = Projection(
                s.patch * dim, s.projection_hidden, u, s.projection_layers, s.dropout
            )
            setattr(self, f"proj_{OFFICIAL_NAMES[name]}", projection)
            setattr(self, f"final_layer_{OFFICIAL_NAMES[name]}", nn.Linear(d, s.patch * dim))
        self.query_pos_encoder = LearnedPositions(u)
        self.encoder = SkipEncoder(u, s.heads, s.feedforward, s.layers, s.dropout)
        self.dist_layer = nn.Linear(u, 2 * d)
        self.text_embedding = nn.Linear(s.text_dim, d)
        self.query_text_pos_encoder = LearnedPositions(d)
        self.text_encoder = SkipEncoder(
            d, s.text_heads, s.text_feedforward, s.text_layers, s.dropout
        )
        self.dist_text_layer = nn.Linear(d, 2 * d)
        self.time_embedding = TimestepEmbedding(SINUSOID, u)
        self.time_embedding_text = TimestepEmbedding(SINUSOID, d)
        self.query_pos_decoder = LearnedPositions(d)
        # the official decoder has the motion encoder's layers, heads and feed-forward at width d
        self.decoder = SkipDecoder(d, s.heads, s.feedforward, s.layers, s.dropout)

    @property
    def representations(self) -> tuple[str, ...]:
        return tuple(self.settings.dims)

    def projection(self, representation: str) -> nn.Module:
        """The module that takes features [B, T, patch * dim] of a representation to the encoder's width."""
        return cast(nn.Module, getattr(self, f"proj_{self.official(representation)}"))

    def official(self, representation: str) -> str:
        """The representation's name in the released files; an unknown one is an `InputError`."""
        if representation not in self.settings.dims:
            raise InputError(
                f"the reward does not know representation {representation!r}",
                fix=f"it was trained on {', '.join(self.settings.dims)}",
            )
        return OFFICIAL_NAMES[representation]

    def encode_motion(
        self,
        features: Tensor,
        lengths: Tensor | None,
        representation: str,
        t: Tensor | None = None,
        adapter: MotionTower | None = None,
    ) -> Latent:
        """features [B, T, dim], z-normalised; lengths [B] (None: every frame counts); t [B]: the step of
        the time token (None: no token); `adapter`: the view of projections and encoder to use."""
        dim = self.settings.dims.get(representation)
        if dim is not None and features.shape[-1] != dim:
            raise InputError(
                f"features of width {features.shape[-1]}, but {representation!r} has {dim} a frame",
                fix="name the representation the features are in",
            )
        tower: MotionTower = self if adapter is None else adapter
        projection = tower.projection(representation)
        features, valid = self._patched(features, lengths)
        hidden = projection(features)
        tokens = [self.global_motion_token.expand(len(features), 1, -1)]
        if t is not None:
            tokens.append(self._time_token(self.time_embedding, t, len(features)))
        return Latent.split(
            self.dist_layer(
                _first_output(tower.encoder, self.query_pos_encoder, tokens, hidden, valid)
            )
        )

    def encode_clean(
        self,
        features: Tensor,
        lengths: Tensor,
        representation: str,
        adapter: MotionTower | None = None,
        *,
        token: bool = True,
    ) -> Latent:
        """`encode_motion` of clean motions, which are at step 0. `token` False: without a time token."""
        t = torch.zeros_like(lengths) if token else None
        return self.encode_motion(features, lengths, representation, t, adapter)

    def encode_text(self, tokens: Tensor, mask: Tensor, t: Tensor | None = None) -> Latent:
        """tokens [B, L, text_dim] token states, mask [B, L] True = a token that counts (the end token too)."""
        front = [self.global_text_token.expand(len(tokens), 1, -1)]
        if t is not None:
            front.append(self._time_token(self.time_embedding_text, t, len(tokens)))
        hidden = self.text_embedding(tokens)
        return Latent.split(
            self.dist_text_layer(
                _first_output(self.text_encoder, self.query_text_pos_encoder, front, hidden, mask)
            )
        )

    def decode(self, z: Tensor, lengths: Tensor, frames: int, representation: str) -> Tensor:
        """z [B, d] -> z-normalised features [B, frames, dim], exactly 0 after each length. Training only."""
        patch = self.settings.patch
        valid = frame_mask(lengths, frames)
        queries = self.query_pos_decoder.first(-(-frames // patch)).expand(len(z), -1, -1)
        hidden = self.decoder(queries, z[:, None], valid[:, ::patch])
        final = getattr(self, f"final_layer_{self.official(representation)}")
        decoded: Tensor = final(hidden)
        decoded = decoded.reshape(*decoded.shape[:2], patch, -1).flatten(1, 2)[:, :frames]
        return decoded * valid[..., None]

    def _patched(self, features: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Tokens of `patch` frames and which of them count; a last partial patch is completed with zeros."""
        frames, patch = features.shape[1], self.settings.patch
        valid = None if lengths is None else frame_mask(lengths, frames)
        if patch == 1:
            return features, valid
        if valid is not None:
            features = features * valid[..., None]
            valid = valid[:, ::patch]
        features = F.pad(features, (0, 0, 0, -frames % patch))
        return features.reshape(len(features), -1, patch * features.shape[2]), valid

    def _time_token(self, embedding: nn.Module, t: Tensor, batch: int) -> Tensor:
        sinusoid = timestep_sinusoid(t.reshape(-1), SINUSOID).to(self.global_motion_token.dtype)
        return cast(Tensor, embedding(sinusoid))[:, None].expand(batch, -1, -1)


def _first_output(
    encoder: nn.Module,
    positions: LearnedPositions,
    front: list[Tensor],
    content: Tensor,
    valid: Tensor | None,
) -> Tensor:
    """The global token's output [B, width]; tokens in front of the content are always attended."""
    sequence = positions(torch.cat([*(token.to(content.dtype) for token in front), content], dim=1))
    if valid is not None:
        valid = torch.cat([valid.new_ones(len(valid), len(front)), valid], dim=1)
    return cast(Tensor, encoder(sequence, valid, keep=1))[:, 0]
