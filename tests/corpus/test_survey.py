"""`corpus --check`: what a folder holds."""

import numpy as np
import pytest

from motionrft.cli import main
from motionrft.corpus.survey import kind_of, survey
from motionrft.errors import InputError
from tests.corpus.bvh_texts import person

SPLITS = ("train", "val", "test")


@pytest.fixture
def folder(tmp_path):
    for index in range(10):
        (tmp_path / f"take{index}.bvh").write_text(person(90))
    (tmp_path / "bad.bvh").write_text(person(90)[:-50])
    rows = [f"take{index},a person walks" for index in range(9)]
    (tmp_path / "captions.csv").write_text("\n".join(["clip,caption", *rows, "take77,runs"]))
    return tmp_path


def test_a_folder_is_described(folder):
    text = "\n".join(survey(folder, {}, "x"))
    for line in (
        f"folder      {folder}, read as kind: bvh",
        "joints      22 in 10 files: pelvis,",
        "joint map   guessed: pelvis = pelvis",
        "scale       0.01 m a unit in 10 files (from the legs)",
        "up axis     y",
        "frame rate  30 a second in 10 files",
        "left out    1 a caption without file",
        "left out    1 broken",
        "left out    1 without caption",
        "no file take77.bvh in the folder",
        "take9.bvh: no caption for this clip",
    ):
        assert line in text, line
    counts = {line[:5].strip(): line for line in text.split("\n") if line.startswith(SPLITS)}
    assert sum(int(line.split()[1]) for line in counts.values()) == 18
    assert "minutes" in counts["train"]
    assert "mirrored    each clip counts twice" in text
    assert (
        f"enough      no: {folder.name}: corpus.splits: too few clips of at least 40 frames" in text
    )
    held_out = {"kind": "bvh", "splits": {"train": 0.4, "val": 0.3, "test": 0.3}}
    assert "for a run that ranks groups of 2" in "\n".join(survey(folder, held_out, "x", 40, 2))


def test_without_a_captions_table_the_rest_is_seen(folder):
    (folder / "captions.csv").unlink()
    text = "\n".join(survey(folder, {}, "x"))
    assert "left out    1 missing" in text
    assert "captions.csv: captions: no such file" in text
    assert "joints      22 in 10 files" in text


def test_the_runs_own_keys_count(folder):
    text = "\n".join(survey(folder, {"kind": "bvh", "scale": 0.02, "mirror": False}, "x"))
    assert "0.02 m a unit in 10 files (corpus.scale)" in text
    counts = [line for line in text.split("\n") if line.startswith(SPLITS)]
    assert sum(int(line.split()[1]) for line in counts) == 9


def test_kinds_are_told_by_what_is_there(tmp_path):
    for name, dim in (("humanml3d", 263), ("kit", 251)):
        vectors = tmp_path / name / "new_joint_vecs"
        vectors.mkdir(parents=True)
        np.save(vectors / "000000.npy", np.zeros((5, dim), np.float32))
        assert kind_of(tmp_path / name) == (name, f"{name}_dir")
    with pytest.raises(InputError, match="neither BVH files nor new_joint_vecs"):
        kind_of(tmp_path)


def test_the_command(folder, capsys):
    assert main(["corpus", "--check", str(folder)]) == 0
    assert "frame rate  30 a second" in capsys.readouterr().out
    assert main(["corpus"]) == 2
    assert "add --out FOLDER" in capsys.readouterr().err
