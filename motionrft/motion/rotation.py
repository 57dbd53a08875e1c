"""Rotations: the minimal rotation between directions, and the three 6D orders found in the field.

Quaternions are (w, x, y, z) as in HumanML3D; roma's are (x, y, z, w) and are converted at its door. roma loads the
compiler, 1.5 s, so that it is imported where it is called.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.errors import InputError

# Where the six numbers stand in the 3x3 matrix, as (row, column).
SIX_D = {
    # HumanML3D, T2M: first column, then second column
    "humanml3d": ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)),
    # HY-Motion, MotionRFT: the first two columns, row by row
    "hymotion": ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)),
    # PyTorch3D: first row, then second row
    "pytorch3d": ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)),
}


def _places(order: str) -> tuple[tuple[int, int], ...]:
    if order not in SIX_D:
        raise InputError(f"unknown 6D order {order!r}", fix=f"choose from {', '.join(SIX_D)}")
    return SIX_D[order]


def matrix_to_6d(matrix: Tensor, order: str) -> Tensor:
    """[..., 3, 3] -> [..., 6] in a named order."""
    rows, columns = zip(*_places(order), strict=True)
    return matrix[..., list(rows), list(columns)]


def matrix_from_6d(six: Tensor, order: str) -> Tensor:
    """[..., 6] -> [..., 3, 3], orthonormalised so that any six numbers give a rotation.

    HumanML3D keeps the first vector and the plane (z = x × b, then y = z × x), which for a full-rank pair is
    the Gram-Schmidt of the other two: all three are one formula on differently arranged numbers.
    Two parallel vectors have no answer: the result is finite but arbitrary.
    """
    if order == "pytorch3d":
        first, second = six[..., :3], six[..., 3:]
    elif order == "hymotion":
        first, second = six[..., 0::2], six[..., 1::2]
    else:
        _places(order)
        first, second = six[..., :3], six[..., 3:]
    x = first / first.norm(dim=-1, keepdim=True)
    y = second - (x * second).sum(-1, keepdim=True) * x
    y = y / y.norm(dim=-1, keepdim=True)
    matrix = torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)
    return matrix.transpose(-1, -2) if order == "pytorch3d" else matrix


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """[..., 4] (w, x, y, z) of any non-zero length -> [..., 3, 3]."""
    import roma

    unit = roma.quat_wxyz_to_xyzw(roma.quat_normalize(quaternion))
    matrix: Tensor = roma.unitquat_to_rotmat(unit)
    return matrix


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """[..., 3, 3] -> unit [..., 4] (w, x, y, z) with w >= 0."""
    import roma

    quaternion = roma.quat_xyzw_to_wxyz(roma.rotmat_to_unitquat(matrix))
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """[..., 3, 3] -> rotation vectors [..., 3], angle in [0, pi] radians."""
    import roma

    vector: Tensor = roma.rotmat_to_rotvec(matrix)
    return vector


def between(start: Tensor, end: Tensor) -> Tensor:
    """The minimal rotation taking direction `start` to `end` [..., 3]: normalise(|a||b| + a·b, a × b), [..., 4].

    Opposite or zero directions have no minimal rotation and give NaN, as HumanML3D's code does.
    """
    product = (start * end).sum(-1, keepdim=True)
    size = (start.square().sum(-1, keepdim=True) * end.square().sum(-1, keepdim=True)).sqrt()
    quaternion = torch.cat(
        [size + product, torch.linalg.cross(*torch.broadcast_tensors(start, end))], -1
    )
    unit: Tensor = quaternion / quaternion.norm(dim=-1, keepdim=True)
    return unit


def swing(start: Tensor, end: Tensor) -> Tensor:
    """The minimal rotation taking unit `start` to unit `end` as a matrix [..., 3, 3], defined everywhere.

    R = (a·b) I + [a × b] + v v^T / (1 + a·b) with v = a × b. Where the directions are opposite (within
    1e-3 rad) the half turn about a fixed perpendicular axis stands in, since every one is minimal.
    """
    start, end = torch.broadcast_tensors(start, end)
    axis = torch.linalg.cross(start, end)
    cosine = (start * end).sum(-1)[..., None, None]
    opposite = cosine < -1 + 5e-7
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    outer = axis[..., :, None] * axis[..., None, :]
    eye = torch.eye(3, dtype=start.dtype, device=start.device)
    regular = cosine * eye + skew + outer / torch.where(opposite, 1.0, 1 + cosine)
    smallest = torch.nn.functional.one_hot(start.abs().argmin(-1), 3).to(start.dtype)
    normal = torch.nn.functional.normalize(torch.linalg.cross(start, smallest), dim=-1)
    turn = 2 * normal[..., :, None] * normal[..., None, :] - eye
    return torch.where(opposite, turn, regular)


def yaw(x: Tensor, z: Tensor, w: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """x and z after a rotation about Y by half-angle cosine w and sine y, all broadcastable."""
    cosine, sine = (w * w - y * y).to(x.dtype), (2 * w * y).to(x.dtype)
    return cosine * x + sine * z, cosine * z - sine * x


def turn(points: Tensor, half: Tensor, back: bool = False) -> Tensor:
    """Rotates [B, T, J, 3] about Y by half-angle (cosine, sine) [B, T, 2]; `back` by the opposite."""
    w, y = half[..., 0, None], half[..., 1, None]
    x, height, z = points.unbind(-1)
    x, z = yaw(x, z, w, -y if back else y)
    return torch.stack([x, height, z], dim=-1)
