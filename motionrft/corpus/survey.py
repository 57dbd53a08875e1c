"""`corpus --check`: what a folder holds, before anything is made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from motionrft.configuration.schema import validate
from motionrft.contents import read_array
from motionrft.corpus.bvh.folder import walk
from motionrft.corpus.kinds import source
from motionrft.corpus.official.layout import KIT_LAYOUT
from motionrft.corpus.report import Report
from motionrft.corpus.splits import too_few
from motionrft.corpus.store import SPLITS, check_clip
from motionrft.errors import InputError
from motionrft.motion.skeleton import KIT_21, SMPL_22

LISTED = 10  # lines of what is left out for one reason


def kind_of(folder: Path) -> tuple[str, str]:
    """The kind that reads a folder and the key that names it."""
    if (folder / "new_joint_vecs").is_dir():
        first = next(iter(sorted((folder / "new_joint_vecs").glob("*.npy"))), None)
        kit = first is not None and read_array(first).shape[1:] == (KIT_LAYOUT.dim,)
        return ("kit", "kit_dir") if kit else ("humanml3d", "humanml3d_dir")
    if folder.is_dir() and next(walk(folder), None):
        return "bvh", "mocap_dir"
    raise InputError(
        f"neither BVH files nor new_joint_vecs ({folder.absolute()})",
        where=folder,
        field="--check",
        fix="name a folder of BVH files, or of HumanML3D or KIT-ML",
    )


def survey(
    folder: Path, section: Mapping[str, Any], where: str, frames: int = 40, group: int = 32
) -> Iterator[str]:
    """Lines of text: joints, map, scale, up axis, frame rates, clips and minutes by split, whether they are enough for a
    run, and what is left out.

    section: the `corpus:` section of a run, whose keys count where it is of the folder's kind; frames, group: the shortest
    clip that its evaluation takes, and how many fill a group of it.
    """
    kind, key = kind_of(folder)
    given = dict(section) if section.get("kind") == kind else {"kind": kind}
    settings = validate({**given, key: str(folder)}, f"corpus-{kind}", where, "corpus")
    clips, fps = source(kind)
    report = Report(survey=True)
    skeleton = KIT_21 if kind == "kit" else SMPL_22
    lengths = defaultdict[str, list[int]](list)
    for clip in clips(settings, where, report):
        try:
            check_clip(clip, skeleton=skeleton, compat=settings["compat"])
        except InputError as error:
            report.broken(error)
            continue
        lengths[clip.split].append(len(clip.joints))
    yield _line("folder", f"{folder.absolute()}, read as kind: {kind}")
    for name, text in report.seen:
        yield _line(name, text)
    for split in SPLITS:
        minutes = sum(lengths[split]) / fps / 60
        yield _line(split, f"{len(lengths[split])} clips, {minutes:.1f} minutes")
    if settings.get("mirror"):
        yield _line("mirrored", "each clip counts twice: its mirror image is in the same split")
    held = [(split, length) for split in SPLITS for length in lengths[split]]
    problem = too_few(pd.DataFrame(held, columns=["split", "frames"]), frames, group, folder.name)
    yield _line(
        "enough", f"no: {problem}" if problem else f"for a run that ranks groups of {group}"
    )
    for line in report.remarks:
        yield _line("note", line)
    for reason, number in sorted(report.counts.items()):
        yield _line("left out", f"{number} {reason}")
    for line in report.skipped[:LISTED]:
        yield f"  {line}"
    if len(report.skipped) > LISTED:
        yield f"  … and {len(report.skipped) - LISTED} more"


def _line(name: str, text: str) -> str:
    return f"{name:<12}{text}"
