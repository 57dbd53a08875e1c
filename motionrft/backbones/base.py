"""What the suite knows of a text-to-motion generator; everything else stays in the family's package."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.checkpoints import load_into
from motionrft.corpus.dataset import Batch
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextBatch
from motionrft.training.ema import TargetNetwork


@dataclass(frozen=True)
class Condition:
    """What a network needs besides x_t and t, of B samples.

    text     the captions' features
    lengths  [B] frames
    drop     [B] True: the backbone's null condition stands in for the text (the unconditional branch)
    empty    features of the empty caption (B = 1), which are the null condition of some families
    whole    True: known without asking the device that nothing is dropped
    """

    text: TextBatch
    lengths: Tensor
    drop: Tensor
    empty: TextBatch | None = None
    whole: bool = False

    @classmethod
    def of(cls, text: TextBatch, empty: TextBatch, lengths: Tensor) -> Condition:
        """The condition of B captions, none of them dropped, on the device of `text`."""
        device = text.pooled.device
        drop = torch.zeros(len(text), dtype=torch.bool, device=device)
        return cls(text, lengths, drop, empty.to(device), whole=True)

    def __len__(self) -> int:
        return len(self.lengths)

    def select(self, index: Tensor | slice) -> Condition:
        text, lengths, drop = self.text.select(index), self.lengths[index], self.drop[index]
        return replace(self, text=text, lengths=lengths, drop=drop)

    @cached_property
    def doubled(self) -> Condition:
        """The batch twice: conditional half first, unconditional second. Made once, for all steps of a walk."""
        return replace(
            self,
            text=TextBatch.cat([self.text, self.text]),
            lengths=torch.cat([self.lengths, self.lengths]),
            drop=torch.cat([self.drop, torch.ones_like(self.drop)]),
            whole=False,
        )

    @cached_property
    def distinct(self) -> tuple[Tensor, Tensor]:
        """(rows [U], place [B]): one row of each caption there is, and the place in `rows` that stands for a row.

        Captions are the same if their features are; dropped ones, if their masks are. Found once, for all steps.
        Without values (the meta device) there is nothing to compare: all are distinct.
        """
        every = torch.arange(len(self), device=self.drop.device)
        if self.drop.is_meta:
            return every, every
        heard = ~self.drop[:, None]
        key = torch.cat([self.text.pooled * heard, self.text.mask, self.drop[:, None]], dim=1)
        _, place = key.unique(dim=0, return_inverse=True)
        rows = every.new_empty(int(place.max()) + 1)
        rows = rows.scatter_reduce(0, place, every, "amin", include_self=False)
        tokens = self.text.tokens * heard[..., None]
        same = bool((tokens == tokens[rows[place]]).all())
        return (rows, place) if same else (every, every)

    def with_drop(self, drop: Tensor) -> Condition:
        return replace(self, drop=drop, whole=False)


class Backbone(nn.Module, ABC):
    """A denoiser with what surrounds it. x is the space it diffuses in: [B, n, …] with n = `width(frames)`.

    Class attributes a family sets: `prediction` (epsilon | sample | velocity), `stages` (names of its
    pre-training stages, in order; the last one trains the denoiser).
    Features are z-normalised with the statistics of the corpus (`normaliser`), in `representation`.
    """

    representation: str = "kinematic"
    prediction: str = "epsilon"
    stages: tuple[str, ...] = ("denoiser",)
    max_frames: int = 196
    # x is frames, each decoded alone, so that those after a sample's length can be seen
    emits_padding: bool = False
    # whether the network reads token states; others read pooled vectors alone (schema `reads_tokens`)
    reads_tokens: bool = True
    # stages that learn from motions alone (schema `textless`)
    textless: tuple[str, ...] = ()
    # regular expression over module names that LoRA adapts; empty: every linear layer of `trainable()`
    lora_targets: str = ""
    # the option by which this network's output means something else than the official one's; empty: none does
    unofficial: str = ""

    feature_mean: Tensor
    feature_std: Tensor

    def reads_motions(self, stage: str) -> bool:
        """Whether `stage`, once started, reads the frames of its batches, not names and captions alone."""
        return True

    @property
    def normaliser(self) -> Normaliser:
        """The corpus's statistics. They are buffers outside the state dict: they move with the network."""
        return Normaliser(self.feature_mean, self.feature_std)

    @normaliser.setter
    def normaliser(self, statistics: Normaliser) -> None:
        self.register_buffer("feature_mean", statistics.mean, persistent=False)
        self.register_buffer("feature_std", statistics.std, persistent=False)

    @classmethod
    @abstractmethod
    def build(
        cls, network: dict[str, Any], *, dim: int, text: dict[str, int], normaliser: Normaliser
    ) -> Backbone:
        """A fresh network. dim: features a frame; text: {"pooled": P, "tokens": D}, the text widths."""

    @abstractmethod
    def width(self, frames: int) -> int:
        """Positions of x for a batch padded to `frames` frames (1 or 16 latents, frames / 4, frames)."""

    @abstractmethod
    def sample_shape(self, frames: int) -> tuple[int, ...]:
        """Shape of one sample's x, batch axis left out: (width(frames), …)."""

    @abstractmethod
    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """The network's output, of x's shape. t [B]: the table's `t_model`."""

    @abstractmethod
    def encode(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Clean motions [B, T, dim] -> x_0 [B, *sample_shape(T)], what pre-training adds noise to, without gradient.

        Frames after a length are zero. Encoders that sample (a VAE's latents) draw from `generator`, which is on
        the batch's device.
        """

    @abstractmethod
    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        """x -> z-normalised features [B, T, dim], zero after each length. Differentiable.

        frames: T, the longest of `lengths`. Without it `lengths` is asked, for which a GPU has to finish its work.
        """

    @abstractmethod
    def pretrain_loss(
        self, batch: Batch, condition: Condition, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Scalar losses of one training batch; the entry "loss" is minimised. Random draws come from `generator`.

        condition: of the batch's captions and lengths, nothing dropped; the family drops what it learns to do without.
        """

    def guided(self, x: Tensor, t: Tensor, condition: Condition, scale: float) -> Tensor:
        """Classifier-free guidance o_u + s (o_c - o_u) in one call on 2B; scale 1 makes one call on B.

        Ho & Salimans (2022), eq. 6, with s = 1 + w.
        """
        if scale == 1.0:
            return self.predict(x, t, condition)
        conditional, unconditional = self.predict(
            torch.cat([x, x]), torch.cat([t, t]), condition.doubled
        ).chunk(2)
        return unconditional + scale * (conditional - unconditional)

    def stage_parameters(self, stage: str) -> list[nn.Parameter]:
        """What a pre-training stage updates."""
        return list(self.parameters())

    def start_from(self, tensors: Mapping[str, Tensor], stage: str, where: str | Path = "") -> None:
        """Takes the state dict a stage starts from: its earlier stage's (strict), or a teacher's."""
        load_into(self, tensors, where)

    def ema_target(self) -> TargetNetwork | None:
        """The network outside the state dict that every optimiser step of pre-training moves, if any."""
        return None

    def start_stage(self, stage: str, batches: Iterable[Batch]) -> None:
        """Runs once before a stage (also before one that goes on from a checkpoint), on every training motion: what is
        known in closed form, or encoded once. May leave `batches` unread."""

    def finish_stage(self, stage: str, batches: Iterable[Batch]) -> None:
        """Runs once after a stage, on every training motion (statistics of a latent space)."""

    def trainable(self) -> list[nn.Parameter]:
        """What fine-tuning updates (the denoiser, never a decoder)."""
        return list(self.parameters())
