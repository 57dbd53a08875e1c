"""1 for a motion whose feet stay where they stand, 0 for one whose feet slide: a step, without any gradient."""

from __future__ import annotations

from torch import Tensor

from motionrft.finetune.value_reward import Scene, Value
from motionrft.motion.realism import skating_ratio
from motionrft.text.features import TextBatch

THRESHOLD = 0.1  # share of the steps on the floor that may slide


def foot_skating(scene: Scene) -> Value:
    """[B]: whether the skating ratio (`motionrft.motion.realism`) is below `THRESHOLD`."""

    def value(raw: Tensor, lengths: Tensor, captions: TextBatch) -> Tensor:
        del captions
        joints = scene.representation.decode(raw)
        ratio = skating_ratio(joints, lengths, scene.fps, scene.representation.skeleton)
        return (ratio < THRESHOLD).to(raw.dtype)

    return value


VALUE = foot_skating
