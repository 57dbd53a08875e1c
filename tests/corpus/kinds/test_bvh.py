"""BVH: our forward kinematics against hand-computed poses, and every kind of broken file."""

import csv

import numpy as np
import pytest

from motionrft.configuration import ROOT
from motionrft.corpus.kinds.bvh import (
    CORPUS,
    JOINTS,
    MIRROR,
    mirrored,
    mirrored_caption,
    read_captions,
    read_joint_map,
    split_of,
    to_joints,
)
from motionrft.corpus.kinds.bvh.file import read_bvh
from motionrft.corpus.store import Corpus, write_corpus
from motionrft.errors import InputError

ARM = """HIERARCHY
ROOT Base
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Elbow
  {
    OFFSET 2 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Hand
    {
      OFFSET 3 0 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 1 0 0
      }
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.05
0 1 0 0 0 0 0 0 0 0 0 0
0 1 0 90 0 0 0 0 0 0 0 0
5 1 0 90 0 0 0 0 90 0 0 0
"""


def write(path, text):
    path.write_text(text)
    return path


def test_forward_kinematics_by_hand(tmp_path):
    motion = read_bvh(write(tmp_path / "arm.bvh", ARM))
    assert motion.names == ["Base", "Elbow", "Hand"]
    assert motion.fps == pytest.approx(20)
    expected = [
        [[0, 1, 0], [2, 1, 0], [5, 1, 0]],
        [[0, 1, 0], [0, 3, 0], [0, 6, 0]],  # 90 degrees about z takes x to y
        [[5, 1, 0], [5, 3, 0], [5, 3, -3]],  # then 90 about the elbow's own y takes x to -z
    ]
    np.testing.assert_allclose(motion.positions(), expected, atol=1e-12)


def test_resampling_keeps_bones_rigid_and_known_moments(tmp_path):
    motion = read_bvh(write(tmp_path / "arm.bvh", ARM))
    fine = motion.resampled(40)
    assert len(fine.translation) == 5
    np.testing.assert_allclose(fine.positions()[::2], motion.positions(), atol=1e-9)
    halfway = fine.positions()[1]
    np.testing.assert_allclose(halfway[1], [2**0.5, 1 + 2**0.5, 0], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(halfway[2] - halfway[1]), 3, atol=1e-9)


def person(frames=60):
    """A BVH text with a joint for every SMPL joint, standing and walking along +X of the file."""
    tree = {
        "pelvis": ["left_hip", "right_hip", "spine1"],
        "left_hip": ["left_knee"],
        "right_hip": ["right_knee"],
        "left_knee": ["left_ankle"],
        "right_knee": ["right_ankle"],
        "left_ankle": ["left_foot"],
        "right_ankle": ["right_foot"],
        "spine1": ["spine2"],
        "spine2": ["spine3"],
        "spine3": ["neck", "left_collar", "right_collar"],
        "neck": ["head"],
        "left_collar": ["left_shoulder"],
        "right_collar": ["right_shoulder"],
        "left_shoulder": ["left_elbow"],
        "right_shoulder": ["right_elbow"],
        "left_elbow": ["left_wrist"],
        "right_elbow": ["right_wrist"],
    }
    sides = {"left": 1, "right": -1}

    def offset(name):
        side = sides.get(name.split("_")[0], 0)
        if "hip" in name:
            return 10 * side, -5, 0
        if "knee" in name or "ankle" in name:
            return 0, -40, 0
        if "foot" in name:
            return 0, -6, 12
        if any(part in name for part in ("collar", "shoulder")):
            return 10 * side, 5, 0
        if "elbow" in name or "wrist" in name:
            return 25 * side, 0, 0
        return 0, 15, 0

    lines = ["HIERARCHY"]

    def joint(name, depth):
        lines.append(f"{'ROOT' if depth == 0 else 'JOINT'} {name}")
        x, y, z = (0, 0, 0) if depth == 0 else offset(name)
        channels = "6 Xposition Yposition Zposition" if depth == 0 else "3"
        lines.extend(
            ["{", f"OFFSET {x} {y} {z}", f"CHANNELS {channels} Zrotation Xrotation Yrotation"]
        )
        for child in tree.get(name, []):
            joint(child, depth + 1)
        if name not in tree:
            lines.extend(["End Site", "{", "OFFSET 0 1 0", "}"])
        lines.append("}")

    joint("pelvis", 0)
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: 0.0333333"]
    rest = " ".join(["0"] * 3 * 21)
    lines += [
        f"{3 * t} 97 0 0 0 90 {rest}" for t in range(frames)
    ]  # turned 90 degrees about y: faces +X
    return "\n".join(lines) + "\n"


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
        "on_error": "fail",
        **change,
    }


def test_folder_to_store(folder, tmp_path):
    write_corpus(tmp_path / "out", CORPUS(settings(folder), "test", []), {})
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


def test_mirroring_twice_is_the_identity():
    joints = np.random.default_rng(0).normal(size=(3, 22, 3))
    np.testing.assert_array_equal(mirrored(mirrored(joints)), joints)
    assert [MIRROR[MIRROR[index]] for index in range(22)] == list(range(22))
    assert mirrored_caption("LEFT, Left and right; leftover") == "RIGHT, Right and left; leftover"


def test_shipped_joint_map_is_complete():
    assert set(read_joint_map("bandai-namco")) == set(JOINTS)
    assert (ROOT / "config/skeletons/bandai-namco.yaml").exists()


def test_splits_are_seeded_and_sized():
    first = split_of(100, {"train": 0.7, "val": 0.1, "test": 0.2}, 0)
    assert first == split_of(100, {"train": 0.7, "val": 0.1, "test": 0.2}, 0)
    assert [first.count(name) for name in ("train", "val", "test")] == [70, 10, 20]


BROKEN = {
    "truncated": (lambda text: text[:-200], "truncated: [0-9]+ numbers"),
    "nan": (lambda text: text.replace("0 97 0", "nan 97 0", 1), "NaN"),
    "no header": (lambda text: text[30:], "HIERARCHY"),
    "word": (lambda text: text + "oops\n", "oops"),
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
        list(CORPUS(settings(folder), "test", []))
    assert "take_3.bvh" in str(caught.value)
    assert "Fix:" in str(caught.value)
    skipped: list[str] = []
    clips = list(CORPUS(settings(folder, on_error="skip"), "test", skipped))
    assert len(clips) == 14
    assert len(skipped) == 1
    assert "take_3.bvh" in skipped[0]


def test_bad_captions_tables(folder):
    table = folder / "captions.csv"
    table.write_bytes("clip,caption\ntake_0,a caf\xe9\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_captions(table)
    table.write_text("clip,caption\ntake_0,  \n")
    with pytest.raises(InputError, match=r"captions\.csv:2: caption: empty caption"):
        read_captions(table)
    table.write_text("name,text\ntake_0,x\n")
    with pytest.raises(InputError, match="column"):
        read_captions(table)
    table.write_text("clip,caption\ntake_0,walks\n")
    with pytest.raises(InputError, match="no caption for this clip"):
        list(CORPUS(settings(folder), "test", []))


def test_nothing_is_left_half_written(folder, tmp_path):
    write(folder / "take_5.bvh", person()[:-300])
    with pytest.raises(InputError):
        write_corpus(tmp_path / "out", CORPUS(settings(folder), "test", []), {})
    assert not list(tmp_path.glob("*out*"))


def test_missing_joint_in_map(folder):
    path = folder / "map.yaml"
    path.write_text(path.read_text().replace("head: head", ""))
    with pytest.raises(InputError, match="head"):
        read_joint_map(path)
    motion = read_bvh(folder / "take_0.bvh")
    with pytest.raises(InputError, match="Kopf"):
        to_joints(motion, {joint: ["Kopf"] for joint in JOINTS}, 0.01, folder / "take_0.bvh")
