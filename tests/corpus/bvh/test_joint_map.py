"""Joint maps: the shipped ones fit their rigs, others are guessed from names, and no joint stands for two."""

import pytest
import yaml

from motionrft.corpus.bvh.body import JOINTS
from motionrft.corpus.bvh.file import read_bvh
from motionrft.corpus.bvh.joint_map import (
    guess_joint_map,
    read_joint_map,
    shipped_maps,
    split_side,
)
from motionrft.errors import InputError
from tests.corpus.bvh_texts import person

# an alien rig whose joints correspond one to one
RIG = {joint: joint for joint in JOINTS}


def limbs(**words):
    """{SMPL joint: name} of both sides; {S} is Left or Right, {s} l or r."""
    return {
        f"{side}_{limb}": word.format(S=side.capitalize(), s=side[0], C=side[0].upper())
        for limb, word in words.items()
        for side in ("left", "right")
    }


RIGS = {
    "mixamo": {
        "pelvis": "mixamorig:Hips", "spine1": "mixamorig:Spine", "spine2": "mixamorig:Spine1", "spine3": "mixamorig:Spine2",
        "neck": "mixamorig:Neck", "head": "mixamorig:Head",
        **limbs(hip="mixamorig:{S}UpLeg", knee="mixamorig:{S}Leg", ankle="mixamorig:{S}Foot", foot="mixamorig:{S}ToeBase",
                collar="mixamorig:{S}Shoulder", shoulder="mixamorig:{S}Arm", elbow="mixamorig:{S}ForeArm", wrist="mixamorig:{S}Hand"),
    },
    "lafan1": {
        "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
        **limbs(hip="{S}UpLeg", knee="{S}Leg", ankle="{S}Foot", foot="{S}Toe", collar="{S}Shoulder", shoulder="{S}Arm",
                elbow="{S}ForeArm", wrist="{S}Hand"),
    },
    "guessed": {
        "pelvis": "Bip01 Pelvis", "spine1": "Bip01 Spine", "spine2": "Bip01 Spine1", "spine3": "Bip01 Spine2",
        "neck": "Bip01 Neck", "head": "Bip01 Head",
        **limbs(hip="Bip01 {C} Thigh", knee="Bip01 {C} Calf", ankle="Bip01 {C} Foot", foot="Bip01 {C} Toe", collar="Bip01 {C} Clavicle",
                shoulder="Bip01 {C} UpperArm", elbow="Bip01 {C} Forearm", wrist="Bip01 {C} Hand"),
    },
}  # fmt: skip


@pytest.mark.parametrize("rig", RIGS)
def test_a_map_is_found_from_the_names(tmp_path, rig):
    (tmp_path / "a.bvh").write_text(person(2, names=RIGS[rig]))
    name, joint_map = guess_joint_map(read_bvh(tmp_path / "a.bvh"), "a.bvh")
    assert name == rig
    assert joint_map == {joint: [RIGS[rig][joint]] for joint in JOINTS}


def test_smpl_names_and_blender_names_are_guessed(tmp_path):
    blender = {
        joint: f"{joint.split('_')[1]}.{joint[0].upper()}" if "_" in joint else joint
        for joint in JOINTS
    }
    for names in (RIG, blender):
        (tmp_path / "a.bvh").write_text(person(2, names=names))
        _, joint_map = guess_joint_map(read_bvh(tmp_path / "a.bvh"), "a.bvh")
        assert joint_map == {joint: [names[joint]] for joint in JOINTS}


@pytest.mark.parametrize("name", shipped_maps())
def test_every_shipped_map_is_complete_and_fits_no_other_rig(tmp_path, name):
    joint_map = read_joint_map(name)
    assert list(joint_map) == JOINTS
    names = {source for sources in joint_map.values() for source in sources}
    for other in shipped_maps():
        if other != name:
            assert not {s for sources in read_joint_map(other).values() for s in sources} <= names


def test_sides_of_names():
    for name, side, rest in (
        ("LeftUpLeg", "left", "upleg"), ("lThigh", "left", "thigh"), ("RHipJoint", "right", "hipjoint"),
        ("UpperLeg_L", "left", "upperleg"), ("thigh.R", "right", "thigh"), ("Bip01 R Thigh", "right", "thigh"),
        ("mixamorig:LeftArm", "left", "arm"), ("lowerback", "", "lowerback"), ("root", "", "root"), ("Spine1", "", "spine1"),
        ("right_hand", "right", "hand"), ("Neck", "", "neck"), ("head_end", "", "headend"),
    ):  # fmt: skip
        assert split_side(name) == (side, rest), name


def test_a_skeleton_without_a_map_is_one_message_with_its_joints(tmp_path):
    (tmp_path / "a.bvh").write_text(
        person(2, names={joint: f"bone{i}" for i, joint in enumerate(JOINTS)})
    )
    with pytest.raises(InputError, match=r"corpus\.joint_map: no map fits.*bone0, bone1.*mixamo"):
        guess_joint_map(read_bvh(tmp_path / "a.bvh"), "a.bvh")


BROKEN = {
    "a number": ({"head": 7}, r"head: 7 is not a joint's name.*quotes"),
    "nothing": ({"head": None}, "head: None is not"),
    "an empty list": ({"head": []}, r"head: \[\] is not"),
    "an empty name": ({"head": ["a", " "]}, "head: .* is not"),
    "numbers in a list": ({"spine2": [1, 2]}, r"spine2: \[1, 2\] is not"),
    "a name twice": ({"head": ["head", "head"]}, "names a joint twice"),
    "a joint for two": ({"head": "neck"}, "head: the same as neck: neck"),
    "a mean for two": ({"head": ["pelvis", "neck"], "neck": ["neck", "pelvis"]}, "the same as"),
    "no SMPL joint": ({"tail": "tail"}, "tail: not an SMPL-22 joint"),
    "an unhashable key": ({3: "tail"}, "3: not an SMPL-22 joint"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_map_names_its_joint(tmp_path, kind):
    change, message = BROKEN[kind]
    path = tmp_path / "map.yaml"
    path.write_text(yaml.safe_dump(RIG | change))
    with pytest.raises(InputError, match=message) as caught:
        read_joint_map(path)
    assert "map.yaml" in str(caught.value)


def test_missing_maps_and_joints_are_named(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(yaml.safe_dump({joint: joint for joint in JOINTS[1:]}))
    with pytest.raises(InputError, match="pelvis: joint missing"):
        read_joint_map(path)
    with pytest.raises(InputError, match=r"no joint map 'nemo'.*bandai-namco"):
        read_joint_map("nemo")
