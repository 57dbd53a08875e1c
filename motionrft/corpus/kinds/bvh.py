"""`kind: bvh`: any folder of BVH files with a captions table (`clip,caption`), as SMPL-22 joints.

`corpus:` keys: mocap_dir, captions (default <mocap_dir>/captions.csv), joint_map (auto, a file of `config/skeletons`,
or a path), scale (metres in a unit of the files, or auto), up (axis, or auto), fps, min_frames, mirror, splits, seed,
on_error (skip: named, counted and left out; fail: the first broken file ends the job).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from motionrft.corpus.bvh.body import placed
from motionrft.corpus.bvh.captions_table import Row, read_captions
from motionrft.corpus.bvh.file import read_bvh
from motionrft.corpus.bvh.folder import Take, captions_by_take, find_takes
from motionrft.corpus.bvh.reader import Reader, describe, open_reader
from motionrft.corpus.mirroring import mirrored_caption, mirrored_name
from motionrft.corpus.report import Report
from motionrft.corpus.splits import seeded_splits
from motionrft.corpus.store import Clip, check_frames
from motionrft.errors import InputError
from motionrft.motion.skeleton import mirror
from motionrft.progress import progress

FPS = 20.0
SHORTEST = 40  # the least min_frames


def captions_path(settings: dict[str, Any]) -> Path:
    """The captions table: the configuration's, else captions.csv in the folder."""
    folder = Path(settings["mocap_dir"]).expanduser()
    return Path(settings.get("captions") or folder / "captions.csv").expanduser()


def CORPUS(settings: dict[str, Any], where: str, report: Report) -> Iterator[Clip]:  # noqa: N802
    """The clips of a BVH folder and, with `mirror`, the mirror image of each."""
    del where
    folder, table = Path(settings["mocap_dir"]).expanduser(), captions_path(settings)
    takes = find_takes(folder, report)
    rows: list[Row] = []
    try:
        rows = read_captions(table)
    except InputError as error:
        report.absent(error)
    captions = captions_by_take(takes, rows, table, report)
    reader = open_reader(settings, [take.path for take in takes], report)
    splits = seeded_splits(len(takes), settings["splits"], int(settings["seed"]))
    names = {take.name for take in takes}
    for take, split in zip(
        progress(takes, total=len(takes), label="bvh", unit="takes"), splits, strict=True
    ):
        try:
            clip = _clip(take, captions.get(take.name, []), reader, settings, split)
        except InputError as error:
            report.broken(error)
            continue
        if not clip.captions:
            add = f"add a row to {table}"
            uncaptioned = InputError("no caption for this clip", where=take.path, fix=add)
            report.broken(uncaptioned, "without caption")
            continue
        yield clip
        if settings["mirror"]:
            twin = mirrored_name(clip.name, names)
            names.add(twin)
            yield Clip(
                twin,
                mirror(torch.from_numpy(clip.joints)).numpy(),
                [mirrored_caption(caption) for caption in clip.captions],
                split,
                clip.name,
                clip.source,
            )
    describe(reader)


def _clip(
    take: Take, captions: list[str], reader: Reader, settings: dict[str, Any], split: str
) -> Clip:
    motion = read_bvh(take.path)
    for remark in motion.remarks:
        reader.report.remark(remark)
    reader.rates[round(motion.fps, 2)] += 1
    joints = placed(reader.body(motion.resampled(float(settings["fps"])), take.path))
    clip = Clip(take.name, joints, captions, split, source=f"{take.place}.bvh")
    least = int(settings["min_frames"])
    fix = "record longer takes, or remove it" if least <= SHORTEST else "lower corpus.min_frames"
    check_frames(clip, least + 1, float(settings["fps"]), fix)
    return clip
