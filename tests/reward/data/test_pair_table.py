"""Choices of people as a table of pairs."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from motionrft.corpus.samples import Samples, read_samples, write_samples
from motionrft.errors import InputError
from motionrft.files import file_digest
from motionrft.reward.data.labelled import LabelledMotions, write_labelled
from motionrft.reward.data.pair_table import COLUMNS, table_pairs
from motionrft.reward.stage import DataSources
from motionrft.reward.stages import load
from tests.reward.tiny import DIMS


def samples_of(store, generator: str, splits, shift: float) -> Samples:
    """One motion for each clip of these splits, a slow drift of a recorded one; 3 frames shorter for "b"."""
    clips = store.clips[store.clips["split"].isin(splits)]
    joints, features = [], []
    for _, clip in clips.iterrows():
        values = np.array(store.features("joint")[clip["start"] : clip["start"] + clip["frames"]])
        values = values[: len(values) - 3 * (generator == "b")] + np.float32(shift)
        features.append(torch.from_numpy(values))
        joints.append(features[-1].view(-1, 22, 3))
    captions = [several[0] for several in clips["captions"]]
    return Samples("joint", features, joints, captions, clips["clip"].tolist(), generator, {})


@pytest.fixture
def files(bodies, tmp_path):
    """Samples of two generators for the same prompts of all splits, and a table: even rows prefer a, odd ones b."""
    return write_choices(bodies, tmp_path, ("train", "val", "test"))


def write_choices(store, folder: Path, splits) -> Path:
    for name, shift in (("a", 0.0), ("b", 0.01)):
        write_samples(folder / f"{name}.safetensors", samples_of(store, name, splits, shift))
    captions = read_samples(folder / "a.safetensors").captions
    with open(folder / "pairs.csv", "w", newline="", encoding="utf-8") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow([*COLUMNS, "rater", "winner_digest", "loser_digest", "seconds"])
        for row, caption in enumerate(captions):
            order = ("a", "b") if row % 2 == 0 else ("b", "a")
            sides = [word for name in order for word in (f"{name}.safetensors", row)]
            digests = [file_digest(folder / f"{name}.safetensors") for name in order]
            table.writerow([caption, *sides, "me", *digests, 3])
    return folder / "pairs.csv"


def test_pairs_are_the_chosen_motions_in_their_order_split_and_length(files, bodies):
    pairs = list(table_pairs(bodies, [files], seed=0))
    made = {name: read_samples(files.with_name(f"{name}.safetensors")) for name in "ab"}
    split = dict(zip(bodies.clips["clip"], bodies.clips["split"], strict=True))
    assert len(pairs) == len(made["a"])
    for row, pair in enumerate(pairs):
        order = ("a", "b") if row % 2 == 0 else ("b", "a")
        assert (pair.better.generator, pair.worse.generator) == order
        assert pair.kind == "human"
        assert pair.better.split == pair.worse.split == split[pair.better.clip]
        shorter = len(made["b"].features[row])
        for side in (pair.better, pair.worse):
            native = made[side.generator].features[row][: len(side.features["joint"])].numpy()
            assert np.array_equal(side.features["joint"], native)
            assert set(side.features) == set(DIMS)
            # features of positions have a frame less than the positions
            assert {len(values) for values in side.features.values()} == {shorter - 1}


def test_the_preference_stage_takes_the_table_and_a_parquet_of_it(files, bodies, tmp_path):
    parquet = tmp_path / "pairs.parquet"
    table = pd.read_csv(files)
    table.to_parquet(parquet)
    sources = DataSources(bodies, [], {}, [], 0)
    read = {}
    for file in (files, parquet):
        items, about = load("preference").given_data(sources, [file])
        write_labelled(tmp_path / file.suffix[1:], items, "preference", about)
        folder = tmp_path / file.suffix[1:]
        read[file] = LabelledMotions(folder, "preference", {n: bodies.normaliser(n) for n in DIMS})
        assert about["labels"] == "human"
    assert set(read[files].pairs["split"]) == {"train", "val", "test"}
    assert read[files].pairs.equals(read[parquet].pairs)
    assert len(read[files].pairs) == 3 * len(table)


def test_pairs_of_one_split_alone_are_drawn_into_three_by_caption(bodies, tmp_path):
    table = write_choices(bodies, tmp_path, ("test", "val"))
    captions = read_samples(tmp_path / "a.safetensors").captions
    splits = [pair.better.split for pair in table_pairs(bodies, [table], seed=0)]
    assert set(splits) == {"train", "val", "test"}
    assert splits == [pair.better.split for pair in table_pairs(bodies, [table], seed=0)]
    by_caption: dict[str, set[str]] = {}
    for caption, split in zip(captions, splits, strict=True):
        by_caption.setdefault(caption, set()).add(split)
    assert {len(several) for several in by_caption.values()} == {1}


def change(files: Path, **columns) -> None:
    table = pd.read_csv(files, dtype=str)
    for name, value in columns.items():
        table.loc[1, name] = value
    table.to_csv(files, index=False)


MISTAKES = {
    "an index beyond the file": ({"winner_index": "99"}, r"row 2: winner_index: .*holds 30"),
    "no number": ({"loser_index": "x"}, r"row 2: loser_index: 'x'"),
    "no file": ({"loser_file": "c.safetensors"}, r"row 2: loser_file: c.safetensors is not"),
    "another caption": ({"caption": "sits"}, r"row 2: caption: motion 1 .* is of 'kind 1'"),
    "another file": ({"winner_digest": "0123456789ab"}, r"row 2: winner_digest: .*has changed"),
    "itself": ({"winner_file": "a.safetensors", "loser_file": "a.safetensors", "winner_digest": "", "loser_digest": ""}, "row 2: a motion against itself"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_table_row_and_column(name, files, bodies):
    columns, message = MISTAKES[name]
    change(files, **columns)
    with pytest.raises(InputError, match=message) as error:
        list(table_pairs(bodies, [files], seed=0))
    assert str(files) in str(error.value)
    assert "Fix: " in str(error.value)


def test_a_table_without_its_columns_or_rows_is_named(files, bodies):
    table = pd.read_csv(files)
    table.drop(columns="winner_file").to_csv(files, index=False)
    with pytest.raises(InputError, match="winner_file: no such column"):
        list(table_pairs(bodies, [files], seed=0))
    table.iloc[:0].to_csv(files, index=False)
    with pytest.raises(InputError, match="no pair"):
        list(table_pairs(bodies, [files], seed=0))


def test_samples_of_another_corpus_are_named(files, bodies):
    a = files.with_name("a.safetensors")
    samples = read_samples(a)
    write_samples(a, replace(samples, about={}, clips=["x"] * len(samples)))
    table = pd.read_csv(files, dtype=str).assign(winner_digest="", loser_digest="")
    table.to_csv(files, index=False)
    with pytest.raises(InputError, match="clip 'x', which the features do not hold"):
        list(table_pairs(bodies, [files], seed=0))
