"""How close a motion is to a reference: joint errors and the control errors of trajectory-guided generation."""

from __future__ import annotations

from torch import Tensor


def mpjpe(predicted: Tensor, reference: Tensor, align_root: bool = True) -> Tensor:
    """Mean per-joint position error of each frame: [..., T, J, 3] twice -> [..., T], in the data's unit.

    With `align_root` both are taken relative to their own root.
    """
    if align_root:
        predicted = predicted - predicted[..., :1, :]
        reference = reference - reference[..., :1, :]
    error: Tensor = (predicted - reference).norm(dim=-1).mean(-1)
    return error


TRAJECTORY_KEYS = (
    "traj_fail_20cm",
    "traj_fail_50cm",
    "kps_fail_20cm",
    "kps_fail_50cm",
    "kps_mean_err",
)


def trajectory_errors(predicted: Tensor, reference: Tensor, mask: Tensor) -> dict[str, float]:
    """Errors at controlled keypoints of one clip: [T, J, 3] twice, mask [T, J] or [T, J, 1] -> five numbers.

    A trajectory fails if any keypoint is further away than the bound (20 or 50 cm); then the share of failed
    keypoints, and the mean error in metres.
    """
    chosen = mask.reshape(predicted.shape[:-1]) > 0
    errors = (predicted - reference).norm(dim=-1)[chosen]
    failed = [errors > bound for bound in (0.2, 0.5)]
    values = [float(one.any()) for one in failed] + [float(one.float().mean()) for one in failed]
    return dict(zip(TRAJECTORY_KEYS, [*values, float(errors.mean())], strict=True))
