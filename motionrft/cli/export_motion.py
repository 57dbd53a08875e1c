"""Motions for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from motionrft.cli.app import app


@app.command
def export_motion(
    *motions: Path, to: Literal["bvh", "joints"] = "bvh", out: Path | None = None
) -> None:
    """Write motions as BVH files or plain joints.

    Says how far joints are off. A BVH file has constant bones, in centimetres, Y up. Motions of the rotation representation keep their
    rotations; others are fitted: every bone is aimed at its joint by the smallest turn.

    For example:
        python -m motionrft export-motion wave.npz --to bvh
    writes wave.bvh.

    Parameters
    ----------
    motions
        Files: .npz of `generate`, .npy of joints or features, or .bvh.
    to
        What to write: bvh, or joints (an .npy of [T, 22, 3], metres).
    out
        Folder to write to (default: beside each motion).
    """
    from motionrft.errors import InputError
    from motionrft.inference.export import KINDS
    from motionrft.inference.motion import read_motion

    if not motions:
        raise InputError("no motion", where="export-motion", fix="name a file")
    write, ending = KINDS[to]
    targets = [
        (out or path.parent) / f"{path.name.removesuffix(path.suffix)}{ending}" for path in motions
    ]
    for path, target in zip(motions, targets, strict=True):
        if target.resolve() in {other.resolve() for other in motions} or targets.count(target) > 1:
            raise InputError(
                f"would be written to {target} over another motion", where=path,
                fix="name another folder with --out",
            )  # fmt: skip
    read = [read_motion(path) for path in motions]
    for motion, target in zip(read, targets, strict=True):
        error = write(target, motion)
        print(f"wrote {target} ({len(motion)} frames, joints {error:.2f} mm off on average)")
