"""The packed store every corpus ends in, and the feature store the rest of the suite reads.

Packed corpus, a folder:
  motions.npy      [F, 22, 3] float32, joints in metres, Y up, `fps` of corpus.json, memory-mapped
  clips.parquet    clip, start, frames, split (train | val | test), captions (list), mirror_of, source
  corpus.json      kind, fps, configuration, provenance
Feature store, a folder (made from a packed corpus):
  kinematic.npy, joint.npy, rotation.npy   [F', dim] float32 raw features, memory-mapped
  clips.parquet    the same clips, `start` and `frames` counted in feature rows
  stats.safetensors  <representation>.mean, .std over the training split
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from motionrft.artefacts import atomic, read_json, read_table, read_tensors, write_json, write_table
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser

COLUMNS = ("clip", "start", "frames", "split", "captions", "mirror_of", "source")
SPLITS = ("train", "val", "test")


@dataclass
class Clip:
    """One motion on its way into a store. joints [T, 22, 3]; `mirror_of` names the clip it mirrors."""

    name: str
    joints: np.ndarray
    captions: list[str]
    split: str
    mirror_of: str = ""
    source: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


def check_clip(clip: Clip, min_frames: int = 2) -> None:
    """Raises `InputError` naming the clip and the field for anything that cannot be a motion with captions."""
    where = clip.source or clip.name
    joints = clip.joints
    if joints.ndim != 3 or joints.shape[1:] != (22, 3):
        raise InputError(
            f"shape {joints.shape}, expected (frames, 22, 3)",
            where=where,
            field="joints",
            fix="check the joint map",
        )
    if len(joints) < min_frames:
        raise InputError(
            f"{len(joints)} frames, at least {min_frames} needed",
            where=where,
            field="frames",
            fix="remove the clip or lower min_frames",
        )
    bad = np.flatnonzero(~np.isfinite(joints).all(axis=(1, 2)))
    if len(bad):
        raise InputError(
            f"NaN or infinite coordinates in frame {bad[0]} ({len(bad)} frames)",
            where=where,
            field="joints",
            fix="repair or remove the clip",
        )
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


def write_corpus(
    folder: str | Path, clips: Iterable[Clip], about: dict[str, Any], *, fps: float = 20.0
) -> None:
    """Packs checked clips, streaming: memory is bounded by one clip. corpus.json comes last and marks success."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.json").unlink(missing_ok=True)
    rows: list[dict[str, Any]] = []
    total = 0
    with atomic(folder / "motions.npy") as temporary:
        with open(temporary, "wb") as out:
            header = 128
            out.write(b"\0" * header)
            for clip in clips:
                check_clip(clip)
                out.write(np.ascontiguousarray(clip.joints, dtype=np.float32).tobytes())
                rows.append(
                    {
                        "clip": clip.name,
                        "start": total,
                        "frames": len(clip.joints),
                        "split": clip.split,
                        "captions": list(clip.captions),
                        "mirror_of": clip.mirror_of,
                        "source": clip.source,
                        **clip.extra,
                    }
                )
                total += len(clip.joints)
            out.seek(0)
            out.write(_npy_header((total, 22, 3), header))
        if not rows:
            raise InputError(
                "the corpus has no clip",
                where=folder,
                fix="check the corpus section of the configuration",
            )
    frame = pd.DataFrame(rows)
    repeated = frame["clip"][frame["clip"].duplicated()]
    if len(repeated):
        raise InputError(
            f"clip {repeated.iloc[0]!r} appears twice",
            where=folder,
            field="clip",
            fix="give clips unique names",
        )
    write_table(folder / "clips.parquet", frame, about)
    write_json(folder / "corpus.json", {"fps": fps, **about})


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

    def joints(self, row: int) -> np.ndarray:
        """[T, 22, 3] of the clip in this row of `clips`."""
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
            return np.load(path, mmap_mode="r")
        except (FileNotFoundError, ValueError) as error:
            raise InputError(
                f"missing or corrupted ({error})",
                where=path,
                fix="delete it and run the features rule again",
            ) from None

    def normaliser(self, representation: str) -> Normaliser:
        if self._stats is None:
            self._stats, _ = read_tensors(self.folder / "stats.safetensors")
        return Normaliser(
            self._stats[f"{representation}.mean"], self._stats[f"{representation}.std"]
        )
