"""Motions for other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from motionrft.cli.app import app

if TYPE_CHECKING:
    from motionrft.inference.motion import Motion

ENDINGS = {"bvh": ".bvh", "amass": "_poses.npz", "joints": ".npy"}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Target:
    """Whose body moves."""

    skeleton: Path | None = None
    """A BVH file of your own skeleton (--to bvh): its joints, bones, axes, unit and frame rate."""

    joint_map: str | None = None
    """Which of its joints each SMPL joint is: a name of config/skeletons, or a file like those (default: guessed)."""

    body_models: Path | None = None
    """Folder of the body models that will read the poses (--to amass), or that poses among `motions` move."""

    gender: Literal["neutral", "male", "female"] | None = None
    """Which of them (default: neutral)."""

    def check(self, to: str, motions: tuple[Path, ...]) -> None:
        """Raises where an option is given that nothing reads."""
        from motionrft.errors import InputError

        poses = any(path.suffix.lower() == ".npz" for path in motions)
        given = {
            "--skeleton": (self.skeleton, to == "bvh", "--to bvh"),
            "--joint-map": (self.joint_map, self.skeleton is not None, "--skeleton"),
            "--body-models": (self.body_models, to == "amass" or poses, "--to amass"),
            "--gender": (
                self.gender,
                to == "amass" and self.body_models is not None,
                "--to amass --body-models",
            ),
        }
        for option, (value, read, reader) in given.items():
            if value is not None and not read:
                raise InputError(
                    f"is read with {reader} only",
                    where="export-motion",
                    field=option,
                    fix="leave it out, or say both",
                )


@app.command
def export_motion(
    *motions: Path,
    to: Literal["bvh", "amass", "joints"] = "bvh",
    target: Target = Target(),
    out: Path | None = None,
) -> None:
    """Write motions as BVH files, AMASS poses or plain joints, and say what is lost.

    A BVH file has constant bones, in centimetres, Y up. Motions of the
    rotation representation keep their rotations; others are fitted: every bone
    is aimed at its joint by the smallest turn. With --skeleton the motion
    moves your own skeleton instead, turned from the pose of its file's first
    frame.

    For example:
        python -m motionrft export-motion wave.npz --to bvh
        python -m motionrft export-motion wave.npz --to amass
        python -m motionrft export-motion wave.npz --to bvh \\
            --skeleton mine.bvh --joint-map mixamo
    writes wave.bvh, wave_poses.npz.

    Parameters
    ----------
    motions
        Files: .npz of `generate` or of SMPL poses (AMASS), .npy of joints or features, or .bvh.
    to
        What to write: bvh; amass (SMPL+H poses, Z up; without --body-models they turn the rest pose that
        is in the file, which a SMPL+H body only resembles); or joints (an .npy of [T, 22, 3], metres).
    out
        Folder to write to (default: beside each motion).
    """
    from motionrft.errors import InputError
    from motionrft.inference.motion import read_motion

    if not motions:
        raise InputError("no motion", where="export-motion", fix="name a file")
    target.check(to, motions)
    write = writer(to, target)
    targets = [
        (out or path.parent) / f"{path.name.removesuffix(path.suffix)}{ENDINGS[to]}"
        for path in motions
    ]
    taken = {path.resolve() for path in (*motions, *filter(None, [target.skeleton]))}
    for path, written in zip(motions, targets, strict=True):
        if written.resolve() in taken or targets.count(written) > 1:
            raise InputError(
                f"would be written to {written} over another motion", where=path,
                fix="name another folder with --out",
            )  # fmt: skip
    read = [read_motion(path, body_models=target.body_models) for path in motions]
    for motion, written in zip(read, targets, strict=True):
        lost = write(written, motion)
        print(f"wrote {written} ({lost})")


def writer(to: str, target: Target) -> Callable[[Path, Motion], str]:
    """What writes a motion to a path and says what is lost."""
    from functools import partial

    from motionrft.inference.export import export_bvh, export_joints

    if to == "amass":
        from motionrft.inference.amass import export_amass
        from motionrft.inference.poses import NEUTRAL, rest_joints

        folder, gender = target.body_models, target.gender or NEUTRAL
        rest = None if folder is None else rest_joints(folder, gender)
        return partial(export_amass, rest=rest, gender=gender)
    if target.skeleton is not None:
        from motionrft.inference.retarget import AUTO, OwnSkeleton

        return OwnSkeleton.read(target.skeleton, target.joint_map or AUTO).export
    return export_joints if to == "joints" else export_bvh
