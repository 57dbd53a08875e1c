"""A motion on another skeleton: its bones, names, axes, unit and rate; the motion's directions; read by two readers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymotion.io.bvh import BVH
from pymotion.ops.skeleton import fk
from torch.nn import functional

import motionrft
from motionrft.cli import main
from motionrft.corpus.bvh.body import UPWARDS, mapped
from motionrft.corpus.bvh.file import END, read_bvh
from motionrft.corpus.bvh.joint_map import guess_joint_map, read_joint_map
from motionrft.corpus.kinds.toy import make_clip
from motionrft.errors import InputError
from motionrft.inference.retarget import CHILDREN, OwnSkeleton
from motionrft.motion.skeleton import KIT_21, SMPL_22

# Mixamo's names; a rig in inches whose limbs have other lengths, a joint more in each arm, and toes that end
TREE = """Root/ 0 0 0; mixamorig:Hips/Root 0 40 0; mixamorig:Spine/mixamorig:Hips 0 4 -1;
mixamorig:Spine1/mixamorig:Spine 0 5 0; mixamorig:Spine2/mixamorig:Spine1 0 6 0;
mixamorig:Neck/mixamorig:Spine2 0 5 0; mixamorig:Head/mixamorig:Neck 0 4 1;
mixamorig:LeftUpLeg/mixamorig:Hips 4 -2 0; mixamorig:LeftLeg/mixamorig:LeftUpLeg 0 -17 0;
mixamorig:LeftFoot/mixamorig:LeftLeg 0 -16 0; mixamorig:LeftToeBase/mixamorig:LeftFoot 0 -3 6;
mixamorig:RightUpLeg/mixamorig:Hips -4 -2 0; mixamorig:RightLeg/mixamorig:RightUpLeg 0 -17 0;
mixamorig:RightFoot/mixamorig:RightLeg 0 -16 0; mixamorig:RightToeBase/mixamorig:RightFoot 0 -3 6;
mixamorig:LeftShoulder/mixamorig:Spine2 2 4 0; mixamorig:LeftArm/mixamorig:LeftShoulder 5 0 0;
mixamorig:LeftForeArm/mixamorig:LeftArm 9 0 0; Twist/mixamorig:LeftForeArm 4 0 0;
mixamorig:LeftHand/Twist 4 0 0;
mixamorig:RightShoulder/mixamorig:Spine2 -2 4 0; mixamorig:RightArm/mixamorig:RightShoulder -5 0 0;
mixamorig:RightForeArm/mixamorig:RightArm -9 0 0; mixamorig:RightHand/mixamorig:RightForeArm -8 0 0"""


def template(path, up="y", turns=(), order="ZXY", fps=30.0):
    """A BVH file of TREE whose up axis is `up`; turns: degrees of its first frame, cycled over the channels."""
    joints = [
        (name.strip(), parent, np.array(offset.split(), dtype=float))
        for entry in TREE.replace("\n", " ").split(";")
        for name, _, rest in [entry.strip().partition("/")]
        for parent, _, offset in [rest.partition(" ")]
    ]
    lines = ["HIERARCHY"]

    def write(name, depth):
        offset = next(o for n, _, o in joints if n == name) @ np.array(UPWARDS[up], dtype=float)
        tab = "  " * depth
        position = "Xposition Yposition Zposition " if depth == 0 else ""
        channels = position + " ".join(f"{axis}rotation" for axis in order)
        lines.extend([f"{tab}{'JOINT' if depth else 'ROOT'} {name}", f"{tab}{{"])
        lines.append(f"{tab}  OFFSET {' '.join(f'{value:g}' for value in offset)}")
        lines.append(f"{tab}  CHANNELS {len(channels.split())} {channels}")
        below = [child for child, parent, _ in joints if parent == name]
        for child in below:
            write(child, depth + 1)
        if not below:
            lines.extend([f"{tab}  End Site", f"{tab}  {{", f"{tab}    OFFSET 1 0 0", f"{tab}  }}"])
        lines.append(f"{tab}}}")

    write("Root", 0)
    width = 3 * len(joints)
    row = np.concatenate([[5.0, 0.0, -3.0], np.resize(turns or (0.0,), width)])
    lines += [
        "MOTION",
        "Frames: 1",
        f"Frame Time: {1 / fps:.8f}",
        " ".join(f"{v:.5f}" for v in row),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def motion():
    return motionrft.Motion(torch.from_numpy(make_clip(3, {"seed": 0})[0]).float(), 20.0)


def directions(joints):
    """Of each bone whose joint has it for its only child."""
    single = [(row, below[0]) for row, below in enumerate(CHILDREN) if len(below) == 1]
    bones = [
        functional.normalize(joints[:, child] - joints[:, row], dim=-1) for row, child in single
    ]
    return torch.stack(bones, dim=1)


@pytest.mark.parametrize("up", ["y", "z", "-x"])
@pytest.mark.parametrize("turns", [(), (3.0, -8.0, 5.0, 11.0)])
def test_every_bone_points_where_the_motions_does(motion, tmp_path, up, turns):
    """At the motion's own rate, where nothing is interpolated: exact, from any pose of the rig."""
    rig = template(tmp_path / "rig.bvh", up, turns, fps=20.0)
    skeleton = OwnSkeleton.read(rig)
    assert skeleton.up == up
    skeleton.export(tmp_path / "out.bvh", motion)
    written = read_bvh(tmp_path / "out.bvh")
    joints = torch.from_numpy(mapped(written, skeleton.map, rig))
    upright = joints @ torch.tensor(UPWARDS[up], dtype=torch.float64).T
    torch.testing.assert_close(
        directions(upright), directions(motion.joints.double()), rtol=0, atol=1e-5
    )
    # the pelvis walks as far as the legs are long, in the file's unit
    ours, theirs = motion.joints[:, 0].double(), upright[:, 0]
    size = (theirs - theirs[:1]).norm() / (ours - ours[:1]).norm()
    torch.testing.assert_close(theirs, size * ours, rtol=1e-4, atol=1e-3)
    assert size == pytest.approx(33 / 0.82, rel=0.05)  # inches of its legs a metre of ours


def test_skeleton_and_rate_are_the_files_own(motion, tmp_path, capsys):
    rig = template(tmp_path / "rig.bvh", "z", (12.0, -4.0), order="XYZ", fps=48.0)
    np.save(tmp_path / "wave.npy", motion.joints.numpy())
    command = ["export-motion", str(tmp_path / "wave.npy"), "--skeleton", str(rig)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert float(said.split("bones ")[1].split()[0]) < 15  # pelvis and chest have their own shape
    before, after = read_bvh(rig), read_bvh(tmp_path / "wave.bvh")
    assert after.names == before.names
    assert after.parents == before.parents
    assert after.fps == pytest.approx(48.0)
    assert len(after.rotation) == int((len(motion) - 1) * 48 / 20) + 1
    np.testing.assert_allclose(after.translation[:, 1:], np.tile(before.translation[0, 1:], (len(after.rotation), 1, 1)))  # fmt: skip
    header = rig.read_text().partition("MOTION")[0]
    assert (tmp_path / "wave.bvh").read_text().startswith(header.rstrip())
    # what no SMPL joint turns, keeps the turn it had
    twist = after.names.index("Twist")
    np.testing.assert_allclose(np.abs((after.rotation[:, twist] * before.rotation[0, twist]).sum(-1)), 1, atol=1e-6)  # fmt: skip


def test_another_program_reads_the_same_joints(motion, tmp_path):
    rig = template(tmp_path / "rig.bvh", "y", (3.0, -8.0, 5.0), fps=20.0)
    OwnSkeleton.read(rig).export(tmp_path / "out.bvh", motion)
    ours = read_bvh(tmp_path / "out.bvh")
    bvh = BVH()
    bvh.load(str(tmp_path / "out.bvh"))
    rotations, positions, parents, offsets, _, _ = bvh.get_data()
    from pymotion.rotations.quat import to_matrix

    theirs, _ = fk(to_matrix(rotations), positions[:, 0], offsets, parents)
    real = [row for row, name in enumerate(ours.names) if END not in name]
    assert list(bvh.data["names"]) == [ours.names[row] for row in real]
    np.testing.assert_allclose(theirs, ours.positions()[:, real], atol=2e-4)  # inches


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("6 Xposition Yposition Zposition", "3"), "Root has no position channels"),
        (("mixamorig:LeftFoot\n", "mixamorig:Left\n"), "no map fits"),
    ],
)
def test_a_skeleton_that_cannot_be_moved_is_named(tmp_path, motion, change, said, capsys):
    rig = template(tmp_path / "rig.bvh")
    text = rig.read_text().replace(*change)
    if "position channels" in said:
        head, _, row = text.rstrip().rpartition("\n")
        text = f"{head}\n{' '.join(row.split()[3:])}\n"
    rig.write_text(text)
    np.save(tmp_path / "wave.npy", motion.joints.numpy())
    command = ["export-motion", str(tmp_path / "wave.npy"), "--skeleton", str(rig)]
    assert main(command) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "wave.bvh").exists()


def test_options_that_would_not_be_read_are_refused(tmp_path, motion, capsys):
    rig = template(tmp_path / "rig.bvh")
    np.save(tmp_path / "wave.npy", motion.joints.numpy())
    for to in ("amass", "joints"):
        command = ["export-motion", str(tmp_path / "wave.npy"), "--to", to, "--skeleton", str(rig)]
        assert main(command) == 2
        assert "--skeleton: is read with --to bvh only" in capsys.readouterr().err
    kit = motionrft.Motion(torch.zeros(5, 21, 3), 12.5, KIT_21)
    with pytest.raises(InputError, match="kit21"):
        OwnSkeleton.read(rig).export(tmp_path / "kit.bvh", kit)


def test_the_guessed_map_is_mixamos(tmp_path):
    name, own = guess_joint_map(read_bvh(template(tmp_path / "rig.bvh")), "rig.bvh")
    assert name == "mixamo"
    assert set(own) == set(SMPL_22.joints) == set(read_joint_map("mixamo"))
