"""Motions in files: written and read back, joints and features, BVH, and what is none of them."""

import numpy as np
import pytest
import torch

import motionrft
from motionrft.errors import InputError
from motionrft.motion.representation import representation


def test_a_motion_comes_back_whole_and_equal_motions_are_equal_bytes(tmp_path, joints):
    features, _ = representation("joint").encode(joints[None], torch.tensor([len(joints)]))
    motion = motionrft.Motion(
        joints[:-1], 20.0, caption="wavés", representation="joint", features=features[0], about={"a": 1}
    )  # fmt: skip
    for name in ("one", "two"):
        motion.save(tmp_path / f"{name}.npz")
    back = motionrft.read_motion(tmp_path / "one.npz")
    assert torch.equal(back.joints, motion.joints)
    assert torch.equal(back.features, motion.features)
    assert (back.caption, back.about, back.fps, back.skeleton) == ("wavés", {"a": 1}, 20.0, motion.skeleton)  # fmt: skip
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_joints_as_an_array(tmp_path, joints):
    np.save(tmp_path / "joints.npy", joints.numpy())
    motion = motionrft.read_motion(tmp_path / "joints.npy")
    assert torch.equal(motion.joints, joints)
    assert motion.features is None


@pytest.mark.parametrize("name", ["kinematic", "joint", "rotation"])
def test_features_as_an_array(tmp_path, joints, name):
    kind = representation(name)
    features, _ = kind.encode(joints[None], torch.tensor([len(joints)]))
    np.save(tmp_path / "features.npy", features[0].numpy())
    motion = motionrft.read_motion(tmp_path / "features.npy")
    assert motion.representation == name
    torch.testing.assert_close(motion.joints, kind.decode(features)[0])


@pytest.mark.parametrize("shape", [(10, 23, 3), (10, 100), (10,)])
def test_arrays_of_other_shapes(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.zeros(shape))
    with pytest.raises(InputError, match="neither joints"):
        motionrft.read_motion(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fps", "fast"),
        ("fps", np.nan),
        ("skeleton", "horse"),
        ("joints", np.zeros((4, 21, 3))),
        ("joints", np.full((4, 22, 3), "far")),
        ("features", np.zeros(4)),
        ("about", "none"),
    ],
)
def test_an_array_that_is_none_of_a_motion_is_named(tmp_path, joints, key, value):
    motionrft.Motion(joints, 20.0, features=torch.zeros(len(joints), 5)).save(tmp_path / "a.npz")
    arrays = {**np.load(tmp_path / "a.npz"), key: value}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=rf"a.npz.*{key}: .* is no {key} of a motion"):
        motionrft.read_motion(tmp_path / "a.npz")


def test_what_is_no_motion(tmp_path, joints):
    with pytest.raises(InputError, match="no such file"):
        motionrft.read_motion(tmp_path / "x.npz")
    with pytest.raises(InputError, match="unknown kind"):
        motionrft.read_motion(tmp_path / "x.fbx")
    np.savez(tmp_path / "other.npz", positions=np.zeros((3, 22, 3)))
    with pytest.raises(InputError, match="no array 'joints'"):
        motionrft.read_motion(tmp_path / "other.npz")
    with pytest.raises(InputError, match="a folder"):
        motionrft.read_motion(tmp_path)
    joints = joints.clone()
    joints[2, 3, 1] = float("nan")
    np.save(tmp_path / "nan.npy", joints.numpy())
    with pytest.raises(InputError, match="NaN"):
        motionrft.read_motion(tmp_path / "nan.npy")
