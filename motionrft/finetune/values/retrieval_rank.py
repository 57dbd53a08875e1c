"""How well the evaluator finds a motion's own caption: the very network that judges, as a deliberate test of hacking."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.finetune.value_reward import Scene, Value
from motionrft.text.features import TextBatch


def retrieval_rank(scene: Scene) -> Value:
    """[B]: 1 / rank of its own caption among those scored with it, by distance in the evaluator's space.

    The same caption of another row is no rival. Captions of one slice are ranked with each other.
    """
    if scene.points is None:
        raise InputError(
            "it ranks by the evaluator's network, and none is given",
            where="method",
            field="values.retrieval_rank",
            fix="pass --evaluator",
        )
    points = scene.points()

    def value(raw: Tensor, lengths: Tensor, captions: TextBatch) -> Tensor:
        motions, texts = points(raw, lengths, captions)
        distance = torch.cdist(motions.double(), texts.double())
        own = distance.diagonal()[:, None]
        # a motion that could not be embedded is ranked last
        closer = (distance < own).sum(1)
        found = 1.0 / (1 + closer)
        return torch.where(own[:, 0].isfinite(), found, 0.0).to(raw)

    return value


VALUE = retrieval_rank
