"""A motion on a person's own skeleton: bone lengths, names, hierarchy, axes, unit and frame rate of a BVH file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor
from torch.nn import functional

from motionrft.contents import read_text
from motionrft.corpus.bvh.body import UPWARDS, legs, mapped, up_axis, upward
from motionrft.corpus.bvh.file import (
    MOTION,
    POSITIONS,
    ROTATIONS,
    BvhMotion,
    Node,
    read_bvh,
    read_hierarchy,
)
from motionrft.corpus.bvh.joint_map import JointMap, fitted, guess_joint_map, read_joint_map
from motionrft.errors import InputError
from motionrft.files import atomic
from motionrft.inference.motion import Motion
from motionrft.motion.rotation import swing
from motionrft.motion.skeleton import SMPL_22

AUTO = "auto"
CHILDREN = [
    [child for child, parent in enumerate(SMPL_22.parents) if parent == joint]
    for joint in range(len(SMPL_22))
]


@dataclass(frozen=True)
class OwnSkeleton:
    """The skeleton of a BVH file, whose first frame is the pose that joints are turned from.

    header  the HIERARCHY section as it is written
    nodes   its joints and ends
    pose    its motion, of which only the first frame and the frame rate count
    map     the file's joints of each SMPL joint
    up      the file's axis that points upwards
    """

    path: Path
    header: str
    nodes: list[Node]
    pose: BvhMotion
    map: JointMap
    up: str

    @classmethod
    def read(cls, path: str | Path, joint_map: str = AUTO) -> OwnSkeleton:
        """joint_map: `auto`, a name of `config/skeletons`, or the path of such a file."""
        path = Path(path)
        if not path.is_file():
            raise InputError(
                "no such file", where=path, field="--skeleton", fix="name a BVH file of your own"
            )
        motion = read_bvh(path)
        text = read_text(path, "header", "export the file again")
        end = MOTION.search(text)
        assert end is not None  # read_bvh has read it
        header = text[: end.start()]
        if joint_map == AUTO:
            _, own = guess_joint_map(motion, path)
        else:
            given = read_joint_map(joint_map)
            own = fitted(given, motion.names) or given
        up = up_axis([upward(mapped(motion, own, path))])
        if up is None:
            raise InputError(
                "its body stands along no axis plainly", where=path, field="--skeleton", fix="name a file in which it stands"
            )  # fmt: skip
        skeleton = cls(path, header, read_hierarchy(header, path), motion, own, up)
        skeleton._check()
        return skeleton

    def owners(self) -> dict[int, int]:
        """SMPL joint by the file's joint that turns it: those that are one joint of the file, no mean and no end."""
        place = {node.name: row for row, node in enumerate(self.nodes) if not node.is_end}
        single = {joint: names[0] for joint, names in self.map.items() if len(names) == 1}
        return {
            place[name]: SMPL_22.index(joint) for joint, name in single.items() if name in place
        }

    def _check(self) -> None:
        channels = [node.channels or [] for node in self.nodes]
        owners = self.owners()
        fixed = [self.nodes[row].name for row in owners if len(set(channels[row]) & ROTATIONS.keys()) < 3]  # fmt: skip
        problem = ""
        if not set(POSITIONS) <= set(channels[0]):
            problem = f"its root {self.nodes[0].name} has no position channels"
        elif 0 not in owners.values():
            problem = "no joint of its own is mapped to the pelvis"
        elif fixed:
            problem = f"{', '.join(fixed)} cannot be turned about three axes"
        if problem:
            raise InputError(
                problem,
                where=self.path,
                field="--skeleton",
                fix="name a file whose joints have all channels",
            )

    def turns(self, joints: Tensor) -> list[Tensor]:
        """[T, 3, 3] of every joint of the file: how it is turned, in the file's axes, from its first frame.

        joints [T, 22, 3]: in the file's axes, of any proportions. A joint with several children (pelvis, chest) is
        turned as they are, in the sense of least squares; one with a single child by the smallest turn that aims its
        bone; others follow their parent.
        """
        rest = torch.from_numpy(mapped(self.pose, self.map, self.path)[0])
        owners, still = self.owners(), torch.eye(3, dtype=joints.dtype).expand(len(joints), 3, 3)
        turns: list[Tensor] = []
        for row, node in enumerate(self.nodes):
            above = turns[node.parent] if node.parent >= 0 else still
            joint = owners.get(row, 0)
            children = CHILDREN[joint] if row in owners else []
            before = functional.normalize(rest[children] - rest[joint], dim=-1)
            aims = functional.normalize(joints[:, children] - joints[:, joint, None], dim=-1)
            if len(children) > 1:
                turns.append(roma.rigid_vectors_registration(before.expand_as(aims), aims))
            elif children:
                here = (above @ before[0][:, None])[..., 0]
                turns.append(swing(here, aims[:, 0]) @ above)
            else:
                turns.append(above)
        return turns

    def export(self, path: str | Path, motion: Motion) -> str:
        """Writes the motion on this skeleton; what is lost, measured on the written file."""
        if motion.skeleton is not SMPL_22:
            raise InputError(
                f"a motion of the skeleton {motion.skeleton.name}",
                where=path,
                fix="pass one of SMPL's 22 joints",
            )
        joints = torch.from_numpy(
            resampled(motion.joints.double().numpy(), motion.fps, self.pose.fps)
        )
        first = mapped(self.pose, self.map, self.path)[:1]
        size = legs(first) / legs(joints.numpy())
        joints = size * joints @ torch.tensor(UPWARDS[self.up], dtype=torch.float64)
        rows = self._rows(self.turns(joints), joints[:, 0])
        with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
            out.write(self.header.rstrip() + "\n")
            out.write(f"MOTION\nFrames: {len(rows)}\nFrame Time: {1 / self.pose.fps:.8f}\n")
            np.savetxt(out, rows, fmt="%.6f")
        written = torch.from_numpy(mapped(read_bvh(path), self.map, path))
        angle = bone_angle(written, joints)
        return (
            f"{len(rows)} frames at {self.pose.fps:.6g} a second, bones {angle:.2f} degrees off on average, "
            f"legs {size:.3g} of its units a metre of the motion's"
        )

    def _rows(self, turns: list[Tensor], pelvis: Tensor) -> np.ndarray:
        """[T, channels]: every joint turned, the root moved so that the pelvis is where it should be."""
        local = roma.unitquat_to_rotmat(torch.from_numpy(self.pose.rotation[0]))
        world: list[Tensor] = []
        for row, node in enumerate(self.nodes):
            above = world[node.parent] if node.parent >= 0 else torch.eye(3, dtype=local.dtype)
            world.append(above @ local[row])
        turned = [turn @ start for turn, start in zip(turns, world, strict=True)]
        begin = torch.from_numpy(self.pose.positions()[0])
        [hips] = [row for row, joint in self.owners().items() if joint == 0]
        columns = []
        for row, node in enumerate(self.nodes):
            here = turned[row] if node.parent < 0 else turned[node.parent].mT @ turned[row]
            place = torch.from_numpy(self.pose.translation[0, row]).expand(len(pelvis), 3)
            if row == 0:
                place = place + pelvis - begin[hips]
            columns += _channels(node, here, place)
        return torch.stack(columns, dim=1).numpy()


def _channels(node: Node, rotation: Tensor, place: Tensor) -> list[Tensor]:
    """A joint's columns [T] in the order of its channels. Of fewer than three rotations, those it had stay."""
    names = node.channels or []
    axes = "".join(ROTATIONS[name] for name in names if name in ROTATIONS)
    order = axes + "".join(axis for axis in "XYZ" if axis not in axes)
    angles = iter(roma.rotmat_to_euler(order, rotation, degrees=True).unbind(-1))
    return [place[:, POSITIONS[name]] if name in POSITIONS else next(angles) for name in names]


def resampled(joints: np.ndarray, fps: float, wanted: float) -> np.ndarray:
    """[T, J, 3] at another rate; points are interpolated, and only their directions are used."""
    last = len(joints) - 1
    moments = np.arange(int(last * wanted / fps + 1e-6) + 1) * fps / wanted
    below = np.minimum(np.floor(moments + 1e-9).astype(int), last)
    share = np.clip(moments - below, 0.0, 1.0)[:, None, None]
    mixed: np.ndarray = joints[below] * (1 - share) + joints[np.minimum(below + 1, last)] * share
    return mixed


def bone_angle(first: Tensor, second: Tensor) -> float:
    """Mean angle, in degrees, between the bones of two motions [T, 22, 3]."""
    parents = torch.tensor([max(parent, 0) for parent in SMPL_22.parents])
    a, b = (
        functional.normalize((joints - joints[:, parents])[:, 1:], dim=-1)
        for joints in (first, second)
    )
    half = (a - b).norm(dim=-1).clamp(max=2) / 2
    return float(torch.rad2deg(2 * torch.asin(half)).mean())
