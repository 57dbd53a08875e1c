"""MotionDiffuse (Zhang et al., 2022): epsilon prediction with linear attention and its own text transformer.

Diffuses features [B, T, dim] in its own normalisation, masked by length, and has no unconditional branch:
guidance is 1. Parameter names are the official ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.backbones.base import Condition
from motionrft.backbones.motion_space import MotionSpaceBackbone
from motionrft.backbones.motiondiffuse.blocks import DecoderBlock, Mixing, efficient, full, zero
from motionrft.backbones.motiondiffuse.options import MotionDiffuseOptions
from motionrft.backbones.motiondiffuse.released import full_masked_by_query
from motionrft.backbones.normalisation import NetworkNormalisation
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.forward import ForwardProcess
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.masks import frame_mask
from motionrft.networks.positions import timestep_sinusoid
from motionrft.networks.skip_transformer import EncoderLayer
from motionrft.networks.temporal import TemporalConvolution
from motionrft.options import read_options
from motionrft.text.features import TextBatch

# attention over frames, and over the text, where the released layers mask nothing
ATTENTIONS: dict[str, tuple[Mixing, Mixing]] = {
    "efficient": (efficient, efficient),
    "full": (full, full),
    "full_official": (full_masked_by_query, full),
}


@dataclass(frozen=True)
class EncodedText:
    """xf_proj [B, 4 h], xf_out [B, L, text latent], and which tokens count [B, L]."""

    summary: Tensor
    tokens: Tensor
    valid: Tensor


class MotionDiffuse(MotionSpaceBackbone):
    def __init__(
        self,
        options: MotionDiffuseOptions,
        dim: int,
        text: dict[str, int],
        normaliser: Normaliser,
    ):
        super().__init__()
        self.options, self.dim, self.normaliser = options, dim, normaliser
        self.max_frames, self.prediction = options.max_frames, options.prediction
        self.velocity = options.velocity
        self.unofficial = options.unofficial()
        hidden, words = options.latent_dim, options.text_latent_dim
        embedding = 4 * hidden
        self.sequence_embedding = nn.Parameter(torch.randn(options.max_frames, hidden))
        self.text_pre_proj = (
            nn.Identity() if text["tokens"] == words else nn.Linear(text["tokens"], words)
        )
        layers = (
            EncoderLayer(words, options.text_heads, options.text_ff_size, options.dropout)
            for _ in range(options.text_layers)
        )
        self.textTransEncoder = nn.ModuleDict({"layers": nn.ModuleList(layers)})
        self.text_ln = nn.LayerNorm(words)
        self.text_proj = nn.Sequential(nn.Linear(words, embedding))
        self.joint_embed = nn.Linear(dim, hidden)
        if options.temporal_kernel > 1:
            self.near_frames = TemporalConvolution(hidden, options.temporal_kernel)
        self.time_embed = nn.Sequential(
            nn.Linear(hidden, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.temporal_decoder_blocks = nn.ModuleList(
            DecoderBlock(
                hidden,
                words,
                options.heads,
                options.ff_size,
                embedding,
                options.dropout,
                *ATTENTIONS[options.attention],
            )
            for _ in range(options.layers)
        )
        self.out = zero(nn.Linear(hidden, dim))
        self.statistics = NetworkNormalisation(normaliser)
        self.forward_process = ForwardProcess(options.schedule)
        self._last_encoded: tuple[TextBatch, list[tuple[int, int, int]], EncodedText] | None = None

    @classmethod
    def build(
        cls, network: dict[str, Any], *, dim: int, text: dict[str, int], normaliser: Normaliser
    ) -> MotionDiffuse:
        return cls(
            read_options(MotionDiffuseOptions, network, field="network"), dim, text, normaliser
        )

    # -- the network -------------------------------------------------------------------------------

    def encode_text(self, text: TextBatch) -> EncodedText:
        """The own text transformer over the text encoder's token states.

        CLIP's 77 positions all count, pads included, as the official model was trained; the mask of
        other encoders is kept, so that a caption does not see how far its batch is padded.
        """
        h = self.text_pre_proj(text.tokens)
        for layer in cast(nn.ModuleList, self.textTransEncoder["layers"]):
            h = layer(h, text.mask)
        h = self.text_ln(h)
        rows = torch.arange(len(h), device=h.device)
        return EncodedText(self.text_proj(h[rows, text.eos]), h, text.mask)

    def text_of_walk(self, text: TextBatch) -> EncodedText:
        """As `encode_text`; without gradient, once for all steps of a walk: while `text` is the same object, and the
        weights are the same ones and unchanged."""
        if self.training or torch.is_grad_enabled():
            return self.encode_text(text)
        weights = [*self.text_pre_proj.parameters(), *self.textTransEncoder.parameters()]
        weights += [*self.text_ln.parameters(), *self.text_proj.parameters()]
        state = [(id(weight), weight.data_ptr(), weight._version) for weight in weights]
        last = self._last_encoded
        if last is None or last[0] is not text or last[1] != state:
            last = self._last_encoded = (text, state, self.encode_text(text))
        return last[2]

    def embedding(self, t: Tensor, text: EncodedText) -> Tensor:
        """t [B] -> time and text summed, [B, 4 h]."""
        sinusoid = timestep_sinusoid(t, self.options.latent_dim).to(self.joint_embed.weight.dtype)
        output: Tensor = self.time_embed(sinusoid) + text.summary
        return output

    def denoise(
        self, x: Tensor, t: Tensor, text: EncodedText, frames_valid: Tensor | None
    ) -> Tensor:
        """x [B, T, dim], t [B], frames_valid [B, T] True = counts -> the prediction [B, T, dim]."""
        style = F.silu(self.embedding(t, text))[:, None]
        h = self.joint_embed(x)
        if self.options.temporal_kernel > 1:
            h = self.near_frames(h, frames_valid)
        h = h + self.sequence_embedding[: x.shape[1]]
        for block in self.temporal_decoder_blocks:
            h = block(h, style, text.tokens, text.valid, frames_valid)
        output: Tensor = self.out(h)
        return output

    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        if not condition.whole and bool(condition.drop.any()):
            raise _no_guidance()
        valid = frame_mask(condition.lengths, x.shape[1])
        return self.denoise(x, t, self.text_of_walk(condition.text), valid)

    def guided(self, x: Tensor, t: Tensor, condition: Condition, scale: float) -> Tensor:
        if scale != 1.0:
            raise _no_guidance()
        return self.predict(x, t, condition)

    def pretrain_loss(
        self, batch: Batch, condition: Condition, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Squared error of the noise (or of x̂_0), averaged over all valid frames of the batch together (section 3.2)."""
        del stage
        x0 = self.encode(batch, generator)
        t, eps, x = self.forward_process.draw(x0, generator)
        valid = frame_mask(batch.lengths, x0.shape[1])
        predicted = self.denoise(x, t, self.encode_text(condition.text), valid)
        target = eps if self.prediction == "epsilon" else x0
        return {"loss": self.error(predicted, target, batch.lengths)}

    @staticmethod
    def masked_error(predicted: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
        """Squared error a valid number of the batch."""
        valid = frame_mask(lengths, target.shape[1])
        return (((predicted - target) ** 2).mean(-1) * valid).sum() / valid.sum()


def _no_guidance() -> InputError:
    return InputError(
        "MotionDiffuse has no unconditional branch", field="sampler.guidance", fix="set it to 1.0"
    )
