from pathlib import Path

import numpy as np
import pytest

from motionrft.corpus.kinds import amass
from motionrft.corpus.official.index import by_source, read_index
from motionrft.corpus.report import Report
from motionrft.errors import InputError
from motionrft.motion.skeleton import SMPL_22, mirror
from tests.corpus.synthetic_bodies import motion

RATE = 120  # frames a second of the synthetic captures


def body(poses: np.ndarray, translations: np.ndarray, betas: np.ndarray, gender: str) -> np.ndarray:
    """An injected body model: joints (z up, as AMASS) are read out of the pose vector itself."""
    assert poses.shape[1] == 156
    assert betas.shape == (10,)
    tall = 1.0 if gender == "male" else 0.9
    joints = np.zeros((len(poses), 52, 3), np.float32)
    joints[:, :22] = tall * poses[:, :66].reshape(-1, 22, 3) + translations[:, None]
    return joints


def write_capture(
    path: Path, frames: int, seed: int, gender: object = "male", **changes: object
) -> np.ndarray:
    """An SMPL+H npz whose injected joints are a synthetic motion; returns those at 120 fps, Y up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    slow = motion(frames // 6 + 1, seed)
    wanted = np.repeat(slow, 6, axis=0)[:frames]
    # what the reader does, undone: x negated, y and z exchanged
    raw = (wanted * np.array([-1.0, 1.0, 1.0]))[..., [0, 2, 1]]
    poses = np.zeros((frames, 156))
    poses[:, :66] = raw.reshape(frames, 66)
    data = {
        "poses": poses, "trans": np.zeros((frames, 3)), "betas": np.zeros(16), "gender": np.array(gender),
        "mocap_framerate": np.array(float(RATE)), **changes,
    }  # fmt: skip
    np.savez(path, **{key: value for key, value in data.items() if value is not None})
    return wanted


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A HumanML3D folder without motions: index, texts and splits."""
    folder = tmp_path / "HumanML3D"
    (folder / "texts").mkdir(parents=True)
    (folder / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n"
        "./pose_data/KIT/3/kick_poses.npy,10,80,000000.npy\n"
        "./pose_data/KIT/3/kick_poses.npy,0,60,000001.npy\n"
        "./pose_data/MPI_HDM05/dg/walk_poses.npy,5,65,000002.npy\n"
        "./pose_data/humanact12/humanact12/P01.npy,0,-1,000003.npy\n"
    )
    for number in range(4):
        for name in (f"00000{number}", f"M00000{number}"):
            (folder / "texts" / f"{name}.txt").write_text("he kicks#he/PRON kick/VERB#0.0#0.0\n")
    (folder / "train.txt").write_text("000000\nM000000\n000001\nM000001\n")
    (folder / "val.txt").write_text("000002\nM000002\n")
    (folder / "test.txt").write_text("000003\nM000003\n")
    return folder


def settings(home: Path, **changes: str) -> dict[str, str]:
    return {
        "humanml3d_dir": str(home), "amass_dir": str(home.parent / "amass"), "body_models_dir": str(home.parent / "smplh"),
        "compat": "humanml3d", "on_error": "fail", **changes,
    }  # fmt: skip


@pytest.fixture
def captures(home: Path) -> dict[str, np.ndarray]:
    amass_dir = home.parent / "amass"
    premade = motion(70, 9)
    (amass_dir / "humanact12" / "humanact12").mkdir(parents=True)
    np.save(amass_dir / "humanact12" / "humanact12" / "P01.npy", premade)
    return {
        "kick": write_capture(amass_dir / "KIT" / "3" / "kick_poses.npz", 600, 1),
        "walk": write_capture(
            amass_dir / "MPI_HDM05" / "dg" / "walk_poses.npz", 900, 2, gender=b"female"
        ),
        "premade": premade,
    }


def read(home: Path, **changes: str):
    chosen = settings(home, **changes)
    segments = read_index(home / "index.csv")
    sources = by_source(segments, {segment.name for segment in segments})
    report = Report(chosen["on_error"] == "fail")
    found = dict(amass.motions(Path(chosen["amass_dir"]), sources, body, report))
    return found, list(amass.build(chosen, report, body)), report.skipped


def test_segments_follow_the_official_preparation(home: Path, captures: dict[str, np.ndarray]):
    found, _, _ = read(home)
    # every sixth of 120 frames a second, then the segment
    assert np.allclose(found["000000"], captures["kick"][::6][10:80], atol=1e-6)
    assert np.allclose(found["000001"], captures["kick"][::6][0:60], atol=1e-6)
    # 60 frames cut before the segment counts; anything but male is female
    assert np.allclose(found["000002"], 0.9 * captures["walk"][::6][60:][5:65], atol=1e-6)
    # ready joints are taken whole
    assert np.array_equal(found["000003"], captures["premade"])


def test_every_motion_has_a_mirrored_twin(home: Path, captures: dict[str, np.ndarray]):
    import torch

    found, _, _ = read(home)
    assert set(found) == {f"{letter}00000{number}" for letter in ("", "M") for number in range(4)}
    for name, joints in found.items():
        if not name.startswith("M"):
            assert np.array_equal(
                found[f"M{name}"], mirror(torch.from_numpy(joints), SMPL_22).numpy()
            )


def test_clips_have_captions_splits_and_one_frame_less(home: Path, captures: dict[str, np.ndarray]):
    _, clips, skipped = read(home)
    frames = {clip.name: (len(clip.joints), clip.split) for clip in clips}
    assert skipped == []
    assert frames["000000"] == frames["M000000"] == (69, "train")
    assert frames["000002"] == (59, "val")
    assert frames["000003"] == (69, "test")
    assert all(clip.features is not None and clip.features.shape[1] == 263 for clip in clips)
    assert {clip.mirror_of for clip in clips if clip.name == "M000001"} == {"000001"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mocap_framerate": None}, "mocap_framerate"),
        ({"mocap_framerate": np.array(10.0)}, "10.0 frames a second"),
        ({"mocap_framerate": np.array(np.nan)}, "nan frames a second"),
        ({"mocap_framerate": np.array([120.0, 60.0])}, "120.0, 60.0 frames a second"),
        ({"mocap_framerate": np.array("fast")}, "fast frames a second"),
        ({"gender": np.array(1)}, "gender: 1, expected one name"),
        ({"poses": np.zeros((9, 165))}, r"an SMPL-X file: .*\(9, 165\)"),
        ({"poses": np.zeros((9, 72))}, r"\(9, 72\), expected \(frames, 156\)"),
    ],
)
def test_captures_that_cannot_be_used_are_named(home: Path, captures, changes, message):
    path = home.parent / "amass" / "KIT" / "3" / "kick_poses.npz"
    write_capture(path, 60, 1, **changes)
    with pytest.raises(InputError, match=rf"kick_poses\.npz.*{message}"):
        read(home)
    _, clips, skipped = read(home, on_error="skip")
    assert {clip.name for clip in clips} == {"000002", "M000002", "000003", "M000003"}
    assert any("kick_poses.npz" in line for line in skipped)


def test_later_releases_name_files_and_keys_otherwise(home: Path, captures):
    wanted, *_ = read(home)
    folder = home.parent / "amass"
    (folder / "MPI_HDM05").rename(folder / "HDM05")
    path = folder / "KIT" / "3" / "kick_poses.npz"
    data = dict(np.load(path))
    data["mocap_frame_rate"] = data.pop("mocap_framerate")
    np.savez(folder / "KIT" / "3" / "kick_stageii.npz", **data)
    path.unlink()
    joints, *_ = read(home)
    assert list(joints) == list(wanted)
    for name in wanted:
        np.testing.assert_array_equal(joints[name], wanted[name])


def test_a_capture_that_is_a_pointer_is_called_one(home: Path, captures):
    path = home.parent / "amass" / "KIT" / "3" / "kick_poses.npz"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match=r"kick_poses\.npz: a Git LFS pointer"):
        read(home)


def test_a_missing_capture_is_named(home: Path, captures):
    (home.parent / "amass" / "MPI_HDM05" / "dg" / "walk_poses.npz").unlink()
    with pytest.raises(InputError, match=r"walk_poses\.npz.*no such file"):
        read(home)


def test_a_broken_index_is_named(home: Path):
    (home / "index.csv").write_text("source,start_frame,end_frame,new_name\n")
    with pytest.raises(InputError, match=r"index\.csv.*source_path"):
        read_index(home / "index.csv")
    (home / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n./pose_data/KIT/x.npy,a,5,0.npy\n"
    )
    with pytest.raises(InputError, match=r"index\.csv:2"):
        read_index(home / "index.csv")


def test_licensed_files_that_are_missing_are_one_clear_message(home: Path):
    with pytest.raises(InputError, match=r"amass_dir.*licence.*amass\.is\.tue\.mpg\.de"):
        amass.CORPUS(settings(home), "config.yaml", Report())
    (home.parent / "amass").mkdir()
    with pytest.raises(
        InputError, match=r"body_models_dir.*male/model\.npz.*mano\.is\.tue\.mpg\.de"
    ):
        amass.CORPUS(settings(home), "config.yaml", Report())
