"""The plain forms that `speed.py` compares with: the same weights and the same numbers, computed as the official code
of MLD and MotionReward computes them.

    attention     torch's nn.MultiheadAttention as it is called there: three projections, products and softmax written
                  out, and the weights averaged over the heads for a caller who drops them
    transformer   every token through every layer, also where one is read
    reward        captions encoded at every scoring (by the reward's text branch; T5 itself is left out)
    semantic      three views decoded to the longest motion, in one graph
    evaluation    motions normalised one by one and encoded in batches of 32, padded to the longest length
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.evaluation.evaluator import Evaluator
from motionrft.finetune.objective import Objective, Score
from motionrft.networks.attention import Attention
from motionrft.networks.skip_transformer import SkipEncoder
from motionrft.reward.semantic_objective import SemanticLoss, Target


def attention(
    self: Attention, query: Tensor, key: Tensor, value: Tensor, valid: Tensor | None = None
) -> Tensor:
    """`Attention.forward`."""
    weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
    q, k, v = (
        self._heads(F.linear(x, w, b))
        for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    if valid is not None:
        scores = scores.masked_fill(~valid[:, None, None], -torch.inf)
    shares = F.dropout(scores.softmax(dim=-1), self.dropout if self.training else 0.0)
    mixed: Tensor = self.out_proj((shares @ v).transpose(1, 2).flatten(2))
    shares.mean(dim=1)
    return mixed


def encoder(
    self: SkipEncoder, x: Tensor, valid: Tensor | None = None, keep: int | None = None
) -> Tensor:
    """`SkipEncoder.forward`."""
    return self.run(x, lambda block, y, last: block(y, valid))[:, :keep]


class PlainSemanticLoss(SemanticLoss):
    """L_rec in one graph."""

    def reconstruction(
        self, target: Target, z_text: Tensor, z_motion: Tensor
    ) -> tuple[Tensor, Tensor]:
        x, lengths = target.features, target.lengths
        counted = self.rules.counted_frames(lengths, x.shape[1])
        x_text, x_motion = (
            self.network.decode(z, lengths, x.shape[1], target.representation)
            for z in (z_text, z_motion)
        )
        weight = torch.ones_like(x) if counted is None else counted[..., None].expand_as(x).to(x)
        values = torch.stack(
            [
                (F.smooth_l1_loss(a, b, reduction="none") * weight).sum() / weight.sum()
                for a, b in ((x_text, x), (x_motion, x), (x_motion, x_text))
            ]
        )
        return values.sum(), values.detach()


@torch.no_grad()
def embed_motions(evaluator: Evaluator, motions: Sequence[Tensor]) -> Tensor:
    """`Evaluator.embed_motions` of finite motions."""
    parts = []
    for begin in range(0, len(motions), 32):
        batch = torch.zeros(32, evaluator.max_frames, motions[0].shape[1])
        kept = []
        for row, motion in enumerate(motions[begin : begin + 32]):
            if bool(motion.isfinite().all()):
                batch[row, : len(motion)] = evaluator.normaliser.normalise(motion)
            kept.append(len(motion))
        parts.append(evaluator.encode_motions(batch[: len(kept)], torch.tensor(kept)))
    return torch.cat(parts)


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Networks and scoring inside run in their plain forms."""
    score: Callable[..., Score] = Objective.score

    def scored(self: Objective, *arguments: Any, **options: Any) -> Score:
        with torch.no_grad():
            self.contexts = [
                self._context(part, frames)
                for part, frames in zip(self.parts, self.frames, strict=True)
            ]
        return score(self, *arguments, **options)

    with (
        patch.object(Attention, "forward", attention),
        patch.object(SkipEncoder, "forward", encoder),
        patch.object(Objective, "score", scored),
    ):
        yield
