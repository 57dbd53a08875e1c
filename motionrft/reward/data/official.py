"""The released data files of stages 2 and 3, read safely and converted once to the packed store.

preference     critic_<split>_<r>.pth: a list of {motion_better, motion_worse}, or a dictionary of both as
               lists or stacked tensors (with optional length_better, length_worse); r: 263, 22x3, 135
authenticity   ai_generated_<split>.pth: {r: {motions [N, T, …], lengths [N], sources}}, raw, zero-padded
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft.corpus.store import SPLITS
from motionrft.errors import InputError
from motionrft.reward.data.labelled import HELD_OUT, LabelledMotion, MotionPair
from motionrft.reward.network import OFFICIAL_NAMES
from motionrft.reward.official import read_pth

OURS = {official: name for name, official in OFFICIAL_NAMES.items()} | {"66": "joint"}
DIMS = {"kinematic": 263, "joint": 66, "rotation": 135}
BETTER, WORSE = "motion_better", "motion_worse"


def split_of(path: Path) -> str:
    """`critic_train_263.pth` -> train; the name has to say it."""
    splits = [split for split in SPLITS if re.search(rf"(^|[_-]){split}([_.-]|$)", path.name)]
    if len(splits) != 1:
        raise InputError(
            "the name does not say which split it is",
            where=path,
            fix="name it critic_<train|val|test>_<263|22x3|135>.pth",
        )
    return splits[0]


def representation_of(path: Path) -> str:
    for official, name in OURS.items():
        if re.search(rf"[_-]{official}\.", path.name):
            return name
    raise InputError(
        "the name does not say which representation it is",
        where=path,
        fix="name it critic_<split>_<263|22x3|135>.pth",
    )


def frames_of(value: Any, representation: str, where: Path, field: str) -> np.ndarray:
    """[T, dim] float32 of one raw motion [T, 263 | 22, 3 | 135], with or without a leading axis of one."""
    if not isinstance(value, (Tensor, np.ndarray)):
        raise InputError(
            f"a {type(value).__name__}, not a tensor",
            where=where,
            field=field,
            fix="pass a released file",
        )
    motion = torch.as_tensor(value).float()
    while motion.dim() > 2 and motion.shape[0] == 1:
        motion = motion[0]
    dim = DIMS[representation]
    flat = motion.flatten(1) if motion.dim() >= 2 else motion
    if flat.dim() != 2 or flat.shape[1] != dim:
        raise InputError(
            f"shape {tuple(motion.shape)} is no {representation} motion (frames, {dim})",
            where=where,
            field=field,
            fix="check which representation the file holds",
        )
    return flat.numpy()


def pairs_in(path: Path, representation: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(better, worse) of one preference file."""
    value: Any = read_pth(path, kinds=(dict, list))
    if isinstance(value, dict):
        for key in (BETTER, WORSE):
            if key not in value:
                raise InputError(
                    "missing", where=path, field=key, fix="pass a released preference file"
                )
        better, worse = value[BETTER], value[WORSE]
        if len(better) != len(worse):
            raise InputError(
                f"{len(better)} better but {len(worse)} worse motions",
                where=path,
                field=WORSE,
                fix="pass whole pairs",
            )
        ends = (value.get("length_better"), value.get("length_worse"))
        for key, lengths in zip(("length_better", "length_worse"), ends, strict=True):
            if lengths is not None and len(lengths) != len(better):
                raise InputError(
                    f"{len(lengths)} lengths for {len(better)} motions",
                    where=path,
                    field=key,
                    fix="pass a complete file",
                )
        for index in range(len(better)):
            motions = []
            for side, length, key in zip((better, worse), ends, (BETTER, WORSE), strict=True):
                frames = frames_of(side[index], representation, path, f"{key}[{index}]")
                motions.append(frames if length is None else frames[: int(length[index])])
            yield motions[0], motions[1]
        return
    for index, entry in enumerate(value):
        for key in (BETTER, WORSE):
            if not isinstance(entry, dict) or key not in entry:
                raise InputError(
                    "missing",
                    where=path,
                    field=f"[{index}].{key}",
                    fix="pass a released preference file",
                )
        better, worse = (
            frames_of(entry[key], representation, path, f"[{index}].{key}")
            for key in (BETTER, WORSE)
        )
        yield better, worse


def official_pairs(paths: Sequence[Path]) -> Iterator[MotionPair]:
    """Preference files -> pairs of one representation each."""
    for path in paths:
        name, split = representation_of(path), split_of(path)
        for index, motions in enumerate(pairs_in(path, name)):
            better, worse = map(len, motions)
            if better != worse:
                # the longer one could be told from its length, and no crop and noise would fit both
                raise InputError(
                    f"{better} frames against {worse}",
                    where=path, field=f"[{index}]", fix="cut both motions of the pair to the shorter",
                )  # fmt: skip
            clip = f"{path.stem}_{index}"
            first, second = (LabelledMotion({name: motion}, split, clip) for motion in motions)
            yield MotionPair(first, second, "human")


def official_generated(
    paths: Sequence[Path], held_out: Sequence[str] = ()
) -> Iterator[LabelledMotion]:
    """Authenticity files -> generated motions, named by their source."""
    for path in paths:
        split = split_of(path)
        value = read_pth(path)
        for official, entry in value.items():
            if official not in OURS:
                raise InputError(
                    f"unknown representation {official!r}",
                    where=path,
                    fix=f"known: {', '.join(OURS)}",
                )
            for key in ("motions", "lengths"):
                if not isinstance(entry, dict) or key not in entry:
                    raise InputError(
                        "missing", where=path, field=f"{official}.{key}", fix="pass a released file"
                    )
            motions, lengths = entry["motions"], entry["lengths"]
            if len(motions) != len(lengths):
                raise InputError(
                    f"{len(motions)} motions but {len(lengths)} lengths",
                    where=path, field=f"{official}.lengths", fix="pass a complete file",
                )  # fmt: skip
            sources = entry.get("sources") or ["unknown"] * len(motions)
            if len(sources) != len(motions):
                raise InputError(
                    f"{len(motions)} motions but {len(sources)} sources",
                    where=path, field=f"{official}.sources", fix="pass a complete file",
                )  # fmt: skip
            for index in range(len(motions)):
                field = f"{official}.motions[{index}]"
                frames = frames_of(motions[index], OURS[official], path, field)[
                    : int(lengths[index])
                ]
                source = str(sources[index])
                belongs_to = HELD_OUT if source in held_out else split
                yield LabelledMotion(
                    {OURS[official]: frames}, belongs_to, f"{path.stem}_{index}", source
                )
