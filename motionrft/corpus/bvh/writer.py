"""BVH files of rotations on a skeleton of constant bones, in centimetres, Y up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from torch import Tensor

from motionrft.files import atomic

CENTIMETRES = 100.0  # in a metre
ORDER = "ZYX"  # channels Zrotation Yrotation Xrotation: R = Rz Ry Rx
END = 0.5  # length of the bone that ends a chain, as a share of the one before


def write_bvh(
    path: str | Path,
    names: Sequence[str],
    parents: Sequence[int],
    offsets: Tensor,
    translation: Tensor,
    local: Tensor,
    fps: float,
) -> None:
    """offsets [J, 3] rest offset of each joint from its parent, metres (the root's zero); translation [T, 3] of the
    root, metres; local [T, J, 3, 3] rotations relative to the parent. Joints are in an order in which a parent comes
    before its children."""
    order: list[int] = []
    lines = ["HIERARCHY"]
    _joint(lines, order, 0, 0, names, parents, offsets * CENTIMETRES)
    turns = Rotation.from_matrix(local[:, order].double().flatten(0, 1).numpy())
    # about a right angle first and last turn are about one axis: any pair that writes the rotation does
    degrees = turns.as_euler(ORDER, degrees=True, suppress_warnings=True).reshape(len(local), -1)
    rows = np.concatenate([translation.double().numpy() * CENTIMETRES, degrees], axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.8f}"]
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.write("\n".join(lines) + "\n")
        np.savetxt(out, rows, fmt="%.6f")


def _joint(
    lines: list[str],
    order: list[int],
    joint: int,
    depth: int,
    names: Sequence[str],
    parents: Sequence[int],
    offsets: Tensor,
) -> None:
    """The lines of a joint and of all below it; `order` gets them as their channels come."""
    order.append(joint)
    tab, inner = "\t" * depth, "\t" * (depth + 1)
    turns = " ".join(f"{axis}rotation" for axis in ORDER)
    channels = f"3 {turns}" if depth else f"6 Xposition Yposition Zposition {turns}"
    lines += [f"{tab}{'JOINT' if depth else 'ROOT'} {names[joint]}", f"{tab}{{"]
    lines += [f"{inner}OFFSET {_numbers(offsets[joint])}", f"{inner}CHANNELS {channels}"]
    children = [child for child, parent in enumerate(parents) if parent == joint and child]
    for child in children:
        _joint(lines, order, child, depth + 1, names, parents, offsets)
    if not children:
        end = f"{inner}\tOFFSET {_numbers(END * offsets[joint])}"
        lines += [f"{inner}End Site", f"{inner}{{", end, f"{inner}}}"]
    lines.append(f"{tab}}}")


def _numbers(vector: Tensor) -> str:
    return " ".join(f"{value:.6f}" for value in vector.tolist())
