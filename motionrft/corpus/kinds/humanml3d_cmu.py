"""`kind: humanml3d-cmu`: the clips of HumanML3D that were recorded for the CMU database, from its free BVH files.

Official ids, captions, splits and mirrored clips, official features; another skeleton than AMASS' bodies. Of a
clone of HumanML3D's repository (index.csv, texts or texts.zip, split files) and a folder of the database in BVH.

index.csv counts frames at 20 a second of the take in AMASS. The BVH conversion puts a T-pose before the take, so
that AMASS' frame n is BVH frame n + 1. All its files say 120 frames a second, some takes have 60: index.csv tells
which, since it takes whole takes of up to ten seconds, up to their last frame.

`corpus:` keys: cmu_dir, humanml3d_dir, joint_map (auto: from the joint names), compat, on_error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motionrft.corpus.bvh.file import BvhMotion, read_bvh, read_length
from motionrft.corpus.bvh.folder import walk
from motionrft.corpus.bvh.reader import Reader, describe, open_reader
from motionrft.corpus.official.extract import extracted_clips, with_mirrored
from motionrft.corpus.official.index import Segment, by_source, read_index
from motionrft.corpus.official.layout import (
    HUMANML3D_LAYOUT,
    OFFICIAL_FPS,
    SPLIT_FILES,
    TEXTS,
    root_of,
)
from motionrft.corpus.official.reader import read_splits
from motionrft.corpus.official.texts import Texts
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip
from motionrft.errors import InputError
from motionrft.progress import progress

FPS = OFFICIAL_FPS
SUBSET = "CMU"
SLACK = 1  # frames at 20 a second by which AMASS' and the database's lengths may differ


@dataclass(frozen=True)
class Take:
    """A BVH file and the segments that index.csv cuts from it."""

    path: Path
    segments: list[Segment]

    @property
    def subject(self) -> str:
        return self.path.stem.split("_")[0]


def halved(take: Take, frames: int, fps: float) -> bool | None:
    """Whether a take of so many BVH frames has half the frames a second that its file says; None if index.csv
    does not tell."""
    whole = math.ceil((frames - 1) * OFFICIAL_FPS / _rate(fps))
    last = max(segment.end for segment in take.segments)
    if last > 2 * whole + SLACK:
        raise InputError(
            f"index.csv ends at frame {last}, the take has {2 * whole} at most",
            where=take.path,
            field="frames",
            fix="use the whole take",
        )
    if last > whole + SLACK:
        return True
    return False if last >= whole - SLACK else None


def cut(motion: BvhMotion, segment: Segment, half: bool) -> BvhMotion:
    """The segment at 20 frames a second: clip frame n is frame n · fps / 20 of AMASS, one further in the BVH file."""
    step = _rate(motion.fps) / (2 if half else 1) / OFFICIAL_FPS
    moments = 1 + np.arange(segment.begin, segment.end) * step
    return motion.at(moments[moments < len(motion.translation)], OFFICIAL_FPS)


def _rate(fps: float) -> float:
    """Frames a second without the rounding of a frame time in decimals (0.00833333): it adds up over a take."""
    return round(fps, 2)


def find_takes(folder: Path, sources: Mapping[str, list[Segment]], report: Report) -> list[Take]:
    """The files of the database that index.csv names, by the take's name (`02_01`)."""
    if not folder.is_dir():
        raise InputError(
            f"no such folder ({folder.absolute()})",
            where=folder,
            field="corpus.cmu_dir",
            fix="the CMU database in BVH: --config cmu_dir=/path",
        )
    files = {path.stem.lower(): path for path in walk(folder) if path.is_file()}
    takes = []
    for source, segments in sources.items():
        name = Path(source).name.removesuffix("_poses").lower()
        if name in files:
            takes.append(Take(files[name], segments))
        else:
            names = ", ".join(segment.name for segment in segments)
            report.left_out("without BVH file", f"{name}.bvh is not in {folder} (clips {names})")
    if not takes:
        raise InputError(
            "none of the takes of index.csv is there",
            where=folder,
            field="corpus.cmu_dir",
            fix="files are called SUBJECT_TAKE.bvh, for example 02_01.bvh",
        )
    return takes


def frame_rates(takes: list[Take], report: Report) -> dict[Path, bool]:
    """{file: whether it has half the frames a second that it says}; broken files are reported and left out.

    A take for which index.csv does not tell follows the other takes of its subject, else its file.
    """
    known: dict[Path, bool | None] = {}
    for take in progress(takes, total=len(takes), label="lengths", unit="takes"):
        try:
            known[take.path] = halved(take, *read_length(take.path))
        except InputError as error:
            report.broken(error)
    subjects: dict[str, set[bool]] = {}
    for take in takes:
        half = known.get(take.path)
        if half is not None:
            subjects.setdefault(take.subject, set()).add(half)
    rates = {}
    for take in takes:
        if take.path not in known:
            continue
        half = known[take.path]
        if half is None:
            votes = subjects.get(take.subject, set())
            half = votes == {True}
            if len(votes) != 1:
                report.remark(
                    f"{take.path}: index.csv does not tell its frame rate; the file's is taken"
                )
        rates[take.path] = half
    return rates


def motions(
    takes: list[Take], rates: Mapping[Path, bool], reader: Reader
) -> Iterator[tuple[str, np.ndarray]]:
    """(name, joints [T, 22, 3] in metres where the take has them) of every segment and of its mirror image."""
    for take in progress(takes, total=len(takes), label=SUBSET, unit="takes"):
        if take.path not in rates:
            continue
        try:
            motion = read_bvh(take.path)
            for segment in take.segments:
                part = cut(motion, segment, rates[take.path])
                joints = reader.body(part, take.path).astype(np.float32)
                yield from with_mirrored(segment.name, joints)
        except InputError as error:
            reader.report.broken(error)


def home_of(settings: dict[str, Any]) -> tuple[Path, Path]:
    """The folders of index.csv and of captions and splits: a clone has the latter one level down."""
    folder = Path(settings["humanml3d_dir"]).expanduser()
    inner = folder / "HumanML3D"
    official = inner if (inner / SPLIT_FILES[0]).exists() else folder
    index = folder if (folder / "index.csv").exists() else official
    root_of({"humanml3d_dir": str(official)}, HUMANML3D_LAYOUT, (TEXTS, *SPLIT_FILES))
    root_of({"humanml3d_dir": str(index)}, HUMANML3D_LAYOUT, ("index.csv",))
    return index, official


def CORPUS(settings: dict[str, Any], where: str, report: Report) -> Iterator[Clip]:  # noqa: N802
    """The clips of both folders, in the order of index.csv's takes."""
    del where
    index, official = home_of(settings)
    split_of = read_splits(official, report)
    segments = [one for one in read_index(index / "index.csv") if one.subset == SUBSET]
    takes = find_takes(
        Path(settings["cmu_dir"]).expanduser(), by_source(segments, split_of), report
    )
    rates = frame_rates(takes, report)
    reader = open_reader(
        {"joint_map": settings["joint_map"], "up": "y"}, [t.path for t in takes], report
    )
    clips = motions(takes, rates, reader)
    yield from extracted_clips(clips, split_of, Texts(official), settings["compat"], report)
    describe(reader)
    half = sum(rates.values())
    report.seen.append(("frame rate", f"120 a second in {len(rates) - half} takes, 60 in {half}"))
