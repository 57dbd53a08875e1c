"""Preferences of people as a table (.csv, .parquet): which of two generated motions of one caption they chose.

caption, winner_file, winner_index, loser_file, loser_index, rater    a row a choice; further columns are ignored
winner_digest, loser_digest                                           of the files, checked where they are given

A file is one of samples, as `sample` and `evaluate` write it (its path as on a command line, or beside the table); an
index counts its motions from 0.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from motionrft.contents import read_text
from motionrft.corpus.samples import Samples, read_samples
from motionrft.corpus.store import SPLITS, FeatureStore
from motionrft.errors import InputError
from motionrft.files import file_digest, read_table
from motionrft.reward.data.features import (
    equally_long,
    sample_motions,
    split_and_row,
    splits_of,
)
from motionrft.reward.data.labelled import LabelledMotion, MotionPair

TABLES = (".csv", ".parquet")
COLUMNS = ("caption", "winner_file", "winner_index", "loser_file", "loser_index")
SIDES = ("winner", "loser")
HUMAN = "human"  # the kind of its pairs
SHARES = (0.7, 0.15, 0.15)  # of captions, where splits are drawn


@dataclass(frozen=True)
class Choice:
    """A row of a table. motions: winner and loser, each (file of samples, index); where: for errors."""

    caption: str
    motions: tuple[tuple[Path, int], tuple[Path, int]]
    where: str


@dataclass
class SampleFiles:
    """Files of samples, each read once, and in three representations those of their motions that are named."""

    store: FeatureStore
    read: dict[Path, Samples] = field(default_factory=dict)

    def samples(self, file: Path) -> Samples:
        if file not in self.read:
            self.read[file] = read_samples(file)
        return self.read[file]

    def features(
        self, motions: Sequence[tuple[Path, int]]
    ) -> dict[tuple[Path, int], dict[str, np.ndarray]]:
        """By motion {representation: [T, dim]}."""
        made: dict[tuple[Path, int], dict[str, np.ndarray]] = {}
        for file in dict.fromkeys(file for file, _ in motions):
            rows = sorted({index for other, index in motions if other == file})
            samples = self.samples(file)
            chosen = replace(
                samples,
                features=[samples.features[row] for row in rows],
                joints=[samples.joints[row] for row in rows],
                captions=[samples.captions[row] for row in rows],
                clips=[samples.clips[row] for row in rows],
            )
            made |= {
                (file, row): values
                for row, values in zip(rows, sample_motions(self.store, chosen), strict=True)
            }
        return made


def read_choices(path: Path) -> list[Choice]:
    """The rows of a table; what is missing, or is no motion's place, is an `InputError` with the row's number."""
    if path.suffix == ".parquet":
        table, _ = read_table(path)
    else:
        text = read_text(path, "pairs", "name a table of pairs")
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    for name in COLUMNS:
        if name not in table:
            known = f"a table of pairs has the columns {', '.join(COLUMNS)}"
            raise InputError("no such column", where=path, field=name, fix=known)
    if table.empty:
        raise InputError("no pair", where=path, fix="choose between some motions first")
    return [_choice(path, number, row) for number, row in enumerate(table.to_dict("records"), 1)]


def _choice(path: Path, number: int, row: dict[str, object]) -> Choice:
    where = f"{path}: row {number}"
    motions = []
    for side in SIDES:
        file, index = Path(str(row[f"{side}_file"])).expanduser(), str(row[f"{side}_index"]).strip()
        if not file.exists() and (path.parent / file).exists():
            file = path.parent / file
        if not index.isdecimal():
            raise InputError(f"{index!r} is no index", where=where, field=f"{side}_index", fix="count motions from 0")  # fmt: skip
        if not file.exists():
            fix = "put the samples there, or correct the path"
            raise InputError(f"{file} is not there", where=where, field=f"{side}_file", fix=fix)
        digest = str(row.get(f"{side}_digest", "") or "")
        if digest and file_digest(file) != digest:
            fix = "choose again between its motions, or restore the file"
            raise InputError(f"{file} has changed since", where=where, field=f"{side}_digest", fix=fix)  # fmt: skip
        motions.append((file, int(index)))
    if motions[0] == motions[1]:
        raise InputError("a motion against itself", where=where, fix="remove the row")
    return Choice(str(row["caption"]), (motions[0], motions[1]), where)


def table_pairs(store: FeatureStore, paths: Sequence[Path], seed: int) -> Iterator[MotionPair]:
    """The pairs of the tables, both motions cut to the shorter, so that no length tells which is which.

    A pair belongs to the split of its clip in the corpus. Where one of the three would then be empty (samples of an
    evaluation are all of the test split), captions are drawn into splits, so that none is in two.
    """
    choices = [choice for path in paths for choice in read_choices(path)]
    files, known = SampleFiles(store), splits_of(store)
    clips = []
    for choice in choices:
        for side, (file, index) in zip(SIDES, choice.motions, strict=True):
            samples = files.samples(file)
            if index >= len(samples):
                problem = f"{file} holds {len(samples)} motions"
                raise InputError(problem, where=choice.where, field=f"{side}_index", fix="count motions from 0")  # fmt: skip
            if samples.captions[index] != choice.caption:
                problem = f"motion {index} of {file} is of {samples.captions[index]!r}"
                fix = "the file was made again: choose again between its motions"
                raise InputError(problem, where=choice.where, field="caption", fix=fix)
        file, index = choice.motions[0]
        clips.append((files.samples(file).clips[index], files.samples(file)))
    splits = [split_and_row(known, clip, samples)[0] for clip, samples in clips]
    if set(splits) != set(SPLITS):
        splits = drawn_splits([choice.caption for choice in choices], seed, paths[0])
    made = files.features([motion for choice in choices for motion in choice.motions])
    for choice, split, (clip, _) in zip(choices, splits, clips, strict=True):
        sides = equally_long(*(made[motion] for motion in choice.motions))
        better, worse = (
            LabelledMotion(values, split, clip, files.samples(file).generator)
            for values, (file, _) in zip(sides, choice.motions, strict=True)
        )
        yield MotionPair(better, worse, HUMAN)


def drawn_splits(captions: Sequence[str], seed: int, where: Path) -> list[str]:
    """A split for each pair by its caption: a seeded draw of captions, at least one in each split."""
    distinct = sorted(set(captions))
    if len(distinct) < len(SPLITS):
        raise InputError(
            f"pairs of {len(distinct)} captions, and each of {', '.join(SPLITS)} needs one",
            where=where,
            field="caption",
            fix="choose between motions of more captions",
        )
    order = np.random.default_rng([seed, 17]).permutation(len(distinct))
    held = [max(round(share * len(distinct)), 1) for share in SHARES[1:]]
    names = [SPLITS[0]] * (len(distinct) - sum(held))
    names += [name for name, count in zip(SPLITS[1:], held, strict=True) for _ in range(count)]
    split = {distinct[place]: name for place, name in zip(order, names, strict=True)}
    return [split[caption] for caption in captions]
