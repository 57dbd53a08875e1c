"""`kind: bvh`: any folder of BVH files with a captions table (`clip,caption`), as SMPL-22 joints.

`corpus:` keys: mocap_dir, captions (csv; default <mocap_dir>/captions.csv), joint_map (a file of
`config/skeletons`, by name or path), scale (file unit to metres), fps, min_frames, mirror, splits, seed,
on_error (skip: named, counted and left out; fail: the first broken file ends the job).
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motionrft.configuration import ROOT, read_yaml
from motionrft.corpus.kinds.bvh.file import BvhMotion, read_bvh
from motionrft.corpus.store import Clip, check_clip
from motionrft.errors import InputError
from motionrft.progress import progress

LOG = logging.getLogger(__name__)
JOINTS = [
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
]
MIRROR = [
    JOINTS.index({"l": "right", "r": "left"}[name[0]] + name[name.index("_") :])
    if name.startswith(("left_", "right_"))
    else index
    for index, name in enumerate(JOINTS)
]
SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)


def read_joint_map(name: str | Path) -> dict[str, list[str]]:
    """{SMPL joint: BVH joints whose mean it is}, from a path or from `config/skeletons/<name>.yaml`."""
    path = Path(name) if Path(name).suffix else ROOT / "config" / "skeletons" / f"{name}.yaml"
    entries = read_yaml(path)
    for joint in JOINTS:
        if joint not in entries:
            raise InputError(
                "joint missing from the map", where=path, field=joint, fix="name its BVH joint"
            )
    for joint in entries:
        if joint not in JOINTS:
            raise InputError(
                "not an SMPL-22 joint", where=path, field=joint, fix=f"use {', '.join(JOINTS)}"
            )
    return {
        joint: [source] if isinstance(source, str) else list(source)
        for joint, source in entries.items()
    }


def read_captions(path: str | Path) -> dict[str, list[str]]:
    """{clip: its captions} of a UTF-8 table with the columns clip and caption."""
    path = Path(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(
            "no such file",
            where=path,
            field="captions",
            fix="a table with the columns clip,caption",
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 (byte {error.start})",
            where=path,
            field="captions",
            fix="save the table as UTF-8",
        ) from None
    captions: dict[str, list[str]] = {}
    for number, row in enumerate(rows, start=2):
        if row.get("clip") is None or row.get("caption") is None:
            raise InputError(
                "no `clip` or no `caption` column",
                where=f"{path}:{number}",
                fix="the header is clip,caption",
            )
        if not row["caption"].strip():
            raise InputError(
                "empty caption",
                where=f"{path}:{number}",
                field="caption",
                fix="write one, or delete the row",
            )
        captions.setdefault(row["clip"].removesuffix(".bvh"), []).append(
            " ".join(row["caption"].split())
        )
    return captions


def mirrored_caption(caption: str) -> str:
    """left and right exchanged, case kept."""

    def other(match: re.Match[str]) -> str:
        word = match[0]
        swapped = "right" if word.lower() == "left" else "left"
        return (
            swapped.upper()
            if word.isupper()
            else swapped.capitalize()
            if word[0].isupper()
            else swapped
        )

    return SIDE.sub(other, caption)


def mirrored(joints: np.ndarray) -> np.ndarray:
    """[T, 22, 3] seen in a mirror: x negated, left and right joints exchanged."""
    return (joints * np.array([-1.0, 1.0, 1.0]))[:, MIRROR]


def to_joints(
    motion: BvhMotion, joint_map: dict[str, list[str]], scale: float, where: Path
) -> np.ndarray:
    """[T, 22, 3] metres: floor at zero, pelvis over the origin and facing +Z in the first frame."""
    index = {name: row for row, name in enumerate(motion.names)}
    for joint, sources in joint_map.items():
        for source in sources:
            if source not in index:
                raise InputError(
                    f"no joint {source!r}",
                    where=where,
                    field=joint,
                    fix="use the joint map of this skeleton",
                )
    placed = motion.positions()
    joints = (
        np.stack(
            [placed[:, [index[name] for name in joint_map[joint]]].mean(1) for joint in JOINTS], 1
        )
        * scale
    )
    joints[..., 1] -= joints[..., 1].min()
    joints[..., [0, 2]] -= joints[0, 0, [0, 2]]
    across = joints[0, 1] - joints[0, 2] + joints[0, 16] - joints[0, 17]  # towards the body's left
    angle = np.arctan2(across[2], across[0])
    c, s = np.cos(angle), np.sin(angle)
    return joints @ np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def split_of(count: int, splits: dict[str, float], seed: int) -> list[str]:
    """A seeded assignment of `count` clips to train, val and test."""
    order = np.random.default_rng(seed).permutation(count)
    bounds = np.cumsum([splits["train"], splits["val"]]) * count
    names = np.empty(count, dtype=object)
    names[order] = [
        "train" if rank < bounds[0] else "val" if rank < bounds[1] else "test"
        for rank in range(count)
    ]
    return list(names)


def CORPUS(settings: dict[str, Any], where: str, skipped: list[str]) -> Iterator[Clip]:  # noqa: N802
    """The clips of a BVH folder; with `on_error: skip`, what was left out is appended to `skipped`."""
    folder = Path(settings["mocap_dir"]).expanduser()
    files = sorted(folder.rglob("*.bvh"))
    if not files:
        raise InputError(
            "no .bvh file",
            where=folder,
            field="corpus.mocap_dir",
            fix="--config mocap_dir=<folder of BVH files>",
        )
    captions = read_captions(Path(settings.get("captions") or folder / "captions.csv").expanduser())
    joint_map = read_joint_map(settings["joint_map"])
    splits = split_of(len(files), settings["splits"], int(settings["seed"]))
    for path, split in zip(progress(files, total=len(files), label="bvh"), splits, strict=True):
        try:
            clip = _clip(path, captions, joint_map, settings, split)
        except InputError as error:
            if settings["on_error"] == "fail":
                raise
            LOG.warning("skipped: %s", error)
            skipped.append(str(error))
            continue
        yield clip
        if settings["mirror"]:
            texts = [mirrored_caption(caption) for caption in clip.captions]
            yield Clip(f"M{clip.name}", mirrored(clip.joints), texts, split, clip.name, clip.source)


def _clip(
    path: Path,
    captions: dict[str, list[str]],
    joint_map: dict[str, list[str]],
    settings: dict[str, Any],
    split: str,
) -> Clip:
    if path.stem not in captions:
        raise InputError(
            "no caption for this clip",
            where=path,
            field="captions",
            fix="add a row to the captions table",
        )
    motion = read_bvh(path).resampled(float(settings["fps"]))
    joints = to_joints(motion, joint_map, float(settings["scale"]), path)
    clip = Clip(path.stem, joints, captions[path.stem], split, source=path.name)
    check_clip(clip, min_frames=int(settings["min_frames"]) + 1)
    return clip
