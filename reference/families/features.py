"""Kinematic features, both directions: `<clip>.joints_in` -> retargeted, canonical, features -> joints."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.errors import InputError
from motionrft.motion import kinematic, recovery
from motionrft.motion.skeleton import SKELETONS, Skeleton, mirror
from reference.case import Case

FAMILY = "features"
# (positions, 6D, squared displacements) in the data's units: metres for SMPL, KIT's are near millimetres.
# Positions: some eighty roundings (bones of a chain, heading, place) by half a unit in the last place of the largest
# coordinate, 2 m or 2,500. 6D: a direction over a short bone enlarges that fivefold. Squares: of steps of centimetres.
TOLERANCE = {"smpl22": (1e-5, 5e-5, 1e-7), "kit21": (1e-2, 2e-3, 1e-4)}


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
    for row, name in enumerate(names):
        length = int(lengths[row])
        fine, _, _ = TOLERANCE[skeleton.name]
        for key, value in (("uniform", uniform), ("global_positions", canonical)):
            if f"{name}.{key}" in case.tensors:
                case.compare(f"{name}.{key}", value[row, :length], atol=fine)
        if f"{name}.features" in case.tensors:
            recorded = case.input(f"{name}.features")
            _channels(case, name, features[row, : length - 1], recorded, skeleton)
            _recovered(case, name, recorded, skeleton, target)
        _listed(case, name, features[row, : length - 1], canonical[row, : length - 1], skeleton)
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


def _channels(case: Case, name: str, actual: Tensor, recorded: Tensor, skeleton: Skeleton) -> None:
    count = len(skeleton)
    fine, six, _ = TOLERANCE[skeleton.name]
    bounds = [0, 4, 3 * count + 1, 9 * count - 5, 12 * count - 5, 12 * count - 1]
    labels = ("root", "positions", "rotations", "velocities")
    for label, begin, end in zip(labels, bounds, bounds[1:], strict=False):
        case.compare(
            f"{name}.features {label}",
            actual[:, begin:end],
            expected=recorded[:, begin:end],
            atol=six if label == "rotations" else fine,
        )
    case.compare(
        f"{name}.features contacts",
        _contacts(actual, recorded, skeleton),
        expected=recorded[:, bounds[4] :],
    )


def _contacts(actual: Tensor, recorded: Tensor, skeleton: Skeleton) -> Tensor:
    """Contacts [T, feet] are exact, but for feet whose squared displacement lies on the threshold itself: there
    either answer is right, and the recorded one is taken."""
    begin, count = 9 * len(skeleton) - 5, len(skeleton.feet)
    feet = [begin + 3 * joint + axis for joint in skeleton.feet for axis in range(3)]
    squared = recorded[:, feet].unflatten(-1, (count, 3)).square().sum(-1)
    near = (squared - skeleton.contact).abs() < TOLERANCE[skeleton.name][2]
    return torch.where(near, recorded[:, -count:], actual[:, -count:])


def _recovered(case: Case, name: str, recorded: Tensor, skeleton: Skeleton, target: Tensor) -> None:
    fine = TOLERANCE[skeleton.name][0]
    half, place = recovery.root(recorded[None])
    if f"{name}.root_quat" in case.tensors:
        zero = torch.zeros_like(half[0, :, 0])
        case.compare(
            f"{name}.root_quat",
            torch.stack([half[0, :, 0], zero, half[0, :, 1], zero], -1),
            atol=1e-5,
        )
    if f"{name}.root_pos" in case.tensors:
        case.compare(f"{name}.root_pos", place[0], atol=fine)
    if f"{name}.recovered_ric" in case.tensors:
        joints = recovery.joints_from_positions(recorded[None], len(skeleton))[0]
        case.compare(f"{name}.recovered_ric", joints, atol=fine)
    if f"{name}.recovered_rot" in case.tensors:
        joints = recovery.joints_from_rotations(recorded[None], skeleton, bone_lengths=target)[0]
        case.compare(f"{name}.recovered_rot", joints, atol=fine)


def _listed(case: Case, name: str, features: Tensor, canonical: Tensor, skeleton: Skeleton) -> None:
    """The numbers that the JSON lists for a clip; the size of its body says how it was made."""
    listed = case.meta.get("clips", {}).get(name, {})
    case.touch([f"clips.{name}.scale"])
    fine = TOLERANCE[skeleton.name][0]
    # how far recovery strays is measured on the recorded clip: between two clips that agree within the tolerance
    # of every frame's features the distance grows with the number of frames
    recorded = case.tensors.get(f"{name}.features", features)
    positions = case.tensors.get(f"{name}.global_positions", canonical)[: len(recorded)]
    recovered = recovery.joints_from_positions(recorded[None], len(skeleton))[0]
    found = {
        "frames": (len(features) + 1, 0.0),
        "nan": (bool(features.isnan().any()), 0.0),
        "max_err_recovered_vs_global": (float((recovered - positions).abs().max()), fine),
        "contact_rate": (float(_contacts(features, recorded, skeleton).mean()), 1e-6),
    }
    for key, (value, tolerance) in found.items():
        if key in listed:
            case.compare(f"clips.{name}.{key}", value, expected=listed[key], atol=tolerance)
