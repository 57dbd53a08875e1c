"""MDM, the motion diffusion model (Tevet et al., ICLR 2023), in its official variants.

trans_enc, CLIP    `humanml_trans_enc_512` (1000 steps) and `humanml_enc_512_50steps`, the one the paper fine-tunes
trans_dec, BERT    `humanml_trans_dec_512_bert`: cross-attention to DistilBERT tokens, frames masked by length
trans_dec, CLIP    cross-attention to one summed token

Diffuses z-normalised features [B, T, dim] and predicts x_0. Parameter names are the official ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from motionrft.backbones.base import Backbone, Condition, LoadReport
from motionrft.backbones.mdm.options import MDMOptions
from motionrft.backbones.official_files import (
    copies,
    load_strict,
    read_checkpoint,
    split_ignored,
    write_checkpoint,
)
from motionrft.backbones.renormalised import OwnStatistics
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.forward import ForwardProcess
from motionrft.errors import InputError
from motionrft.files import read_json
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.masks import frame_mask
from motionrft.networks.positions import interleaved_sinusoid
from motionrft.networks.skip_transformer import DecoderLayer, EncoderLayer
from motionrft.options import read_options
from motionrft.text.features import TextBatch

CLIP = "clip_model."
TABLES = ("sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe")


class MDM(Backbone):
    prediction = "sample"
    emits_padding = True
    pe: Tensor

    def __init__(self, options: MDMOptions, dim: int, text: dict[str, int], normaliser: Normaliser):
        super().__init__()
        self.options, self.dim, self.normaliser = options, dim, normaliser
        self.max_frames = options.max_frames
        hidden, kind = options.latent_dim, options.arch
        width = text["pooled"] if options.text == "clip" else text["tokens"]
        layer = EncoderLayer if kind == "trans_enc" else DecoderLayer
        layers = (
            layer(hidden, options.heads, options.ff_size, options.dropout)
            for _ in range(options.layers)
        )
        self.input_process = nn.ModuleDict({"poseEmbedding": nn.Linear(dim, hidden)})
        self.stack_name = "seqTransEncoder" if kind == "trans_enc" else "seqTransDecoder"
        self.add_module(self.stack_name, nn.ModuleDict({"layers": nn.ModuleList(layers)}))
        time = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.embed_timestep = nn.ModuleDict({"time_embed": time})
        self.embed_text = nn.Linear(width, hidden)
        self.output_process = nn.ModuleDict({"poseFinal": nn.Linear(hidden, dim)})
        self.statistics = OwnStatistics(normaliser)
        self.forward_process = ForwardProcess(options.schedule)
        self.position_dropout = nn.Dropout(options.dropout)
        self._place(options.pos_embed_max_len)

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

    def _positions(self) -> int:
        """How many rows are read: a token and all frames, or all time-steps."""
        return max(self.max_frames + 1, len(self.forward_process))

    def _place(self, rows: int) -> None:
        """One table of positions serves frames and time-steps."""
        if rows < self._positions():
            raise InputError(
                f"{rows} rows for {self._positions()} positions",
                field="network.pos_embed_max_len",
                fix=f"at least {self._positions()}",
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
        return self.embed_timestep["time_embed"](self.pe[t.long()])

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
        return self.output_process["poseFinal"](h)

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

    def sample_shape(self, frames: int) -> tuple[int, ...]:
        return self.width(frames), self.dim

    def encode(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """In the network's own normalisation, zero after each length, [B, width(T), dim]."""
        frames = batch.features.shape[1]
        x = self.statistics.from_corpus(batch.features, self.normaliser)
        x = x * frame_mask(batch.lengths, frames)[..., None]
        return nn.functional.pad(x, (0, 0, 0, self.width(frames) - frames))

    def to_features(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = self.statistics.to_corpus(x[:, : int(lengths.max())], self.normaliser)
        return x * frame_mask(lengths, x.shape[1])[..., None]

    def pretrain_loss(
        self, batch: Batch, text: TextBatch, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Mean over samples of the mean squared error of x̂_0 over valid frames; text dropped at random."""
        del stage
        x0 = self.encode(batch, generator)
        t, _, x = self.forward_process.draw(x0, generator)
        chance = torch.rand(len(x0), generator=generator, device=x0.device)
        condition = Condition(text, batch.lengths, chance < self.options.cond_mask_prob)
        losses = self.masked_error(self.predict(x, t, condition), x0, batch.lengths)
        return {"loss": losses.mean()}

    @staticmethod
    def masked_error(predicted: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
        """Squared error a valid number of each sample, [B]."""
        valid = frame_mask(lengths, target.shape[1])[..., None]
        total = ((predicted - target) ** 2 * valid).sum((1, 2))
        return total / (lengths * target.shape[2] + 1e-8)

    # -- official files ----------------------------------------------------------------------------

    def load_official(self, path: str | Path) -> LoadReport:
        """A `model*.pt`: flat, or {model, model_avg} of which the average is taken.

        An `args.json` beside it must agree. The stored position tables are checked and replaced by our own of the same length; embedded
        `clip_model.*` weights are reported (see motionrft.backbones.embedded_clip for using them).
        """
        self._check_arguments(Path(path).with_name("args.json"))
        tensors = _weights(path)
        tables = {name: tensors[name] for name in TABLES if name in tensors}
        for name, table in tables.items():
            own = interleaved_sinusoid(len(table), self.options.latent_dim)[:, None]
            if table.shape != own.shape or not torch.allclose(table.float(), own, atol=1e-4):
                raise InputError(
                    "not the sinusoidal table of this width",
                    where=path,
                    field=name,
                    fix="set network.latent_dim to the checkpoint's",
                )
        rest = {name: tensor for name, tensor in tensors.items() if name not in tables}
        rest, ignored = split_ignored(rest, (CLIP,))
        matched = load_strict(self, {**rest, **self.statistics.kept()}, path)
        rows = max((len(table) for table in tables.values()), default=0)
        if rows >= self._positions():
            self._place(rows)
        note = self.statistics.read_beside(path)
        return LoadReport(str(path), [*matched[: len(rest)], *tables], ignored, (note,))

    def _check_arguments(self, path: Path) -> None:
        """What the weights' shapes cannot tell, against the `args.json` beside them; absent entries
        have the official defaults."""
        if not path.is_file():
            return
        stored, options = read_json(path), self.options
        own = {
            "diffusion_steps": (len(self.forward_process), 1000),
            "mask_frames": (options.mask_frames, False),
            "emb_trans_dec": (options.decoder_token != "none", False),
            "text_encoder_type": (options.text, "clip"),
            "emb_policy": (options.emb_policy, "add"),
        }
        for name, (value, default) in own.items():
            if stored.get(name, default) != value:
                raise InputError(
                    f"trained with {stored.get(name, default)}, but the network has {value}",
                    where=path,
                    field=name,
                    fix="correct the `network:` section of the backbone's file",
                )

    def export_official(self, path: str | Path, like: str | Path | None = None) -> None:
        """The official layout: both position tables, {model, model_avg} where it averages, no CLIP but
        that of `like` (files of before December 2022 hold one)."""
        tensors, _ = split_ignored(copies(self), ("statistics.",))
        for name in TABLES:
            tensors[name] = self.pe[:, None].cpu().clone()
        if like is not None:
            stored = _weights(like)
            tensors |= {name: value for name, value in stored.items() if name.startswith(CLIP)}
        nested = {"model": tensors, "model_avg": tensors}
        write_checkpoint(path, nested if self.options.average else tensors)


def _weights(path: str | Path) -> dict[str, Tensor]:
    """The weights of an official file: the average where there is one."""
    content = read_checkpoint(path)
    return next((content[nest] for nest in ("model_avg", "model") if nest in content), content)
