"""BVH: our forward kinematics against hand-computed poses, and the spellings and faults of real files."""

import numpy as np
import pytest

from motionrft.corpus.bvh.file import read_bvh, read_length
from motionrft.errors import InputError
from tests.corpus.bvh_texts import ARM, person


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_forward_kinematics_by_hand(tmp_path):
    motion = read_bvh(write(tmp_path / "arm.bvh", ARM))
    assert motion.names == ["Base", "Elbow", "Hand", "Hand/End Site"]
    assert motion.fps == pytest.approx(20)
    expected = [
        [[0, 1, 0], [2, 1, 0], [5, 1, 0]],
        [[0, 1, 0], [0, 3, 0], [0, 6, 0]],  # 90 degrees about z takes x to y
        [[5, 1, 0], [5, 3, 0], [5, 3, -3]],  # then 90 about the elbow's own y takes x to -z
    ]
    np.testing.assert_allclose(motion.positions()[:, :3], expected, atol=1e-12)
    ends = [[6, 1, 0], [0, 7, 0], [5, 3, -4]]
    np.testing.assert_allclose(motion.positions()[:, 3], ends, atol=1e-12)


def test_resampling_keeps_bones_rigid_and_known_moments(tmp_path):
    motion = read_bvh(write(tmp_path / "arm.bvh", ARM))
    fine = motion.resampled(40)
    assert len(fine.translation) == 5
    np.testing.assert_allclose(fine.positions()[::2], motion.positions(), atol=1e-9)
    halfway = fine.positions()[1]
    np.testing.assert_allclose(halfway[1], [2**0.5, 1 + 2**0.5, 0], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(halfway[2] - halfway[1]), 3, atol=1e-9)


@pytest.mark.parametrize(
    "end", ["End Site", "EndSite", "end site", "END SITE", "End\tSite", "End_Site foot"]
)
def test_end_sites_are_read_alike_however_spelled(tmp_path, end):
    wanted = read_bvh(write(tmp_path / "a.bvh", ARM))
    motion = read_bvh(write(tmp_path / "b.bvh", ARM.replace("End Site", end)))
    assert motion.names == wanted.names
    np.testing.assert_array_equal(motion.positions(), wanted.positions())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n{", " {").encode(),
        lambda text: text.replace("OFFSET", "offset").replace("ROOT", "Root").encode(),
        lambda text: text.replace("Zrotation", "ZROTATION").replace("Frame Time", "FrameTime").encode(),
        lambda text: " ".join(text.partition("MOTION")[0].split("\n")).encode() + b"\nMOTION" + text.partition("MOTION")[2].encode(),
        lambda text: text.replace("0 1 0 90 0 0 ", "0 1 0\n90 0 0 ", 1).encode(),
    ],
)  # fmt: skip
def test_other_layouts_of_the_same_file_give_the_same_motion(tmp_path, change):
    wanted = read_bvh(write(tmp_path / "a.bvh", ARM))
    motion = read_bvh(write(tmp_path / "b.bvh", change(ARM)))
    assert motion.names == wanted.names
    np.testing.assert_array_equal(motion.positions(), wanted.positions())


def test_a_name_is_the_rest_of_the_line(tmp_path):
    text = ARM.replace("Elbow", "Bip01 L  Elbow").replace("Hand", "Bip01 L Hand {", 1)
    text = text.replace("Bip01 L Hand {\n    {", "Bip01 L Hand {", 1)
    names = read_bvh(write(tmp_path / "a.bvh", text)).names
    assert names == ["Base", "Bip01 L  Elbow", "Bip01 L Hand", "Bip01 L Hand/End Site"]


def test_rows_beyond_the_count_are_read_with_a_remark(tmp_path):
    motion = read_bvh(write(tmp_path / "a.bvh", ARM.replace("Frames: 3", "Frames: 2")))
    assert len(motion.translation) == 3
    assert motion.remarks == ["a.bvh: 3 rows, `Frames:` says 2; all are read"]
    assert read_length(tmp_path / "a.bvh") == (2, pytest.approx(20))
    assert not read_bvh(write(tmp_path / "b.bvh", ARM)).remarks


BROKEN = {
    "too few rows": (lambda text: text.replace("Frames: 3", "Frames: 4"), "3 rows, `Frames:` says 4"),
    "no rows": (lambda text: text.replace("Frames: 3", "Frames: 0"), "not a count of frames"),
    "frame time": (lambda text: text.replace("0.05", "-nan(ind)"), "-nan"),
    "frame time in ms": (lambda text: text.replace("0.05", "50"), "expected seconds"),
    "decimal comma": (lambda text: text.replace("0.05", "0,05"), "0,05"),
    "short row": (lambda text: text[:-5], r"arm\.bvh:26.*row 3 has 10 numbers, expected 12"),
    "long row": (lambda text: text.replace("0 1 0 90", "0 1 0 0 90", 1), r"arm\.bvh:25.*13 numbers"),
    "twice the name": (lambda text: text.replace("Hand", "Elbow"), "two joints are called 'Elbow'"),
    "no name": (lambda text: text.replace("JOINT Hand", "JOINT"), "without a name"),
    "unknown block": (lambda text: text.replace("End Site", "Effector"), r":14.*'Effector'"),
    "unknown word": (lambda text: text.replace("    OFFSET 2 0 0", "    LENGTH 2"), r":8.*'LENGTH 2'"),
    "no offset": (lambda text: text.replace("    OFFSET 2 0 0\n", ""), "Elbow: no OFFSET"),
    "no channels": (lambda text: text.replace("    CHANNELS 3 Zrotation Xrotation Yrotation\n", "", 1), "Elbow: no CHANNELS"),
    "two offsets": (lambda text: text.replace("OFFSET 2 0 0", "OFFSET 2 0 0\nOFFSET 1 0 0"), "a second OFFSET"),
    "offset of words": (lambda text: text.replace("OFFSET 2 0 0", "OFFSET 2 x 0"), "three numbers"),
    "count of channels": (lambda text: text.replace("CHANNELS 3", "CHANNELS 4", 1), "so many channels"),
    "same position twice": (lambda text: text.replace("Yposition", "Xposition"), "so many channels"),
    "braces": (lambda text: text.replace("}\nMOTION", "MOTION"), "unbalanced"),
    "joint in an end": (lambda text: text.replace("OFFSET 1 0 0", "JOINT x\n{\nOFFSET 1 0 0\nCHANNELS 0\n}\nOFFSET 1 0 0"), "inside an end site"),
    "a pointer": (lambda text: "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    "a page": (lambda text: "<!DOCTYPE html><html></html>", "HTML page"),
    "nothing": (lambda text: "", "an empty file"),
    "latin-1": (lambda text: text.replace("Hand", "M\xe4n").encode("latin-1"), "not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_with_its_line(tmp_path, kind):
    change, message = BROKEN[kind]
    path = write(tmp_path / "arm.bvh", change(ARM))
    with pytest.raises(InputError, match=message) as caught:
        read_bvh(path)
    assert "arm.bvh" in str(caught.value)
    assert "Fix:" in str(caught.value)


def test_the_text_of_a_person_is_one(tmp_path):
    motion = read_bvh(write(tmp_path / "p.bvh", person(3)))
    joints = dict(zip(motion.names, motion.positions()[0], strict=True))
    assert joints["head"][1] > joints["pelvis"][1] > joints["left_ankle"][1]
