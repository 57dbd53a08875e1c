"""A BVH file as joint positions: hierarchy, channels, forward kinematics, resampling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch

from motionrft.errors import InputError

ROTATIONS = {"Xrotation": "x", "Yrotation": "y", "Zrotation": "z"}
POSITIONS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}
REPAIR = "export the file again, or remove it"


@dataclass(frozen=True)
class BvhMotion:
    """names J; parents [J]; translation [T, J, 3] local, in the file's unit; rotation [T, J, 4] local unit
    quaternions xyzw; fps."""

    names: list[str]
    parents: list[int]
    translation: np.ndarray
    rotation: np.ndarray
    fps: float

    def resampled(self, fps: float) -> BvhMotion:
        """The motion at another rate: rotations are interpolated, not points, so that bones stay rigid."""
        last = len(self.translation) - 1
        moments = np.arange(int(last * fps / self.fps + 1e-6) + 1) * self.fps / fps
        below = np.minimum(np.floor(moments + 1e-9).astype(int), last)
        above = np.minimum(below + 1, last)
        share = np.clip(moments - below, 0.0, 1.0)[:, None]
        translation = (
            self.translation[below] * (1 - share[..., None])
            + self.translation[above] * share[..., None]
        )
        first, second = (
            torch.from_numpy(self.rotation[below]),
            torch.from_numpy(self.rotation[above]),
        )
        second = torch.where((first * second).sum(-1, keepdim=True) < 0, -second, second)
        weight = torch.from_numpy(share).to(first)
        mixed = first * (1 - weight[..., None]) + second * weight[..., None]
        # so close in time, the normalised mean is the slerp to within rounding
        rotation = (mixed / mixed.norm(dim=-1, keepdim=True)).numpy()
        return BvhMotion(self.names, self.parents, translation, rotation, fps)

    def positions(self) -> np.ndarray:
        """[T, J, 3] global joint positions in the file's unit."""
        local = roma.unitquat_to_rotmat(torch.from_numpy(self.rotation)).numpy()
        frames, joints = self.rotation.shape[:2]
        turned = np.empty((frames, joints, 3, 3))
        placed = np.empty((frames, joints, 3))
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                turned[:, joint], placed[:, joint] = local[:, joint], self.translation[:, joint]
            else:
                turned[:, joint] = turned[:, parent] @ local[:, joint]
                placed[:, joint] = placed[:, parent] + np.einsum(
                    "tij,tj->ti", turned[:, parent], self.translation[:, joint]
                )
        return placed


def read_bvh(path: str | Path) -> BvhMotion:
    """Reads one file. Position channels of a joint replace its OFFSET, as animation tools have it."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not a text file (byte {error.start})", where=path, fix=REPAIR) from None
    head, separator, tail = text.partition("MOTION")
    if not separator or not head.lstrip().startswith("HIERARCHY"):
        raise InputError("no HIERARCHY and MOTION section", where=path, field="header", fix=REPAIR)
    names, parents, offsets, channels = _hierarchy(head, path)
    found = re.match(r"\s*Frames:\s*(\d+)\s*Frame Time:\s*([0-9.eE+-]+)\s*", tail)
    if not found or float(found[2]) <= 0:
        raise InputError("no frame count or frame time", where=path, field="MOTION", fix=REPAIR)
    frames, width = int(found[1]), sum(map(len, channels))
    try:
        values = np.array(tail[found.end() :].split(), dtype=np.float64)
    except ValueError as error:
        raise InputError(str(error), where=path, field="MOTION", fix=REPAIR) from None
    if len(values) != frames * width:
        raise InputError(
            f"truncated: {len(values)} numbers, expected {frames} frames x {width} channels",
            where=path,
            field="MOTION",
            fix=REPAIR,
        )
    values = values.reshape(frames, width)
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise InputError(
            f"NaN or infinite value in frame {bad}", where=path, field="MOTION", fix=REPAIR
        )
    translation = np.tile(np.array(offsets), (frames, 1, 1))
    rotation = np.zeros((frames, len(names), 4))
    column = 0
    for joint, own in enumerate(channels):
        axes, angles = "", []
        for name in own:
            if name in POSITIONS:
                translation[:, joint, POSITIONS[name]] = values[:, column]
            else:
                axes += ROTATIONS[name]
                angles.append(values[:, column])
            column += 1
        if not axes:
            rotation[:, joint, 3] = 1.0
            continue
        # channels apply in the order listed: the first is outermost, so intrinsic (upper case)
        rotation[:, joint] = roma.euler_to_unitquat(
            axes.upper(), torch.from_numpy(np.stack(angles, -1)), degrees=True
        ).numpy()
    return BvhMotion(names, parents, translation, rotation, 1.0 / float(found[2]))


def _hierarchy(
    text: str, path: Path
) -> tuple[list[str], list[int], list[list[float]], list[list[str]]]:
    """Joint names, parents, offsets and channel names; end sites are left out."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    stack: list[int] = []
    opening = current = -1  # -1 = an end site
    tokens = iter(text.split()[1:])
    try:
        for token in tokens:
            if token in ("ROOT", "JOINT"):
                names.append(next(tokens))
                parents.append(stack[-1] if stack else -1)
                offsets.append([0.0, 0.0, 0.0])
                channels.append([])
                opening = len(names) - 1
            elif token == "End":
                next(tokens)
                opening = -1
            elif token == "{":
                stack.append(opening)
                current = opening
            elif token == "}":
                stack.pop()
                current = stack[-1] if stack else -1
            elif token == "OFFSET":
                offset = [float(next(tokens)) for _ in range(3)]
                if current >= 0:
                    offsets[current] = offset
            elif token == "CHANNELS":
                own = [next(tokens) for _ in range(int(next(tokens)))]
                unknown = [name for name in own if name not in POSITIONS and name not in ROTATIONS]
                if unknown:
                    raise InputError(
                        f"unknown channel {unknown[0]!r}",
                        where=path,
                        field=names[current],
                        fix=REPAIR,
                    )
                channels[current] = own
    except (StopIteration, ValueError, IndexError):
        raise InputError(
            "broken joint hierarchy", where=path, field="HIERARCHY", fix=REPAIR
        ) from None
    if stack or not names:
        raise InputError("unbalanced braces or no joint", where=path, field="HIERARCHY", fix=REPAIR)
    return names, parents, offsets, channels
