"""SMPL poses read back: what `export-motion --to amass` wrote, and AMASS files through a body model in the official layout."""

import numpy as np
import pytest
import torch

import motionrft
from motionrft.cli import main
from motionrft.errors import InputError
from motionrft.inference.amass import export_amass
from motionrft.inference.export import rotations_of
from motionrft.inference.poses import MODELS, Z_UP
from motionrft.motion.rotation135 import forward_kinematics
from motionrft.motion.skeleton import SMPL_22
from tests.corpus.kinds.test_smplh import rotated

# of float32 rotations along nine bones of at most half a metre: the k-th is turned by k products of three terms each
ROUNDING = 0.5 * sum(3 * k for k in range(1, 10)) * 2.0**-23


def save_poses(path, **changes):
    """Nine frames of SMPL+H at rest, as AMASS has them; None leaves an array out."""
    arrays = {
        "poses": np.zeros((9, 156)), "trans": np.zeros((9, 3)), "betas": np.zeros(16), "gender": np.array("male"),
        "mocap_framerate": 20.0, **changes,
    }  # fmt: skip
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


def write_body(path, joints):
    """A body model in the owners' layout: vertex j is joint j, a metre higher a unit of the first coefficient."""
    rest = np.random.default_rng(1).normal(0, 0.3, (joints, 3))
    shapes = np.zeros((joints, 3, 16))
    shapes[:, 1, 0] = 1
    shapes[:, 1, 10:] = 9
    path.parent.mkdir(parents=True)
    np.savez(path, J_regressor=np.eye(joints), v_template=rest, shapedirs=shapes)
    return rest


def millimetres(first, second):
    return 1000 * float((first - second).norm(dim=-1).mean())


def test_rotations_that_were_written_are_read_to_their_rounding(rotation_motion, tmp_path):
    export_amass(tmp_path / "a_poses.npz", rotation_motion)
    back = motionrft.read_motion(tmp_path / "a_poses.npz")
    assert (back.fps, back.skeleton, len(back)) == (20.0, SMPL_22, len(rotation_motion))
    assert float((back.joints - rotation_motion.joints).abs().max()) < ROUNDING


def test_other_motions_come_back_as_far_off_as_was_said(joints, tmp_path):
    motion = motionrft.Motion(joints, 20.0, caption="a person walks")
    said = export_amass(tmp_path / "a_poses.npz", motion)
    back = motionrft.read_motion(tmp_path / "a_poses.npz")
    assert (
        said
        == f"{len(back)} frames, joints {millimetres(back.joints, joints):.2f} mm off on average"
    )
    offsets, translation, local = rotations_of(motion)
    written = forward_kinematics(translation, local, offsets, SMPL_22.parents)
    torch.testing.assert_close(back.joints, written, atol=ROUNDING, rtol=0)
    assert back.caption == "a person walks"


@pytest.mark.parametrize("width", MODELS)
def test_a_recording_moves_the_body_of_its_gender_and_shape(width, tmp_path):
    """At 60 frames a second, so that every third is kept; against forward kinematics a frame at a time."""
    _, joints, _ = MODELS[width]
    rest = write_body(tmp_path / "models/female/model.npz", joints)
    rng = np.random.default_rng(0)
    poses, places = rng.normal(0, 0.3, (7, width)), rng.normal(size=(7, 3))
    betas = np.zeros(16)
    betas[0], betas[12] = 0.25, 3.0  # beyond the tenth none counts
    save_poses(
        tmp_path / "x.npz", poses=poses, trans=places, betas=betas, gender=np.array(b"female"), mocap_framerate=60.0
    )  # fmt: skip
    motion = motionrft.read_motion(tmp_path / "x.npz", body_models=tmp_path / "models")
    assert (motion.fps, len(motion)) == (20.0, 3)
    for row, frame in enumerate((0, 3, 6)):
        body = np.zeros(156)
        body[:66] = poses[frame, :66]
        placed = np.zeros((52, 3))
        placed[:22] = rest[:22] + np.array([0, 0.25, 0])
        wanted = rotated(placed, body)[:22] + places[frame]
        turned = torch.from_numpy(wanted).float() @ torch.tensor(Z_UP).T
        torch.testing.assert_close(motion.joints[row], turned, atol=ROUNDING, rtol=0)


def test_between_two_frames_the_bones_are_rigid(tmp_path):
    turn = np.zeros((40, 156))
    turn[1::2, :3] = 0, 0, 1.0
    rest = SMPL_22.rest_offsets(SMPL_22.bone_lengths()).numpy()
    for joint, parent in enumerate(SMPL_22.parents[1:], start=1):
        rest[joint] += rest[parent]
    save_poses(
        tmp_path / "x.npz", poses=turn, trans=np.zeros((40, 3)), rest_joints=rest, mocap_framerate=50.0
    )  # fmt: skip
    motion = motionrft.read_motion(tmp_path / "x.npz")
    parents = torch.tensor([max(parent, 0) for parent in SMPL_22.parents])
    bones = (motion.joints - motion.joints[:, parents]).norm(dim=-1)
    wanted = SMPL_22.bone_lengths().expand_as(bones)
    torch.testing.assert_close(bones, wanted, atol=ROUNDING, rtol=0)


def test_without_its_body_the_models_are_named(tmp_path, capsys):
    save_poses(tmp_path / "x.npz")
    with pytest.raises(InputError, match=r"SMPL\+H poses without the body .*mano.*--body-models"):
        motionrft.read_motion(tmp_path / "x.npz")
    assert main(["export-motion", str(tmp_path / "x.npz"), "--body-models", str(tmp_path)]) == 2
    assert "no male/model.npz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"poses": np.zeros((9, 100))}, r"\(9, 100\), known are .*156 \(SMPL\+H\)"),
        ({"poses": np.zeros((9, 156), int)}, "poses: int64, expected floating-point"),
        ({"trans": np.full((9, 3), "far")}, "trans: <U3, expected floating-point"),
        ({"betas": np.array(["tall"])}, "betas: <U4, expected"),
        ({"trans": np.zeros((8, 3))}, "trans of shape"),
        (
            {"mocap_framerate": 0.0},
            "mocap_framerate: 0.0 frames a second, expected a number from 1 to 10000",
        ),
        ({"mocap_framerate": "fast"}, "mocap_framerate: fast frames a second"),
        (
            {"mocap_framerate": None, "mocap_frame_rate": np.zeros(0)},
            "mocap_frame_rate: +frames a second",
        ),
        ({"mocap_framerate": np.full(9, 20.0)}, "20.0, 20.0, 20.0, … frames a second"),
        ({"mocap_framerate": None}, "no 'mocap_framerate'"),
        ({"gender": np.zeros(0)}, r"gender: \[\], expected one name"),
        ({"gender": None}, "no array 'gender'"),
        ({"rest_joints": np.zeros((21, 3))}, r"expected floating-point \(22, 3\)"),
    ],
)
def test_what_is_no_amass_file(arrays, said, tmp_path):
    save_poses(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=said):
        motionrft.read_motion(tmp_path / "x.npz", body_models=tmp_path)


def test_a_body_model_of_another_kind_is_refused(tmp_path):
    write_body(tmp_path / "male/model.npz", 52)
    save_poses(tmp_path / "x.npz", poses=np.zeros((9, 165)))
    with pytest.raises(InputError, match=r"no SMPL-X model of 55 joints"):
        motionrft.read_motion(tmp_path / "x.npz", body_models=tmp_path)
