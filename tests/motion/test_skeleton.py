import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motionrft.errors import InputError
from motionrft.motion.skeleton import KIT_21, SKELETONS, SMPL_22, measure_lengths, mirror
from reference.tolerance import summed


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_tables_fit_together(skeleton):
    count = len(skeleton)
    assert len(skeleton.directions) == len(skeleton.rest) == len(skeleton.parents) == count
    assert len(set(skeleton.joints)) == count
    assert skeleton.parents[0] == -1
    assert all(0 <= parent < count for parent in skeleton.parents[1:])
    assert sorted(joint for level in skeleton.levels for joint in level) == list(range(1, count))
    assert [skeleton.swap[joint] for joint in skeleton.swap] == list(range(count))
    for joint, other in enumerate(skeleton.swap):
        name = skeleton.joints[joint]
        assert skeleton.joints[other] == name.replace("left", "?").replace("right", "left").replace(
            "?", "right"
        )


def test_the_position_parents_are_smpls():
    assert SMPL_22.parents == (
        -1,
        0,
        0,
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        9,
        9,
        12,
        13,
        14,
        16,
        17,
        18,
        19,
    )
    assert [a for a, b in zip(SMPL_22.chain_parents, SMPL_22.parents, strict=True) if a != b] == [
        0,
        0,
    ]


def test_a_body_built_from_offsets_has_the_target_lengths():
    offsets = SMPL_22.rest_offsets()
    joints = SMPL_22.ancestors @ offsets
    assert torch.allclose(
        measure_lengths(joints, SMPL_22), SMPL_22.bone_lengths(), atol=summed(len(SMPL_22.levels))
    )


def test_kit_has_no_public_target_body():
    with pytest.raises(InputError, match="bone_lengths"):
        KIT_21.bone_lengths()
    with pytest.raises(InputError, match="bone lengths"):
        KIT_21.bone_lengths(torch.ones(22))


@given(count=st.sampled_from([22, 52]), seed=st.integers(0, 1000))
def test_mirroring_twice_changes_nothing(count, seed):
    joints = torch.randn(3, count, 3, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(mirror(mirror(joints)), joints)
    assert not torch.equal(mirror(joints), joints)


def test_mirroring_refuses_other_bodies():
    with pytest.raises(InputError, match="24 joints"):
        mirror(torch.zeros(1, 24, 3))
