"""The three representations of a packed corpus, computed in batches of clips of similar length.

Memory is bounded by a batch a process: joints are read from and features written to memory-mapped files.
The batches, and so the bytes written, do not depend on the number of processes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from motionrft.corpus.store import Corpus
from motionrft.errors import InputError
from motionrft.files import atomic, atomic_folder, write_table, write_tensors
from motionrft.motion.joint import Joint
from motionrft.motion.representation import JOINT, KINEMATIC, MODULES, ROTATION, representation
from motionrft.motion.rotation135 import Rotation
from motionrft.motion.validity import short_bone, undefined_bone
from motionrft.progress import progress

BATCH = 32  # clips at once: more no longer fit a processor's cache
CHUNK = 2048  # frames that are summed in double precision at once
PADDED = 32 * 400  # frames at once, padding included: bounds the memory of corpora with long takes
# The least standard deviation: a channel that never changes must neither divide by zero nor blow noise up.
FLOOR = {KINEMATIC: 1e-5, JOINT: 1e-3, ROTATION: 1e-2}


@dataclass(frozen=True)
class Job:
    """Clips of one batch: where each begins in the corpus and in the feature files, and whether it trains."""

    names: list[str]
    starts: list[int]
    frames: list[int]
    places: list[int]
    train: list[bool]


Sums = tuple[int, Tensor, Tensor]


@dataclass(frozen=True)
class Outcome:
    """Of one batch: each representation's count, sum and sum of squares over training rows, and broken clips."""

    sums: dict[str, Sums]
    broken: list[str]


def jobs_of(corpus: Corpus, batch: int) -> tuple[list[Job], np.ndarray]:
    """Batches by length, and the feature rows of every clip: one fewer than frames, unless the data set's own."""
    clips = corpus.clips
    rows = clips["frames"].to_numpy() - (corpus.kinematic is None)
    places = np.cumsum(rows) - rows
    order = np.argsort(clips["frames"].to_numpy(), kind="stable")
    jobs = []
    for chosen in (clips.iloc[part] for part in _parts(order, clips["frames"].to_numpy(), batch)):
        jobs.append(
            Job(
                chosen["clip"].tolist(),
                chosen["start"].tolist(),
                chosen["frames"].tolist(),
                places[chosen.index].tolist(),
                (chosen["split"] == "train").tolist(),
            )
        )
    return jobs, rows


def _parts(order: np.ndarray, frames: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """Runs of `order` (by rising length) of at most `batch` clips and, unless it is one clip, PADDED frames."""
    begin = 0
    for end in range(1, len(order) + 1):
        longer = frames[order[end]] * (end + 1 - begin) > PADDED if end < len(order) else True
        if end - begin == batch or longer:
            yield order[begin:end]
            begin = end


def _padded(array: np.ndarray, job: Job) -> Tensor:
    """[B, T, ...] of the job's clips, zero after each."""
    batch = torch.zeros(len(job.names), max(job.frames), *array.shape[1:])
    for row, (start, frames) in enumerate(zip(job.starts, job.frames, strict=True)):
        batch[row, :frames] = torch.from_numpy(np.array(array[start : start + frames]))
    return batch


def _representations(
    job: Job, folder: Path, built: dict[str, Any]
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, features [B, T, dim] and lengths [B] of each representation, one after another to spare memory."""
    joint = cast(Joint, representation(JOINT, **built))
    rotation = cast(Rotation, representation(ROTATION, **built))
    kinematic = representation(KINEMATIC, **built)
    lengths = torch.tensor(job.frames)
    brought = folder / "kinematic.npy"
    if brought.exists():
        features = _padded(np.load(brought, mmap_mode="r"), job)
    else:
        joints = _padded(np.load(folder / "motions.npy", mmap_mode="r"), job)
        features, lengths = kinematic.encode(joints, lengths)
    canonical = kinematic.decode(features)
    yield KINEMATIC, features, lengths
    del features
    yield JOINT, joint.from_canonical(canonical, lengths), lengths
    yield ROTATION, rotation.from_canonical(canonical, lengths), lengths


@torch.no_grad()
def compute(job: Job, folder: Path, files: dict[str, Path], built: dict[str, Any]) -> Outcome:
    """Writes one batch into the feature files and returns its part of the statistics."""
    broken = set()
    sums = {}
    for name, values, lengths in _representations(job, folder, built):
        out = np.load(files[name], mmap_mode="r+")
        count, total = 0, torch.zeros(values.shape[-1]).double()
        squares = torch.zeros_like(total)
        for row, (place, length) in enumerate(zip(job.places, lengths.tolist(), strict=True)):
            clip = values[row, :length]
            if not bool(clip.isfinite().all()):
                broken.add(job.names[row])
            out[place : place + length] = clip.numpy()
            if job.train[row]:
                count += length
                for some in clip.split(CHUNK):
                    exact = some.double()
                    total, squares = total + exact.sum(0), squares + exact.square().sum(0)
        out.flush()
        sums[name] = (count, total, squares)
    return Outcome(sums, sorted(broken))


def _undefined(corpus: Corpus, broken: list[str], compat: str) -> InputError:
    """What to say of clips whose features are not finite: of the first few, which bone and frame."""
    row_of = {name: row for row, name in enumerate(corpus.clips["clip"])}
    lengths = corpus.about.get("bone_lengths")
    reasons = []
    for name in broken[:5]:
        points = torch.from_numpy(np.array(corpus.joints(row_of[name])))
        reason = short_bone(points, corpus.skeleton) or undefined_bone(
            points, corpus.skeleton, compat, None if lengths is None else torch.tensor(lengths)
        )
        reasons.append(f"{name}: {reason or 'the features that came with it'}")
    return InputError(
        f"undefined features in {len(broken)} clips ({'; '.join(reasons)})",
        where=corpus.folder,
        field=KINEMATIC,
        fix="remove them from the corpus, or compute features with --compat corrected, which can express bones "
        "against their raw direction",
    )


def blocks(joints: int) -> list[slice]:
    """Channels of the kinematic features that share one standard deviation (HumanML3D's statistics)."""
    bounds = [0, 1, 3, 4, 3 * joints + 1, 9 * joints - 5, 12 * joints - 5, 12 * joints - 1]
    return [slice(begin, end) for begin, end in itertools.pairwise(bounds)]


def statistics(
    name: str, count: int, total: Tensor, squares: Tensor, joints: int
) -> tuple[Tensor, Tensor]:
    """Mean and (population) standard deviation [dim] as each representation's users take them.

    kinematic: by channel, the deviation then averaged inside seven blocks; joint: one pair an axis, over all
    joints; rotation: by channel.
    """
    mean, square = total / count, squares / count
    if name == JOINT:
        mean, square = (
            part.unflatten(0, (joints, 3)).mean(0).repeat(joints) for part in (mean, square)
        )
    std = (square - mean.square()).clamp_min(0).sqrt()
    if name == KINEMATIC:
        for block in blocks(joints):
            std[block] = std[block].mean()
    return mean.float(), std.clamp_min(FLOOR[name]).float()


def write_features(
    source: str | Path,
    out: str | Path,
    about: dict[str, Any],
    *,
    compat: str,
    batch: int = BATCH,
    workers: int = 1,
) -> None:
    """Computes the feature store `out` of the packed corpus `source`. clips.parquet comes last and marks success.

    Clips whose features are not finite (an undefined bone) are named, and nothing is written.
    """
    corpus = Corpus(source)
    built = {
        "skeleton": corpus.skeleton.name,
        "compat": compat,
        "bone_lengths": corpus.about.get("bone_lengths"),
    }
    jobs, rows = jobs_of(corpus, batch)
    dims = {name: representation(name, **built).dim for name in MODULES}
    with atomic_folder(out, last="clips.parquet") as folder, ExitStack() as stack:
        files = {name: stack.enter_context(atomic(folder / f"{name}.npy")) for name in MODULES}
        for name, path in files.items():
            np.lib.format.open_memmap(
                path, mode="w+", dtype=np.float32, shape=(int(rows.sum()), dims[name])
            ).flush()
        work = partial(compute, folder=corpus.folder, files=files, built=built)
        outcomes: Iterable[Outcome] = map(work, jobs)
        if workers > 1:
            pool = ProcessPoolExecutor(
                workers,
                mp_context=get_context("spawn"),
                initializer=torch.set_num_threads,
                initargs=(1,),
            )
            outcomes = stack.enter_context(pool).map(work, jobs)
        sums: dict[str, Sums] = {}
        broken: list[str] = []
        for outcome in progress(outcomes, total=len(jobs), label="features", unit="batches"):
            broken += outcome.broken
            for name, (count, total, squares) in outcome.sums.items():
                before = sums.get(name, (0, 0, 0))
                sums[name] = (before[0] + count, before[1] + total, before[2] + squares)
        if broken:
            raise _undefined(corpus, sorted(broken), compat)
        if not sums[KINEMATIC][0]:
            raise InputError(
                "no training clip",
                where=corpus.folder,
                field="split",
                fix="give the train split some clips",
            )
        tensors: dict[str, Tensor] = {}
        for name, (count, total, squares) in sums.items():
            mean, std = statistics(name, count, total, squares, len(corpus.skeleton))
            official = corpus.about.get("statistics", {}).get(name)
            if official:
                mean, std = torch.tensor(official["mean"]), torch.tensor(official["std"])
            tensors |= {f"{name}.mean": mean, f"{name}.std": std}
        facts = {**about, **built, "fps": corpus.fps, "corpus": corpus.about.get("corpus")}
        write_tensors(folder / "stats.safetensors", tensors, facts)
        clips = corpus.clips.assign(start=np.cumsum(rows) - rows, frames=rows)
        write_table(folder / "clips.parquet", clips, facts)
