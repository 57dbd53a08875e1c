"""Exported motions, read back: BVH by our reader, joints as they were; bones constant; nothing overwritten."""

import numpy as np
import pytest
import torch

import motionrft
from motionrft.cli import main
from motionrft.corpus.bvh.file import END, read_bvh
from motionrft.inference.export import rotations_of
from motionrft.motion.skeleton import SMPL_22


def as_read(path):
    """[T, 22, 3] metres, in SMPL's order, by our reader; and the file's motion."""
    motion = read_bvh(path)
    own = [motion.names.index(name) for name in SMPL_22.joints]
    return torch.from_numpy(motion.positions()[:, own]).float() / 100, motion


def test_rotations_are_exact(rotation_motion, tmp_path, capsys):
    rotation_motion.save(tmp_path / "turn.npz")
    assert main(["export-motion", str(tmp_path / "turn.npz")]) == 0
    back, motion = as_read(tmp_path / "turn.bvh")
    assert (back - rotation_motion.joints).norm(dim=-1).max() < 1e-4  # metres
    assert motion.fps == pytest.approx(20.0)
    assert "joints 0.00 mm off" in capsys.readouterr().out


def test_fitted_joints_are_as_far_off_as_is_said(joints, tmp_path, capsys):
    np.save(tmp_path / "walk.npy", joints.numpy())
    out = tmp_path / "out"
    assert (
        main(["export-motion", str(tmp_path / "walk.npy"), "--to", "bvh", "--out", str(out)]) == 0
    )
    back, motion = as_read(out / "walk.bvh")
    found = 1000 * float((back - joints).norm(dim=-1).mean())
    assert f"joints {found:.2f} mm off" in capsys.readouterr().out
    assert found < 30
    parents = torch.tensor([max(parent, 0) for parent in motion.parents])
    placed = torch.from_numpy(motion.positions())
    bones = (placed - placed[:, parents]).norm(dim=-1)
    torch.testing.assert_close(bones, bones[:1].expand_as(bones), rtol=1e-6, atol=1e-5)
    assert sum(END in name for name in motion.names) == 5


def test_bones_of_the_motion_are_kept(joints):
    stretched = 1.25 * joints
    offsets, _, _ = rotations_of(motionrft.Motion(stretched, 20.0))
    plain, _, _ = rotations_of(motionrft.Motion(joints, 20.0))
    torch.testing.assert_close(offsets, 1.25 * plain)


def test_a_bvh_comes_back_as_a_motion(rotation_motion, tmp_path):
    rotation_motion.save(tmp_path / "a.npz")
    assert main(["export-motion", str(tmp_path / "a.npz")]) == 0
    motion = motionrft.read_motion(tmp_path / "a.bvh")
    assert len(motion) == len(rotation_motion)
    bones = [(m.joints[:, 4] - m.joints[:, 1]).norm(dim=-1) for m in (motion, rotation_motion)]
    torch.testing.assert_close(*bones, rtol=1e-3, atol=1e-4)


def test_plain_joints(rotation_motion, tmp_path):
    rotation_motion.save(tmp_path / "a.npz")
    assert main(["export-motion", str(tmp_path / "a.npz"), "--to", "joints"]) == 0
    assert np.array_equal(np.load(tmp_path / "a.npy"), rotation_motion.joints.numpy())


def test_no_motion_is_overwritten(joints, tmp_path, capsys):
    np.save(tmp_path / "a.npy", joints.numpy())
    assert main(["export-motion", str(tmp_path / "a.npy"), "--to", "joints"]) == 2
    assert "over another motion" in capsys.readouterr().err
    assert main(["export-motion"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--joint-map", "mixamo"], "--joint-map: is read with --skeleton only"),
        (["--to", "amass", "--skeleton", "own.bvh"], "--skeleton: is read with --to bvh only"),
        (["--body-models", "."], "--body-models: is read with --to amass only"),
        (["--to", "amass", "--gender", "male"], "--gender: is read with --to amass --body-models only"),
        (["--skeleton", "own.bvh"], "--skeleton: no such file"),
    ],
)  # fmt: skip
def test_an_option_that_nothing_reads_is_an_error(joints, tmp_path, capsys, words, message):
    np.save(tmp_path / "a.npy", joints.numpy())
    assert main(["export-motion", str(tmp_path / "a.npy"), *words]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
