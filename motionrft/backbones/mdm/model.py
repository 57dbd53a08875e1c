"""MDM, the motion diffusion model (Tevet et al., ICLR 2023), in its official variants.

trans_enc, CLIP    `humanml_trans_enc_512` (1000 steps) and `humanml_enc_512_50steps`, the one the paper fine-tunes
trans_dec, BERT    `humanml_trans_dec_512_bert`: cross-attention to DistilBERT tokens, frames masked by length
trans_dec, CLIP    cross-attention to one summed token

Diffuses z-normalised features [B, T, dim] and predicts x_0. Parameter names are the official ones.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from motionrft.backbones.base import Condition
from motionrft.backbones.mdm.options import MDMOptions
from motionrft.backbones.motion_space import MotionSpaceBackbone
from motionrft.backbones.normalisation import NetworkNormalisation
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.forward import ForwardProcess
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.masks import frame_mask
from motionrft.networks.positions import interleaved_sinusoid
from motionrft.networks.skip_transformer import DecoderLayer, EncoderLayer
from motionrft.networks.temporal import TemporalConvolution
from motionrft.options import read_options
from motionrft.text.features import TextBatch


class MDM(MotionSpaceBackbone):
    prediction = "sample"
    emits_padding = True
    pe: Tensor

    def __init__(self, options: MDMOptions, dim: int, text: dict[str, int], normaliser: Normaliser):
        super().__init__()
        self.options, self.dim, self.normaliser = options, dim, normaliser
        self.max_frames, self.unofficial = options.max_frames, options.unofficial()
        self.velocity = options.velocity
        self.reads_tokens = options.text == "bert"
        hidden, kind = options.latent_dim, options.arch
        width = text["pooled"] if options.text == "clip" else text["tokens"]
        layer = EncoderLayer if kind == "trans_enc" else DecoderLayer
        layers = (
            layer(hidden, options.heads, options.ff_size, options.dropout)
            for _ in range(options.layers)
        )
        self.input_process = nn.ModuleDict({"poseEmbedding": nn.Linear(dim, hidden)})
        if options.temporal_kernel > 1:
            self.near_frames = TemporalConvolution(hidden, options.temporal_kernel)
        self.stack_name = "seqTransEncoder" if kind == "trans_enc" else "seqTransDecoder"
        self.add_module(self.stack_name, nn.ModuleDict({"layers": nn.ModuleList(layers)}))
        time = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.embed_timestep = nn.ModuleDict({"time_embed": time})
        self.embed_text = nn.Linear(width, hidden)
        self.output_process = nn.ModuleDict({"poseFinal": nn.Linear(hidden, dim)})
        self.statistics = NetworkNormalisation(normaliser)
        self.forward_process = ForwardProcess(options.schedule)
        self.position_dropout = nn.Dropout(options.dropout)
        self.set_positions(options.pos_embed_max_len)

    @classmethod
    def build(
        cls,
        network: dict[str, Any],
        *,
        dim: int,
        text: dict[str, int],
        normaliser: Normaliser,
    ) -> MDM:
        return cls(read_options(MDMOptions, network, field="network"), dim, text, normaliser)

    def positions_read(self) -> int:
        """How many rows of the table are read: a token and all frames, or all time-steps."""
        return max(self.max_frames + 1, len(self.forward_process))

    def set_positions(self, rows: int) -> None:
        """The sinusoidal table of `rows` positions; one serves frames and time-steps."""
        if rows < self.positions_read():
            raise InputError(
                f"{rows} rows for {self.positions_read()} positions",
                field="network.pos_embed_max_len",
                fix=f"at least {self.positions_read()}",
            )
        table = interleaved_sinusoid(rows, self.options.latent_dim)
        device = self.embed_text.weight.device
        self.register_buffer("pe", table.to(device), persistent=False)

    # -- the network -------------------------------------------------------------------------------

    @property
    def layers(self) -> nn.ModuleList:
        return cast(nn.ModuleList, self.get_submodule(f"{self.stack_name}.layers"))

    def time(self, t: Tensor) -> Tensor:
        """t [B] integer -> [B, h]."""
        output: Tensor = self.embed_timestep["time_embed"](self.pe[t.long()])
        return output

    def denoise(
        self,
        x: Tensor,
        t: Tensor,
        text: Tensor,
        text_valid: Tensor | None = None,
        frames_valid: Tensor | None = None,
    ) -> Tensor:
        """x [B, T, dim], t [B], text [B, L, width] (L = 1 for CLIP), masks True = counts -> x̂_0."""
        time, words = self.time(t)[:, None], self.embed_text(text)
        frames = self.input_process["poseEmbedding"](x)
        if self.options.temporal_kernel > 1:
            frames = self.near_frames(frames, frames_valid)
        if self.options.arch == "trans_enc":
            h, valid = self._sequence(time + words, frames, frames_valid)
            for layer in self.layers:
                h = layer(h, valid)
            h = h[:, 1:]
        else:
            memory, memory_valid = self._memory(time, words, text_valid)
            token = {"none": None, "time": time, "time_text": time + words}[
                self.options.decoder_token
            ]
            h, valid = self._sequence(token, frames, frames_valid)
            for layer in self.layers:
                h = layer(h, memory, valid, memory_valid)
            h = h if token is None else h[:, 1:]
        output: Tensor = self.output_process["poseFinal"](h)
        return output

    def _sequence(
        self, token: Tensor | None, frames: Tensor, valid: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """[token, frames] with positions, and its mask."""
        if token is not None:
            frames = torch.cat([token, frames], dim=1)
            if valid is not None:
                valid = torch.cat([valid.new_ones(len(valid), 1), valid], dim=1)
        return self.position_dropout(frames + self.pe[: frames.shape[1]]), valid

    def _memory(
        self, time: Tensor, words: Tensor, valid: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        if self.options.emb_policy == "add":
            return words + time, valid
        if valid is not None:
            valid = torch.cat([valid.new_ones(len(valid), 1), valid], dim=1)
        return torch.cat([time, words], dim=1), valid

    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        text, text_valid = self._text(condition.text)
        # the null condition is a zero FEATURE: embed_text's bias stays
        text = text * ~condition.drop[:, None, None]
        return self.denoise(x, t, text, text_valid, self._frames(condition.lengths, x.shape[1]))

    def _text(self, text: TextBatch) -> tuple[Tensor, Tensor | None]:
        if self.options.text == "clip":
            return text.pooled[:, None], None
        return text.tokens, text.mask

    def _frames(self, lengths: Tensor, frames: int) -> Tensor | None:
        return frame_mask(lengths, frames) if self.options.mask_frames else None

    # -- the backbone ------------------------------------------------------------------------------

    def width(self, frames: int) -> int:
        """Unmasked networks were only ever trained on, and always sample, `max_frames` frames."""
        return frames if self.options.mask_frames else self.max_frames

    def pretrain_loss(
        self, batch: Batch, condition: Condition, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Mean over samples of the mean squared error of x̂_0 over valid frames (paper, eq. 2); text dropped at random."""
        del stage
        x0 = self.encode(batch, generator)
        t, _, x = self.forward_process.draw(x0, generator)
        chance = torch.rand(len(x0), generator=generator, device=x0.device)
        dropped = condition.with_drop(chance < self.options.cond_mask_prob)
        losses = self.error(self.predict(x, t, dropped), x0, batch.lengths)
        return {"loss": losses.mean()}

    @staticmethod
    def masked_error(predicted: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
        """Squared error a valid number of each sample, [B]."""
        valid = frame_mask(lengths, target.shape[1])[..., None]
        total = ((predicted - target) ** 2 * valid).sum((1, 2))
        return total / (lengths * target.shape[2] + 1e-8)
