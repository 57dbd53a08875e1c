"""SMPL+H poses that the suite's own AMASS reader takes back to the joints they were made of."""

from __future__ import annotations

import numpy as np
import roma
import torch

import motionrft
from motionrft.cli import main
from motionrft.corpus.kinds.amass import cut, read_source
from motionrft.corpus.official.index import Segment
from motionrft.inference.amass import export_amass
from motionrft.motion.rotation135 import forward_kinematics
from motionrft.motion.skeleton import SMPL_22


def body_of(rest):
    """A body model in closed form: SMPL+H's kinematics of the rest joints [22, 3], fingers at the wrists."""
    offsets = rest - rest[[max(parent, 0) for parent in SMPL_22.parents]]

    def body(poses, translations, betas, gender):
        local = roma.rotvec_to_rotmat(torch.from_numpy(poses[:, :66]).float().unflatten(1, (22, 3)))
        root = torch.from_numpy(translations).float() + rest[0]
        placed = forward_kinematics(root, local, offsets, SMPL_22.parents)
        return torch.cat([placed, placed[:, 20:21].expand(-1, 30, -1)], dim=1).numpy()

    return body


def read_back(folder, name, rest):
    """By the reader of `kind: amass`, as HumanML3D's preparation has it."""
    segment = Segment(source=f"SUBSET/{name}", begin=0, end=10_000, name="000001")
    source = read_source(folder, segment, body_of(rest))
    return torch.from_numpy(cut(source, segment)[:, :22].copy())


def test_rotations_come_back_exactly(rotation_motion, tmp_path, capsys):
    rotation_motion.save(tmp_path / "turn.npz")
    out = tmp_path / "SUBSET"
    assert (
        main(["export-motion", str(tmp_path / "turn.npz"), "--to", "amass", "--out", str(out)]) == 0
    )
    assert "joints 0.00 mm off" in capsys.readouterr().out
    stored = np.load(out / "turn_poses.npz")
    assert stored["poses"].shape == (len(rotation_motion), 156)
    assert not stored["poses"][:, 66:].any()
    assert str(stored["gender"]) == "neutral"
    assert float(stored["mocap_framerate"]) == 20.0
    back = read_back(tmp_path, "turn_poses", torch.from_numpy(stored["rest_joints"]))
    assert (back - rotation_motion.joints).norm(dim=-1).max() < 1e-4  # metres


def test_up_is_z(rotation_motion, tmp_path):
    export_amass(tmp_path / "a.npz", rotation_motion)
    height = np.load(tmp_path / "a.npz")["trans"][:, 2]
    np.testing.assert_allclose(height, rotation_motion.joints[:, 0, 1], atol=1e-6)


def test_another_body_is_fitted_and_said(joints, tmp_path):
    """Bones a tenth longer, the pelvis where SMPL+H's template has it."""
    rest = SMPL_22.rest_offsets(1.1 * SMPL_22.bone_lengths())
    for joint, parent in enumerate(SMPL_22.parents[1:], start=1):
        rest[joint] = rest[joint] + rest[parent]
    rest = rest + torch.tensor([0.0, -0.2, 0.03])
    folder = tmp_path / "SUBSET"
    said = export_amass(folder / "walk_poses.npz", motionrft.Motion(joints, 20.0), rest)
    back = read_back(tmp_path, "walk_poses", rest)
    found = 1000 * float((back - joints).norm(dim=-1).mean())
    assert said == f"{len(back)} frames, joints {found:.2f} mm off on average"
    assert 5 < found < 100
    parents = torch.tensor([max(parent, 0) for parent in SMPL_22.parents])
    bones = (back - back[:, parents]).norm(dim=-1)
    torch.testing.assert_close(bones, 1.1 * SMPL_22.bone_lengths().expand_as(bones), atol=1e-5, rtol=1e-4)  # fmt: skip


def test_a_body_model_that_is_not_there_is_named(joints, tmp_path, capsys):
    np.save(tmp_path / "walk.npy", joints.numpy())
    command = ["export-motion", str(tmp_path / "walk.npy"), "--to", "amass", "--body-models", str(tmp_path)]  # fmt: skip
    assert main(command) == 2
    assert "no neutral/model.npz" in capsys.readouterr().err
    assert not (tmp_path / "walk_poses.npz").exists()
