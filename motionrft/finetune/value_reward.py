"""A reward with parts that have a value and no gradient, beside the trained terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import Representation, representation
from motionrft.reward.latent import Reading
from motionrft.reward.motion_reward import MotionReward
from motionrft.text.features import TextBatch

# raw features [B, T, dim], lengths [B], captions as the reward reads them -> [B]
Value = Callable[[Tensor, Tensor, TextBatch], Tensor]
# the same -> motions and captions as points [B, E] of an evaluator's space
Points = Callable[[Tensor, Tensor, TextBatch], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Scene:
    """What a value may need to know: what features mean, frames a second, and what opens the evaluator's eyes."""

    representation: Representation
    fps: float
    points: Callable[[], Points] | None = None

    @classmethod
    def of(cls, name: str, about: Mapping[str, Any], points: Callable[[], Points] | None) -> Scene:
        """about: what a feature store says of its corpus."""
        options = {
            key: about[key] for key in ("skeleton", "compat", "bone_lengths") if key in about
        }
        return cls(representation(name, **options), float(about.get("fps", 20.0)), points)


@dataclass
class ValueReward:
    """The trained reward's weighted sum, plus values by name with their weights. statistics: of the features it is shown.

    A value is of clean motions: `max_t` is 0, so that a sample of another noise level is not shown.
    """

    trained: MotionReward
    values: Mapping[str, Value]
    weights: Mapping[str, float]
    statistics: Normaliser
    max_t: int = 0

    differentiable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.alphas = self.trained.alphas

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.trained.parameters()

    def buffers(self) -> Iterator[Tensor]:
        return self.trained.buffers()

    def view(self, *, read: Reading) -> ValueReward:
        return replace(self, trained=self.trained.view(read=read))

    def context(
        self, text: TextBatch, references: Tensor | None, lengths: Tensor, representation: str
    ) -> tuple[Any, TextBatch]:
        return self.trained.context(text, references, lengths, representation), text

    @torch.no_grad()
    def __call__(
        self, features: Tensor, lengths: Tensor, context: tuple[Any, TextBatch], t: Tensor | None
    ) -> dict[str, Tensor]:
        trained, captions = context
        scores = self.trained(features, lengths, trained, t)
        raw = self.statistics.denormalise(features)
        values = {name: value(raw, lengths, captions) for name, value in self.values.items()}
        total = scores["total"]
        for name, value in values.items():
            total = total + self.weights[name] * value
        return {**scores, **values, "total": total}
