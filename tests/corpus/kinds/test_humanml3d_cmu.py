"""HumanML3D from the CMU database: frames of index.csv in BVH files, frame rates, captions of a clone."""

import zipfile

import numpy as np
import pytest

from motionrft.corpus.bvh.file import read_bvh
from motionrft.corpus.kinds import humanml3d_cmu as cmu
from motionrft.corpus.official.index import Segment
from motionrft.corpus.report import Report
from motionrft.errors import InputError
from motionrft.motion.skeleton import SMPL_22
from tests.corpus.bvh_texts import person

STEP = 0.03  # metres that the person walks in a frame of the file


def take(path, frames):
    """A person who is 3 t cm along X in frame t, in a file of 120 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(person(frames).replace("0.0333333", "0.00833333"))


def segment(begin, end, take="02_01", name="000000"):
    return Segment(f"CMU/{take[:2]}/{take}_poses", begin, end, name)


@pytest.fixture
def home(tmp_path):
    """A clone with zipped captions, and two takes of 301 and 601 frames behind a T-pose, the latter of 60 a second."""
    clone = tmp_path / "HumanML3D"
    (clone / "HumanML3D").mkdir(parents=True)
    (clone / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n"
        "./pose_data/CMU/02/02_01_poses.npy,0,50,000000.npy\n"
        "./pose_data/CMU/03_04/03_02_poses.npy,100,180,000001.npy\n"
        "./pose_data/CMU/05/05_09_poses.npy,0,60,000002.npy\n"
        "./pose_data/KIT/3/walk_poses.npy,0,60,000003.npy\n"
    )
    with zipfile.ZipFile(clone / "HumanML3D" / "texts.zip", "w") as archive:
        for name in ("000000", "M000000", "000001", "M000001", "000002"):
            side = "right" if name[0] == "M" else "left"
            archive.writestr(f"texts/{name}.txt", f"goes {side}#go/VERB {side}/NOUN#0.0#0.0\n")
    splits = {"train": "000000\nM000000\n000002\n000003\n", "val": "000001\n", "test": "M000001\n"}
    for split, names in splits.items():
        (clone / "HumanML3D" / f"{split}.txt").write_text(names)
    take(tmp_path / "bvh" / "sub" / "02_01.bvh", 301)
    take(tmp_path / "bvh" / "03_02.BVH", 601)
    return tmp_path


def settings(home, **changes):
    return {
        "humanml3d_dir": str(home / "HumanML3D"), "cmu_dir": str(home / "bvh"), "joint_map": "auto", "compat": "humanml3d",
        **changes,
    }  # fmt: skip


def test_clips_have_official_names_captions_splits_and_features(home):
    report = Report()
    clips = {clip.name: clip for clip in cmu.CORPUS(settings(home), "x", report)}
    assert {name: clip.split for name, clip in clips.items()} == {
        "000000": "train", "M000000": "train", "000001": "val", "M000001": "test",
    }  # fmt: skip
    assert clips["M000000"].captions == ["goes right"]
    assert clips["M000000"].mirror_of == "000000"
    assert clips["000000"].features.shape == (49, 263)
    assert clips["000001"].features.shape == (79, 263)
    assert [line for line in report.skipped if "05_09.bvh is not in" in line and "000002" in line]
    assert ("frame rate", "120 a second in 1 takes, 60 in 1") in report.seen


def test_frames_are_those_of_index_csv(home):
    report = Report()
    takes = [cmu.Take(home / "bvh/sub/02_01.bvh", [segment(10, 30)]), cmu.Take(home / "bvh/03_02.BVH", [segment(100, 180)])]  # fmt: skip
    rates = cmu.frame_rates(takes, report)
    reader = cmu.open_reader({"joint_map": "auto", "up": "y"}, [t.path for t in takes], report)
    names, joints = zip(*cmu.motions(takes, rates, reader), strict=True)
    assert names == ("000000", "M000000", "000000", "M000000")
    # frame n of the clip is frame 6 n (or 3 n) of AMASS' take, one further behind the T-pose
    np.testing.assert_allclose(joints[0][:, 0, 0], STEP * (1 + 6 * np.arange(10, 30)), atol=1e-4)
    np.testing.assert_allclose(joints[2][:, 0, 0], STEP * (1 + 3 * np.arange(100, 180)), atol=1e-4)
    np.testing.assert_allclose(joints[1][:, 0, 0], -joints[0][:, 0, 0])
    swapped = joints[0][:, list(SMPL_22.swap)] * [-1, 1, 1]
    np.testing.assert_allclose(joints[1], swapped)


def test_a_segment_ends_with_its_take(tmp_path):
    take(tmp_path / "02_01.bvh", 344)
    part = cmu.cut(read_bvh(tmp_path / "02_01.bvh"), segment(0, 60), half=False)
    assert len(part.translation) == 58  # ceil(343 / 6)
    assert part.fps == 20


@pytest.mark.parametrize(
    ("segments", "frames", "half"),
    [
        ([segment(0, 58)], 344, False),  # a whole take at 120
        ([segment(0, 115)], 344, True),  # a whole take of half the rate
        ([segment(500, 700)], 6000, None),  # a window that both have
        ([segment(500, 700), segment(1100, 1300)], 6000, True),
        ([segment(799, 999)], 6000, False),  # up to the very end
        ([segment(0, 57)], 344, False),
    ],
)
def test_the_frame_rate_follows_from_index_csv(tmp_path, segments, frames, half):
    assert cmu.halved(cmu.Take(tmp_path / "02_01.bvh", segments), frames, 120.000048) is half


def test_a_take_that_ends_too_early_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"index\.csv ends at frame 200, the take has 116"):
        cmu.halved(cmu.Take(tmp_path / "02_01.bvh", [segment(0, 200)]), 344, 120)


def test_what_index_csv_does_not_tell_follows_the_subject(tmp_path):
    for name, frames in (("02_01", 601), ("02_02", 1201), ("07_01", 1201)):
        take(tmp_path / f"{name}.bvh", frames)
    takes = [
        cmu.Take(tmp_path / "02_01.bvh", [segment(0, 200)]),
        cmu.Take(tmp_path / "02_02.bvh", [segment(0, 100)]),
        cmu.Take(tmp_path / "07_01.bvh", [segment(0, 100, "07_01")]),
    ]
    report = Report()
    assert list(cmu.frame_rates(takes, report).values()) == [True, True, False]
    assert len(report.remarks) == 1
    assert "07_01.bvh: index.csv does not tell" in report.remarks[0]


def test_what_is_missing_is_one_message(home):
    with pytest.raises(InputError, match="no such folder"):
        list(cmu.CORPUS(settings(home, cmu_dir=str(home / "none")), "x", Report()))
    (home / "HumanML3D" / "index.csv").unlink()
    with pytest.raises(InputError, match=r"index\.csv not found"):
        list(cmu.CORPUS(settings(home), "x", Report()))
