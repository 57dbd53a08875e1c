"""Rewards of one's own: a function of joints and a sentence, alone or beside a trained reward, as fine-tuning sees them.

A term scores clean motions: a function of joints knows no noise levels, so that a sum with one in it is shown the
clean estimate of a denoising step and never its noisy state (`max_t` is 0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.inference.reward import RewardModel
from motionrft.inference.sentences import SentenceEncoder
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import Representation
from motionrft.networks.masks import frame_mask
from motionrft.reward.noise_schedule import cumulative_alphas
from motionrft.text.features import TextBatch

# (joints [T, J, 3] in metres, Y up; sentence) -> a number, the more the better
JointFunction = Callable[[Tensor, str], Any]


@dataclass(frozen=True)
class Captions(TextBatch):
    """Text features with the sentences themselves, for rewards that read these."""

    sentences: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: TextBatch, sentences: Sequence[str]) -> Captions:
        return cls(text.pooled, text.tokens, text.mask, text.eos, tuple(sentences))

    @property
    def features(self) -> TextBatch:
        return TextBatch(self.pooled, self.tokens, self.mask, self.eos)

    def to(self, device: torch.device | str) -> Captions:
        return self.of(self.features.to(device), self.sentences)

    def select(self, index: Tensor | slice) -> Captions:
        rows = range(len(self.sentences))
        chosen = rows[index] if isinstance(index, slice) else index.tolist()
        return self.of(self.features.select(index), [self.sentences[row] for row in chosen])


class Term(Protocol):
    """One part of the sum. differentiable: whether its scores have a gradient in the features."""

    alphas: Tensor
    max_t: int
    differentiable: bool

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def buffers(self) -> Iterator[Tensor]: ...

    def context(self, captions: Captions, lengths: Tensor) -> Any:
        """What motions of these captions are scored against, computed once."""

    def __call__(self, raw: Tensor, lengths: Tensor, context: Any, t: Tensor | None) -> Tensor:
        """[B] scores of raw features [B, T, dim]; t [B]: noise levels of the reward's own schedule."""


class JointTerm:
    """A function of joints as a term. example: raw features [T, dim] of a motion that it is tried on, and its sentence."""

    def __init__(
        self, function: JointFunction, representation: Representation, example: tuple[Tensor, str]
    ):
        self.function, self.representation = function, representation
        self.alphas, self.max_t = cumulative_alphas(), 0
        self.differentiable = self._has_gradient(*example)

    def parameters(self) -> Iterator[nn.Parameter]:
        return iter(())

    def buffers(self) -> Iterator[Tensor]:
        return iter(())

    def context(self, captions: Captions, lengths: Tensor) -> tuple[str, ...]:
        del lengths
        return captions.sentences

    def __call__(self, raw: Tensor, lengths: Tensor, context: Any, t: Tensor | None) -> Tensor:
        del t
        joints = self.representation.decode(raw)
        rows = zip(joints, lengths.tolist(), context, strict=True)
        scores = [self._number(motion[:frames], sentence) for motion, frames, sentence in rows]
        return torch.stack(scores).to(raw)

    def _number(self, joints: Tensor, sentence: str) -> Tensor:
        value = self.function(joints, sentence)
        try:
            number = value if isinstance(value, Tensor) else torch.tensor(float(value))
        except (TypeError, ValueError):
            number = torch.zeros(0)
        if number.numel() != 1:
            raise InputError(
                f"it returned {value!r:.60}, not a number",
                where="finetune",
                field="reward",
                fix="return one number for the joints [T, J, 3] of one motion and its sentence",
            )
        return number.reshape(()).to(joints.device)

    def _has_gradient(self, raw: Tensor, sentence: str) -> bool:
        """A function that a tensor's gradient cannot pass (NumPy) has none."""
        with torch.no_grad():
            [joints] = self.representation.decode(raw[None])
        joints = joints.clone().requires_grad_(True)
        with torch.enable_grad():
            try:
                return self._number(joints, sentence).requires_grad
            except RuntimeError as problem:
                if "requires grad" in str(problem):  # torch refuses numpy() of such a tensor
                    return False
                raise


class TrainedTerm:
    """A trained MotionReward as a term, with the weights of its run, m2m left out: what `score` calls total."""

    differentiable = True

    def __init__(self, model: RewardModel, representation: Representation, device: torch.device):
        reward = model.reward.view(weights=model.weights)
        if representation.name not in reward.representations:
            raise InputError(
                f"it scores {', '.join(reward.representations)} features, the model makes {representation.name}",
                where="finetune", field="reward", fix="train a reward with that representation",
            )  # fmt: skip
        self.reward, self.representation = reward.to(device), representation
        self.encoder: SentenceEncoder = model.encoder
        self.statistics: Normaliser = model.store.normaliser(representation.name).to(device)
        self.alphas, self.max_t = reward.alphas, reward.max_t

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.reward.parameters()

    def buffers(self) -> Iterator[Tensor]:
        return self.reward.buffers()

    def context(self, captions: Captions, lengths: Tensor) -> Any:
        text = self.encoder(captions.sentences).to(lengths.device)
        return self.reward.context(text, None, lengths, self.representation.name)

    def __call__(self, raw: Tensor, lengths: Tensor, context: Any, t: Tensor | None) -> Tensor:
        inside = frame_mask(lengths, raw.shape[1])[..., None]
        features = self.statistics.normalise(raw) * inside
        scores: dict[str, Tensor] = self.reward(features, lengths, context, t)
        return scores["total"]


class WeightedSum:
    """`motionrft.finetune.objective.Reward` of terms by name; features are normalised by `statistics`, the backbone's."""

    def __init__(
        self, terms: Mapping[str, Term], weights: Mapping[str, float], statistics: Normaliser
    ):
        self.terms, self.weights, self.statistics = terms, weights, statistics
        every = list(terms.values())
        self.alphas, self.max_t = every[0].alphas, min(term.max_t for term in every)
        self.differentiable = all(term.differentiable for term in every)

    def parameters(self) -> Iterator[nn.Parameter]:
        return (entry for term in self.terms.values() for entry in term.parameters())

    def buffers(self) -> Iterator[Tensor]:
        return (entry for term in self.terms.values() for entry in term.buffers())

    def context(
        self, text: TextBatch, references: Tensor | None, lengths: Tensor, representation: str
    ) -> dict[str, Any]:
        del references, representation
        assert isinstance(text, Captions)
        return {name: term.context(text, lengths) for name, term in self.terms.items()}

    def __call__(
        self, features: Tensor, lengths: Tensor, context: Any, t: Tensor | None
    ) -> dict[str, Tensor]:
        raw = self.statistics.denormalise(features)
        scores = {name: term(raw, lengths, context[name], t) for name, term in self.terms.items()}
        total = sum(self.weights[name] * score for name, score in scores.items())
        return {**scores, "total": torch.as_tensor(total)}
