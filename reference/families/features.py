"""Kinematic features, both directions: `<clip>.joints_in` -> retargeted, canonical, features -> joints."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.errors import InputError
from motionrft.motion import kinematic, recovery
from motionrft.motion.skeleton import SKELETONS, Skeleton, mirror
from reference.case import Case
from reference.tolerance import UNIT, summed

FAMILY = "features"
TURN = 12  # products of a vector's rotation by a quaternion: two cross products


@dataclass(frozen=True)
class Apart:
    """How far two float32 results may lie apart, in the data's units: metres for SMPL, KIT's are near millimetres."""

    positions: float
    steps: float  # differences of two positions
    directions: float  # of bones, as six numbers
    squares: float  # of a foot's step, where it is the threshold of a contact

    @classmethod
    def of(cls, skeleton: Skeleton, joints: Tensor, target: Tensor) -> Apart:
        """Of joints [..., J, 3] and target bones [J]: the longest chain's bones are turned one after the other, and the
        whole by its heading and to its place. A direction is a step over its bone, and turned by its chain."""
        largest, chain = float(joints.abs().max()), len(skeleton.levels)
        positions = summed(TURN * (chain + 2)) * largest
        steps, bone = math.sqrt(2) * positions, float(target[target > 0].min())
        directions = steps / bone + summed(TURN * chain)
        return cls(positions, steps, directions, 2 * math.sqrt(skeleton.contact) * steps)


def recognises(case: Case) -> bool:
    return "target_offsets" in case.tensors and any(
        key.endswith(".joints_in") for key in case.tensors
    )


def check(case: Case, cases: dict[str, Case]) -> None:
    offsets = case.input("target_offsets")
    skeleton = _skeleton(case, len(offsets))
    target = offsets.norm(dim=-1)
    names = sorted(
        key.removesuffix(".joints_in") for key in case.tensors if key.endswith(".joints_in")
    )
    # all clips in one ragged batch: a clip's features must not depend on its neighbours
    joints = [case.input(f"{name}.joints_in") for name in names]
    lengths = torch.tensor([len(clip) for clip in joints])
    batch = kinematic.hold(pad_sequence(joints, batch_first=True), lengths)
    uniform = kinematic.retarget(batch, skeleton, target)
    canonical = kinematic.canonicalise(uniform, skeleton)
    features, _ = kinematic.process(batch, lengths, skeleton=skeleton, bone_lengths=target)
    apart = Apart.of(skeleton, batch, target)
    for row, name in enumerate(names):
        length = int(lengths[row])
        for key, value in (("uniform", uniform), ("global_positions", canonical)):
            if f"{name}.{key}" in case.tensors:
                case.compare(f"{name}.{key}", value[row, :length], atol=apart.positions)
        if f"{name}.features" in case.tensors:
            recorded = case.input(f"{name}.features")
            _channels(case, name, features[row, : length - 1], recorded, skeleton, apart)
            _recovered(case, name, recorded, skeleton, target, apart)
        ours = features[row, : length - 1], canonical[row, : length - 1]
        _listed(case, name, *ours, skeleton, apart)
    if "mirror.in" in case.tensors:
        case.compare("mirror.out", mirror(case.input("mirror.in"), skeleton))
    case.require_numbers()


def _skeleton(case: Case, joints: int) -> Skeleton:
    for skeleton in SKELETONS.values():
        if len(skeleton) == joints:
            return skeleton
    raise InputError(
        f"no skeleton of {joints} joints",
        where=case.folder / f"{case.name}.safetensors",
        field="target_offsets",
        fix=f"use one of {', '.join(SKELETONS)}",
    )


def _channels(
    case: Case, name: str, actual: Tensor, recorded: Tensor, skeleton: Skeleton, apart: Apart
) -> None:
    count = len(skeleton)
    bounds = [0, 4, 3 * count + 1, 9 * count - 5, 12 * count - 5, 12 * count - 1]
    parts = {
        "root": apart.steps,
        "positions": apart.positions,
        "rotations": apart.directions,
        "velocities": apart.steps,
    }
    for (label, within), begin, end in zip(parts.items(), bounds, bounds[1:], strict=False):
        case.compare(
            f"{name}.features {label}",
            actual[:, begin:end],
            expected=recorded[:, begin:end],
            atol=within,
        )
    case.compare(
        f"{name}.features contacts",
        _contacts(actual, recorded, skeleton, apart),
        expected=recorded[:, bounds[4] :],
    )


def _contacts(actual: Tensor, recorded: Tensor, skeleton: Skeleton, apart: Apart) -> Tensor:
    """Contacts [T, feet] are exact, but for feet whose squared displacement lies on the threshold itself: there
    either answer is right, and the recorded one is taken."""
    begin, count = 9 * len(skeleton) - 5, len(skeleton.feet)
    feet = [begin + 3 * joint + axis for joint in skeleton.feet for axis in range(3)]
    squared = recorded[:, feet].unflatten(-1, (count, 3)).square().sum(-1)
    near = (squared - skeleton.contact).abs() < apart.squares
    return torch.where(near, recorded[:, -count:], actual[:, -count:])


def _recovered(
    case: Case, name: str, recorded: Tensor, skeleton: Skeleton, target: Tensor, apart: Apart
) -> None:
    half, place = recovery.root(recorded[None])
    # heading and place are sums over the frames
    added = summed(len(recorded))
    turned = added * float(recorded[:, 0].cumsum(0).abs().max())
    fine = apart.positions + added * float(place.abs().max())
    if f"{name}.root_quat" in case.tensors:
        zero = torch.zeros_like(half[0, :, 0])
        case.compare(
            f"{name}.root_quat",
            torch.stack([half[0, :, 0], zero, half[0, :, 1], zero], -1),
            atol=turned + 2 * UNIT,
        )
    if f"{name}.root_pos" in case.tensors:
        case.compare(f"{name}.root_pos", place[0], atol=fine)
    if f"{name}.recovered_ric" in case.tensors:
        joints = recovery.joints_from_positions(recorded[None], len(skeleton))[0]
        case.compare(f"{name}.recovered_ric", joints, atol=fine)
    if f"{name}.recovered_rot" in case.tensors:
        joints = recovery.joints_from_rotations(recorded[None], skeleton, bone_lengths=target)[0]
        case.compare(f"{name}.recovered_rot", joints, atol=fine)


def _listed(
    case: Case, name: str, features: Tensor, canonical: Tensor, skeleton: Skeleton, apart: Apart
) -> None:
    """The numbers that the JSON lists for a clip; the size of its body says how it was made."""
    listed = case.meta.get("clips", {}).get(name, {})
    case.touch([f"clips.{name}.scale"])
    # how far recovery strays is measured on the recorded clip: between two clips that agree within the tolerance
    # of every frame's features the distance grows with the number of frames
    recorded = case.tensors.get(f"{name}.features", features)
    positions = case.tensors.get(f"{name}.global_positions", canonical)[: len(recorded)]
    recovered = recovery.joints_from_positions(recorded[None], len(skeleton))[0]
    found = {
        "frames": (len(features) + 1, 0.0),
        "nan": (bool(features.isnan().any()), 0.0),
        "max_err_recovered_vs_global": (
            float((recovered - positions).abs().max()),
            apart.positions,
        ),
        "contact_rate": (float(_contacts(features, recorded, skeleton, apart).mean()), 2 * UNIT),
    }
    for key, (value, tolerance) in found.items():
        if key in listed:
            case.compare(f"clips.{name}.{key}", value, expected=listed[key], atol=tolerance)
