"""BVH: our forward kinematics against hand-computed poses, and every kind of broken file."""

import csv

import numpy as np
import pytest

from motionrft.corpus.bvh.body import JOINTS
from motionrft.corpus.kinds.bvh import CORPUS
from motionrft.corpus.report import Report
from motionrft.corpus.store import Corpus, write_corpus
from motionrft.errors import InputError
from tests.corpus.bvh_texts import person


def write(path, text):
    path.write_text(text)
    return path


@pytest.fixture
def folder(tmp_path):
    base = tmp_path / "mein Ordner ü"
    base.mkdir()
    rows = [("clip", "caption")]
    for index in range(8):
        write(base / f"take_{index}.bvh", person())
        rows.append((f"take_{index}", f"a person walks, Left foot first, take {index}"))
    with open(base / "captions.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    (base / "map.yaml").write_text("\n".join(f"{joint}: {joint}" for joint in JOINTS))
    return base


def settings(folder, **change):
    return {
        "mocap_dir": str(folder),
        "joint_map": str(folder / "map.yaml"),
        "scale": 0.01,
        "fps": 20,
        "min_frames": 20,
        "mirror": True,
        "splits": {"train": 0.5, "val": 0.25, "test": 0.25},
        "seed": 0,
        **change,
    }


def test_folder_to_store(folder, tmp_path):
    write_corpus(tmp_path / "out", CORPUS(settings(folder), "test", Report(fatal=True)), {})
    corpus = Corpus(tmp_path / "out")
    assert len(corpus.clips) == 16
    joints = corpus.joints(0)
    assert len(joints) == 40  # 60 frames at 30 fps, at 20 fps
    assert joints[..., 1].min() == pytest.approx(0, abs=1e-6)
    assert joints[0, 1, 0] > joints[0, 2, 0]  # facing +Z, the left hip is at +X
    np.testing.assert_allclose(
        joints[-1, 0, [0, 2]], [0, 0.03 * 58.5], atol=1e-3
    )  # walks where it faces
    twin = corpus.clips.iloc[1]
    assert twin["mirror_of"] == "take_0"
    assert twin["captions"][0] == "a person walks, Right foot first, take 0"
    assert (
        corpus.clips.groupby("source")["split"].nunique().max() == 1
    )  # mirrored twins share their split


BROKEN = {
    "truncated": (lambda text: text[:-200], "truncated: row [0-9]+ has"),
    "nan": (lambda text: text.replace("0 97 0", "nan 97 0", 1), "NaN"),
    "no header": (lambda text: text[30:], "HIERARCHY"),
    "word": (lambda text: text + "oops\n", "row 61 has 1 numbers"),
    "letters": (lambda text: text.replace("3 97 0", "3 9_7 0", 1), "9_7"),
    "no frames": (lambda text: text.replace("Frames:", "Bilder:"), "frame count"),
    "channel": (lambda text: text.replace("Zrotation", "Wrotation", 1), "Wrotation"),
    "too short": (lambda text: person(12), "at least 21 needed"),
    "missing joint": (lambda text: text.replace("JOINT neck", "JOINT hals"), "'neck'"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named(folder, kind):
    change, message = BROKEN[kind]
    write(folder / "take_3.bvh", change(person()))
    with pytest.raises(InputError, match=message) as caught:
        list(CORPUS(settings(folder), "test", Report(fatal=True)))
    assert "take_3.bvh" in str(caught.value)
    assert "Fix:" in str(caught.value)
    report = Report()
    clips = list(CORPUS(settings(folder), "test", report))
    assert len(clips) == 14
    assert len(report.skipped) == 1
    assert "take_3.bvh" in report.skipped[0]


def test_nothing_is_left_half_written(folder, tmp_path):
    write(folder / "take_5.bvh", person()[:-300])
    with pytest.raises(InputError):
        write_corpus(tmp_path / "out", CORPUS(settings(folder), "test", Report(fatal=True)), {})
    assert not list(tmp_path.glob("*out*"))


def test_clips_of_a_corpus_carry_what_was_left_out_and_seen(folder, tmp_path):
    write(folder / "bad.bvh", person()[:-30])
    report = Report()
    clips = CORPUS(settings(folder), "test", report)
    write_corpus(tmp_path / "out", clips, {"seen": report.seen}, report=report)
    assert len(Corpus(tmp_path / "out").clips) == 16
    assert ["frame rate", "30 a second in 8 files"] in Corpus(tmp_path / "out").about["seen"]


def test_a_clip_called_like_anothers_mirror(folder):
    write(folder / "Mtake_0.bvh", person())
    with open(folder / "captions.csv", "a") as file:
        file.write("Mtake_0,a person\n")
    names = [clip.name for clip in CORPUS(settings(folder), "test", Report(fatal=True))]
    assert len(names) == len(set(names)) == 18
    assert {"Mtake_0", "MMtake_0", "MMMtake_0"} <= set(names)


def test_two_mapped_joints_in_one_place_are_refused_clip_by_clip(folder, tmp_path):
    text = person().replace("JOINT spine2\n{\nOFFSET 0 15 0", "JOINT spine2\n{\nOFFSET 0 1e-5 0")
    assert text != person()
    write(folder / "take_3.bvh", text)
    report = Report()
    write_corpus(tmp_path / "out", CORPUS(settings(folder), "test", report), {}, report=report)
    assert len(Corpus(tmp_path / "out").clips) == 14
    [line] = report.skipped  # its mirror image has the same fault
    assert "take_3.bvh: joints: the bone from spine1 to spine2 is 1.2e-07 long" in line


def test_a_bone_against_its_raw_direction_is_named_when_the_corpus_is_made(folder, tmp_path):
    text = person().replace(
        "JOINT left_wrist\n{\nOFFSET 25 0 1", "JOINT left_wrist\n{\nOFFSET 0 25 0"
    )
    assert text != person()
    write(folder / "take_3.bvh", text)
    report = Report()
    write_corpus(tmp_path / "out", CORPUS(settings(folder), "test", report), {}, report=report)
    assert "left_elbow to left_wrist points exactly against its raw direction" in report.skipped[0]
    assert "corpus.compat: corrected" in report.skipped[0]
    about = {"corpus": {"compat": "corrected"}}
    write_corpus(tmp_path / "other", CORPUS(settings(folder), "test", Report()), about)
    assert len(Corpus(tmp_path / "other").clips) == 16
