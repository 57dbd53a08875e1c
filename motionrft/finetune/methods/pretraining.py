"""More pre-training: the control that spends the same seconds on the loss the backbone was trained with, without a reward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from motionrft.errors import InputError
from motionrft.finetune.method import Method
from motionrft.finetune.trajectory import Sample, Walk


@dataclass(frozen=True)
class Pretraining(Method):
    """One update a batch on the loss of the backbone's last pre-training stage, on the batch's recorded motions."""

    reads_motions: ClassVar[bool] = True

    def most_live(self) -> int:
        return 1

    def samples(self, walk: Walk) -> Iterator[Sample]:
        if walk.pretraining is None:
            raise InputError(
                "the batch has no recorded motions",
                where="finetune",
                field="references",
                fix="leave it at true: further pre-training learns from them",
            )
        loss = walk.pretraining()
        yield Sample(
            loss, self.steps - 1, loss.detach(), lambda share: loss.backward(share), scored=False
        )


METHOD = Pretraining
