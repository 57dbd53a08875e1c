"""Generated features as what the evaluator reads, and as joints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.motion import acmdm67
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.representation import KINEMATIC, ROTATION, representation
from motionrft.motion.rotation135 import Rotation
from motionrft.motion.skeleton import SKELETONS, Skeleton

BATCH = 128


class Converter:
    """Motions of one representation of a corpus; `facts` is the feature store's `about`."""

    def __init__(self, name: str, facts: dict[str, Any]):
        options = {
            key: facts[key] for key in ("skeleton", "compat", "bone_lengths") if key in facts
        }
        self.name, self.compat = name, str(facts.get("compat", HUMANML3D))
        bones = facts.get("bone_lengths")
        self.bone_lengths = None if bones is None else torch.tensor(bones)
        self.kinematic = representation(KINEMATIC, **options)
        self.representation = representation(name, **options)
        self.rotation = cast(Rotation, representation(ROTATION, **options))
        self.skeleton: Skeleton = SKELETONS[facts.get("skeleton", "smpl22")]
        self.fps = float(facts.get("fps", 20.0))

    def joints(self, motions: Sequence[Tensor]) -> list[Tensor]:
        """Raw features, N tensors [T_i, dim] -> N tensors [T_i, J, 3]; NaN stays NaN."""
        return _ragged(motions, lambda batch, lengths: (self.representation.decode(batch), lengths))

    def kinematic_features(self, motions: Sequence[Tensor]) -> list[Tensor]:
        """Raw features -> kinematic features of the same motions, raw, T_i frames each.

        Kinematic features pass as they are. Those of joint and rotation motions are extracted anew from
        their joints; one frame is extrapolated at the end, so that T frames give T rows as the corpus's
        own features have. Motions that are not finite come back as NaN.
        """
        if self.name == KINEMATIC:
            return list(motions)
        longer = [
            torch.cat([clip, 2 * clip[-1:] - clip[-2:-1]]) if len(clip) > 1 else clip
            for clip in self.joints(motions)
        ]
        return self._extracted(longer, self.kinematic.encode, self.kinematic.dim)

    def rotation_features(self, motions: Sequence[Tensor]) -> list[Tensor]:
        """Raw features -> rotation features [T_i, 135]; those of other motions come from their joints."""
        if self.name == ROTATION:
            return list(motions)
        return self._extracted(self.joints(motions), self._rotations, self.rotation.dim)

    def acmdm_features(self, motions: Sequence[Tensor], padded_to: int = 0) -> list[Tensor]:
        """Raw features -> ACMDM's 67 channels [T_i - 1, 67], extracted without retargeting.

        padded_to: frames that the joints are padded to before extraction, as in the released code, whose
        smoothed heading sees the padding; 0: none.
        """
        encode = partial(_padded, frames=padded_to) if padded_to else acmdm67.features
        return self._extracted(self.joints(motions), encode, acmdm67.CHANNELS)

    def _rotations(self, joints: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return self.rotation.from_canonical(joints, lengths), lengths

    @staticmethod
    def _extracted(
        joints: list[Tensor], encode: Callable[..., tuple[Tensor, Tensor]], dim: int
    ) -> list[Tensor]:
        # three frames or fewer have no defined features
        usable = [row for row, clip in enumerate(joints) if len(clip) > 3 and clip.isfinite().all()]
        result = [torch.full((len(clip), dim), torch.nan) for clip in joints]
        for row, features in zip(
            usable, _ragged([joints[row] for row in usable], encode), strict=True
        ):
            result[row] = features
        return result


def _padded(joints: Tensor, lengths: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """ACMDM's features of joints padded to `frames`, which their smoothing sees."""
    missing = max(0, frames - joints.shape[1])
    wide = torch.nn.functional.pad(joints, (0, 0, 0, 0, 0, missing))
    return acmdm67.features_padded(wide, lengths), lengths - 1


def _ragged(
    motions: Sequence[Tensor], function: Callable[..., tuple[Tensor, Tensor]]
) -> list[Tensor]:
    """A batched function of (padded, lengths) over ragged motions of similar length."""
    order = sorted(range(len(motions)), key=lambda row: len(motions[row]))
    result: list[Tensor] = [torch.empty(0)] * len(motions)
    for begin in range(0, len(order), BATCH):
        rows = order[begin : begin + BATCH]
        lengths = torch.tensor([len(motions[row]) for row in rows])
        with torch.no_grad():
            rows_of_batch, kept = function(
                pad_sequence([motions[row] for row in rows], batch_first=True), lengths
            )
        for index, row in enumerate(rows):
            result[row] = rows_of_batch[index, : kept[index]].clone()
    return result
