"""HY-Motion 1.0 and 1.0-Lite (arXiv 2512.23464): flow matching on body rotations with an MMDiT.

t = 0 is noise and t = 1 data. The official network works at 30 fps on 201 numbers a frame: translation and
22 rotations as 6D (135), then the 22 joints relative to the pelvis (66), which the decoder ignores. `joints:
false` leaves the last 66 out for small models; `fps: 20` switches the conversion of frame rates off;
`principal` puts the motion's principal components for its frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.flow_matching import draw, velocity_loss, velocity_of_clean
from motionrft.backbones.hymotion.frame_rate import Clock
from motionrft.backbones.hymotion.mmdit import MMDiT, TextStream
from motionrft.backbones.hymotion.options import HYMotionOptions
from motionrft.backbones.principal import PrincipalComponents
from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import representation
from motionrft.networks.masks import frame_mask, longest
from motionrft.options import first_changed, read_options
from motionrft.text.features import TextBatch

ROTATION = 135
FULL = 201
CONSTANT = 1e-3  # a standard deviation below it means: this number never changes
JOINT_SCALE = 0.3  # metres; scale of the relative joints where no official statistics are loaded


class HYMotion(Backbone):
    """x [B, n, 201 or 135] at the model's frame rate, normalised by its own mean and std; or tokens of principal
    components."""

    representation = "rotation"
    prediction = "velocity"
    stages = ("denoiser",)
    # the official adapters: linears of double and refiner blocks; single blocks have none
    lora_targets = r"motion_transformer\..*(qkv|proj|fc1|fc2)"

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        transformer: MMDiT,
        text: dict[str, int],
        normaliser: Normaliser,
        clock: Clock,
        drop: float,
        clean: bool = False,
        components: PrincipalComponents | None = None,
    ):
        super().__init__()
        self.clean, self.components = clean, components
        self.unofficial = first_changed({"principal": components is not None, "clean": clean})
        self.motion_transformer, self.normaliser, self.clock = transformer, normaliser, clock
        self.text_drop = drop
        sentence, tokens = text["pooled"], text["tokens"]
        self.null_vtxt_feat = nn.Parameter(torch.randn(1, 1, sentence))
        self.null_ctxt_input = nn.Parameter(torch.randn(1, 1, tokens))
        # in every official file, used by its game mode only
        self.special_game_vtxt_feat = nn.Parameter(torch.randn(1, 1, sentence))
        self.special_game_ctxt_feat = nn.Parameter(torch.randn(1, 1, tokens))
        extra = 0 if components else transformer.input_encoder.in_features - ROTATION
        self.register_buffer("mean", torch.cat([normaliser.mean.float(), torch.zeros(extra)]))
        self.register_buffer(
            "std", torch.cat([normaliser.std.float(), torch.full((extra,), JOINT_SCALE)])
        )

    @classmethod
    def build(
        cls, network: dict[str, Any], *, dim: int, text: dict[str, int], normaliser: Normaliser
    ) -> HYMotion:
        """network: see `HYMotionOptions`."""
        if dim != ROTATION:
            raise InputError(
                f"{dim} features a frame, expected {ROTATION}",
                field="representation",
                fix="use rotation",
            )
        options = read_options(HYMotionOptions, network, field="network")
        components: PrincipalComponents | None = None
        width = FULL if options.joints else ROTATION
        if options.principal:
            components = PrincipalComponents(dim, options.principal, cls.max_frames)
            width = options.principal[1]
        transformer = MMDiT(
            options,
            dim=width,
            tokens=text["tokens"],
            sentence=text["pooled"],
        )
        rest = Clock(options.fps), options.drop, options.clean, components
        return cls(transformer, text, normaliser, *rest)

    # shapes and spaces

    def width(self, frames: int) -> int:
        if self.components is not None:
            return self.components.latent[0]
        longest = self.motion_transformer.text_offset
        count = self.clock.frames(frames)
        if count > longest:
            raise InputError(
                f"{frames} frames are {count} at {self.clock.fps} fps, the model holds {longest}",
                field="network.train_frames",
                fix="ask for shorter motions, or raise it for a model trained here",
            )
        return count

    def sample_shape(self, frames: int) -> tuple[int, ...]:
        return self.width(frames), self.motion_transformer.input_encoder.in_features

    def widths(self, lengths: Tensor) -> Tensor:
        """Positions of x that hold motion, for each length."""
        if self.components is not None:
            return torch.full_like(lengths, self.components.latent[0])
        return self.clock.lengths(lengths)

    def normalise(self, raw: Tensor) -> Tensor:
        """Raw model features [B, n, dim] -> x."""
        return (raw - self.mean) / torch.where(self.std < CONSTANT, 1.0, self.std)

    def denormalise(self, x: Tensor) -> Tensor:
        """x -> raw model features; numbers that never change are exactly their mean (official rule)."""
        return x * torch.where(self.std < CONSTANT, 0.0, self.std) + self.mean

    @torch.no_grad()
    def encode(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Corpus features [B, T, 135] -> x [B, n, dim], zero after each length."""
        if self.components is not None:
            return self.components.encode(batch.features, batch.lengths)[0]
        raw = self.clock.to_model(self.normaliser.denormalise(batch.features), batch.lengths)
        if len(self.mean) == FULL:
            joints = representation("rotation").decode(raw)
            raw = torch.cat([raw, (joints - joints[..., :1, :]).flatten(-2)], dim=-1)
        valid = frame_mask(self.clock.lengths(batch.lengths), raw.shape[1])
        return self.normalise(raw) * valid[..., None]

    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        if self.components is not None:
            return self.components.decode(x, lengths, frames)
        frames = longest(lengths) if frames is None else frames
        raw = self.clock.to_data(self.denormalise(x)[..., :ROTATION], lengths, frames)
        return self.normaliser.normalise(raw) * frame_mask(lengths, frames)[..., None]

    # the network

    def read(self, t: Tensor, text: TextBatch, drop: Tensor) -> TextStream:
        """The text stream of each row; `drop` [B] puts the null features in, under the row's own mask."""
        sentence = torch.where(drop[:, None], self.null_vtxt_feat[0], text.pooled)
        tokens = torch.where(drop[:, None, None], self.null_ctxt_input, text.tokens)
        t = t.to(self.null_ctxt_input.dtype)
        return self.motion_transformer.read(t, sentence, tokens, text.mask)

    def stream(self, t: Tensor, condition: Condition) -> TextStream:
        """The text stream of each row at t [B].

        It does not depend on the motion. Without gradient, where t is one number expanded (a sampler's step), each
        distinct caption is read once: dropped ones differ by their masks only.
        """
        if torch.is_grad_enabled() or t.stride(0) != 0:
            return self.read(t, condition.text, condition.drop)
        rows, place = condition.distinct
        stream = self.read(t[rows], condition.text.select(rows), condition.drop[rows])
        return stream.select(place)

    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return self.velocity(self.network(x, t, condition), x, t)

    def network(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """The MMDiT's output [B, n, dim]."""
        valid = frame_mask(self.widths(condition.lengths), x.shape[1])
        output: Tensor = self.motion_transformer(x, self.stream(t, condition), valid)
        return output

    def velocity(self, output: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """The network's output as data - noise."""
        return velocity_of_clean(output, x, t) if self.clean else output

    def guided(self, x: Tensor, t: Tensor, condition: Condition, scale: float) -> Tensor:
        """As every backbone's, but guidance acts on the network's output before it becomes a velocity."""
        if scale == 1.0:
            return self.predict(x, t, condition)
        twice = t[:1].expand(2 * len(t)) if t.stride(0) == 0 else torch.cat([t, t])
        both = self.network(torch.cat([x, x]), twice, condition.doubled)
        conditional, unconditional = both.chunk(2)
        return self.velocity(unconditional + scale * (conditional - unconditional), x, t)

    # training

    def start_stage(self, stage: str, batches: Iterable[Batch]) -> None:
        if self.components is not None:
            self.components.fit(batches)

    def trainable(self) -> list[nn.Parameter]:
        return list(self.motion_transformer.parameters())

    def pretrain_loss(
        self, batch: Batch, condition: Condition, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        data = self.encode(batch, generator)
        noise, t, condition = draw(data, condition, self.text_drop, generator)
        valid = frame_mask(self.widths(batch.lengths), data.shape[1])
        loss = velocity_loss(self.predict, data, noise, t, condition, valid, clean=self.clean)
        return {"loss": loss}
