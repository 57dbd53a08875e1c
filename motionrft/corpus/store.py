"""The packed store every corpus ends in, and the feature store the rest of the suite reads.

Packed corpus, a folder:
  motions.npy      [F, J, 3] float32, joints in metres, Y up, `fps` of corpus.json, memory-mapped
                   (22 joints, unless corpus.json names another skeleton)
  kinematic.npy    [F, dim] float32, only where the data set brings its own kinematic features
  clips.parquet    clip, start, frames, split (train | val | test), captions (list), mirror_of, source
  corpus.json      kind, fps, configuration, provenance
Feature store, a folder (made from a packed corpus):
  kinematic.npy, joint.npy, rotation.npy   [F', dim] float32 raw features, memory-mapped
  clips.parquet    the same clips, `start` and `frames` counted in feature rows
  stats.safetensors  <representation>.mean, .std over the training split
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from motionrft.corpus.report import Report
from motionrft.errors import InputError
from motionrft.files import (
    atomic,
    atomic_folder,
    read_json,
    read_table,
    read_tensors,
    write_json,
    write_table,
)
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import Representation, representation
from motionrft.motion.skeleton import SKELETONS, SMPL_22, Skeleton
from motionrft.motion.validity import short_bone, undefined_bone

COLUMNS = ("clip", "start", "frames", "split", "captions", "mirror_of", "source")
SPLITS = ("train", "val", "test")
HEADER = 128  # bytes before the numbers of an .npy file


@dataclass
class Clip:
    """One motion on its way into a store. joints [T, J, 3]; `mirror_of` names the clip it mirrors.

    features [T, dim]: the kinematic features that the data set itself brings for these frames.
    """

    name: str
    joints: np.ndarray
    captions: list[str]
    split: str
    mirror_of: str = ""
    source: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    features: np.ndarray | None = None


def check_clip(
    clip: Clip,
    min_frames: int = 2,
    skeleton: Skeleton = SMPL_22,
    compat: str = HUMANML3D,
    bone_lengths: Tensor | None = None,
) -> None:
    """Raises `InputError` naming the clip and the field for anything that cannot be a motion with captions.

    A clip that does not bring its own features must also have bones whose features are defined.
    """
    where = clip.source or clip.name
    joints, count = clip.joints, len(skeleton)
    if joints.ndim != 3 or joints.shape[1:] != (count, 3):
        raise InputError(
            f"shape {joints.shape}, expected (frames, {count}, 3)",
            where=where,
            field="joints",
            fix="check the joint map",
        )
    check_frames(clip, min_frames)
    bad = np.flatnonzero(~np.isfinite(joints).all(axis=(1, 2)))
    if len(bad):
        raise InputError(
            f"NaN or infinite coordinates in frame {bad[0]} ({len(bad)} frames)",
            where=where,
            field="joints",
            fix="repair or remove the clip",
        )
    if clip.features is None:
        _check_bones(clip, where, skeleton, compat, bone_lengths)
    if not clip.captions:
        raise InputError(
            "no caption", where=where, field="captions", fix="add one to the captions table"
        )
    for number, caption in enumerate(clip.captions):
        if not caption.strip() or "\n" in caption:
            raise InputError(
                f"caption {number + 1} is empty or spans lines",
                where=where,
                field="captions",
                fix="write one line of text",
            )
    if clip.split not in SPLITS:
        raise InputError(
            f"unknown split {clip.split!r}",
            where=where,
            field="split",
            fix=f"use one of {', '.join(SPLITS)}",
        )


def check_frames(
    clip: Clip, least: int, fps: float | None = None, fix: str = "remove the clip"
) -> None:
    """Refuses a clip of fewer than `least` frames; with fps, their seconds are told."""
    count = len(clip.joints)
    if count < least:
        rate = "" if fps is None else f" at {fps:g} a second ({count / fps:.1f} s)"
        raise InputError(
            f"{count} frames{rate}, at least {least} needed",
            where=clip.source or clip.name,
            field="frames",
            fix=fix,
        )


def _check_bones(
    clip: Clip, where: str, skeleton: Skeleton, compat: str, bone_lengths: Tensor | None
) -> None:
    points = torch.from_numpy(np.asarray(clip.joints, dtype=np.float32))
    short = short_bone(points, skeleton)
    if short:
        raise InputError(
            short, where=where, field="joints", fix="check the joint map, or remove the clip"
        )
    undefined = undefined_bone(points, skeleton, compat, bone_lengths)
    if undefined:
        raise InputError(
            undefined,
            where=where,
            field="joints",
            fix="remove the clip, or set corpus.compat: corrected, which can express it",
        )


class Packed:
    """An .npy file that grows row by row; the header is written last, when the length is known."""

    def __init__(self, out: BinaryIO):
        self.out, self.rows, self.shape = out, 0, (0,)
        out.write(b"\0" * HEADER)

    def append(self, rows: np.ndarray) -> None:
        self.out.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())
        self.rows, self.shape = self.rows + len(rows), rows.shape[1:]

    def finish(self) -> None:
        self.out.seek(0)
        self.out.write(_npy_header((self.rows, *self.shape), HEADER))


def write_corpus(
    folder: str | Path,
    clips: Iterable[Clip],
    about: dict[str, Any],
    *,
    fps: float = 20.0,
    facts: dict[str, Any] | None = None,
    report: Report | None = None,
    enough: Callable[[pd.DataFrame], None] = lambda clips: None,
) -> None:
    """Packs checked clips, streaming: memory is bounded by one clip. corpus.json comes last and marks success.

    `facts` go into corpus.json: what later stages must know of the data (skeleton, bone_lengths, statistics).
    A clip that cannot be used goes to `report`, which may raise; without one it is an error. `enough` raises where
    the table of clips is not what a run needs; nothing is written then.
    """
    with atomic_folder(folder, last="corpus.json", owned=["kinematic.npy"]) as temporary:
        compat = about.get("corpus", {}).get("compat", HUMANML3D)
        frame = _pack(temporary, clips, facts or {}, compat, report or Report(fatal=True))
        if frame.empty:
            skipped = report.skipped if report else []
            reason = f" ({len(skipped)} left out, the first: {skipped[0]})" if skipped else ""
            raise InputError(
                f"the corpus has no clip{reason}",
                where=folder,
                fix="check the corpus section of the configuration",
            )
        repeated = frame["clip"][frame["clip"].duplicated()]
        if len(repeated):
            raise InputError(
                f"clip {repeated.iloc[0]!r} appears twice",
                where=folder,
                field="clip",
                fix="give clips unique names",
            )
        enough(frame)
        write_table(temporary / "clips.parquet", frame, about)
        write_json(temporary / "corpus.json", {"fps": fps, **(facts or {}), **about})


def _pack(
    folder: Path, clips: Iterable[Clip], facts: dict[str, Any], compat: str, report: Report
) -> pd.DataFrame:
    """Writes the motions (and features that clips bring) into `folder`; returns the table of clips."""
    skeleton = SKELETONS[facts.get("skeleton", SMPL_22.name)]
    lengths = facts.get("bone_lengths")
    target = None if lengths is None else torch.tensor(lengths)
    rows: list[dict[str, Any]] = []
    with contextlib.ExitStack() as files:
        motions = Packed(files.enter_context(packing(folder / "motions.npy")))
        kinematic: Packed | None = None
        for clip in clips:
            try:
                check_clip(clip, skeleton=skeleton, compat=compat, bone_lengths=target)
            except InputError as error:
                report.broken(error)
                continue
            rows.append(
                {
                    "clip": clip.name,
                    "start": motions.rows,
                    "frames": len(clip.joints),
                    "split": clip.split,
                    "captions": list(clip.captions),
                    "mirror_of": clip.mirror_of,
                    "source": clip.source,
                    **clip.extra,
                }
            )
            motions.append(clip.joints)
            if clip.features is not None and len(rows) == 1:
                kinematic = Packed(files.enter_context(packing(folder / "kinematic.npy")))
            if kinematic is not None and clip.features is not None:
                kinematic.append(clip.features)
            if (kinematic.rows if kinematic else 0) != (
                motions.rows if clip.features is not None else 0
            ):
                raise InputError(
                    "features for some clips and frames only",
                    where=clip.source or clip.name,
                    field="features",
                    fix="bring features for every frame of every clip, or for none",
                )
        motions.finish()
        if kinematic is not None:
            kinematic.finish()
    return pd.DataFrame(rows)


@contextlib.contextmanager
def packing(path: Path) -> Iterator[BinaryIO]:
    with atomic(path) as temporary, open(temporary, "wb") as out:
        yield out


def _npy_header(shape: tuple[int, ...], size: int) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    return (
        b"\x93NUMPY\x01\x00"
        + (size - 10).to_bytes(2, "little")
        + text.ljust(size - 11).encode()
        + b"\n"
    )


class Corpus:
    """A packed corpus, read-only."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.about = read_json(self.folder / "corpus.json")
        self.clips, _ = read_table(self.folder / "clips.parquet")
        self.motions: np.ndarray = np.load(self.folder / "motions.npy", mmap_mode="r")
        self.fps = float(self.about["fps"])
        self.skeleton = SKELETONS[self.about.get("skeleton", SMPL_22.name)]
        brought = self.folder / "kinematic.npy"
        self.kinematic = np.load(brought, mmap_mode="r") if brought.exists() else None

    def joints(self, row: int) -> np.ndarray:
        """[T, J, 3] of the clip in this row of `clips`."""
        clip = self.clips.iloc[row]
        return self.motions[clip["start"] : clip["start"] + clip["frames"]]

    def captions(self) -> list[str]:
        """Every distinct caption, sorted, the empty one first."""
        return [
            "",
            *sorted({caption for captions in self.clips["captions"] for caption in captions}),
        ]


class FeatureStore:
    """The three representations of a packed corpus, read-only."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.clips, self.about = read_table(self.folder / "clips.parquet")
        self._stats: dict[str, Any] | None = None

    def features(self, representation: str) -> np.ndarray:
        """[F', dim] raw features, memory-mapped."""
        path = self.folder / f"{representation}.npy"
        try:
            features: np.ndarray = np.load(path, mmap_mode="r")
            return features
        except (FileNotFoundError, ValueError) as error:
            raise InputError(
                f"missing or corrupted ({error})",
                where=path,
                fix="delete it and run the features rule again",
            ) from None

    def representation(self, name: str) -> Representation:
        """The representation of this corpus's own skeleton and variant."""
        return representation(
            name,
            self.about.get("skeleton", SMPL_22.name),
            self.about.get("compat", HUMANML3D),
            self.about.get("bone_lengths"),
        )

    def normaliser(self, representation: str) -> Normaliser:
        if self._stats is None:
            self._stats, _ = read_tensors(self.folder / "stats.safetensors")
        return Normaliser(
            self._stats[f"{representation}.mean"], self._stats[f"{representation}.std"]
        )
