"""The three 6D orders, conversions, and 135 numbers -> joints."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.motion import rotation
from motionrft.motion.rotation135 import joints_from_135
from reference.case import Case

FAMILY = "rotation135"
ORDERS = {
    "h3d_cont6d": ("humanml3d", "noisy_h3d_matrix", "quat_from_matrix_h3d"),
    "hy_rot6d": ("hymotion", "noisy_hy_matrix", ""),
    "p3d_rows6d": ("pytorch3d", "noisy_p3d_matrix", "quat_from_matrix_p3d"),
}


def recognises(case: Case) -> bool:
    return {"motion135", "tpose22", "parents22", "noisy6d"} <= set(case.tensors)


def check(case: Case, cases: dict[str, Case]) -> None:
    atol = float(case.number("atol")) if "atol" in case.meta else 1e-5
    matrix = case.input("matrix")
    for six, (order, noisy, quaternion) in ORDERS.items():
        case.compare(six, rotation.matrix_to_6d(matrix, order), atol=atol)
        back = rotation.matrix_from_6d(case.input(six), order)
        case.compare(f"{six} decoded", back, expected=matrix, atol=atol)
        case.compare(noisy, rotation.matrix_from_6d(case.input("noisy6d"), order), atol=atol)
        if quaternion:
            _quaternion(case, quaternion, rotation.matrix_to_quaternion(matrix), atol)
    _quaternion(case, "quat_wxyz", rotation.matrix_to_quaternion(matrix), atol)
    case.compare(
        "quat_wxyz decoded",
        rotation.quaternion_to_matrix(case.input("quat_wxyz")),
        expected=matrix,
        atol=atol,
    )
    case.compare("axis_angle_from_matrix", rotation.matrix_to_axis_angle(matrix), atol=atol)
    _joints(case, atol)
    case.require_numbers()


def _quaternion(case: Case, key: str, actual: Tensor, atol: float) -> None:
    """q and -q are the same rotation: the sign follows the record's."""
    recorded = case.input(key)
    sign = torch.where((actual * recorded).sum(-1, keepdim=True) < 0, -1.0, 1.0)
    case.compare(key, actual * sign, atol=atol)


def _joints(case: Case, atol: float) -> None:
    parents = tuple(case.input("parents22").tolist())
    rest = case.input("tpose22")
    above = torch.tensor([max(parent, 0) for parent in parents])
    offsets = torch.where(torch.arange(len(parents))[:, None] == 0, rest, rest - rest[above])
    clean, noisy = case.input("motion135"), case.input("motion135_noisy")
    six = rotation.matrix_to_6d(case.input("matrix"), "hymotion").flatten(-2)
    case.compare("motion135 rotations", clean[:, 3:], expected=six, atol=atol)
    case.compare("joints_from_135", joints_from_135(clean, offsets, parents), atol=atol)
    case.compare("joints_from_135_noisy", joints_from_135(noisy, offsets, parents), atol=atol)
