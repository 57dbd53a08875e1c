import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_clips import MOVING, clip, tensors

from motionrft.errors import InputError
from motionrft.motion import rotation135
from motionrft.motion.representation import MODULES, representation
from motionrft.motion.rotation import matrix_to_6d
from motionrft.motion.skeleton import KIT_21, SMPL_22
from tests.same import assert_same


@pytest.mark.parametrize("name", MODULES)
def test_the_three_describe_one_motion_with_as_many_frames(name):
    one = representation(name)
    joints = torch.zeros(2, 40, 22, 3)
    joints[0], joints[1, :25] = clip("dance41")[:40], clip("spin")[:25]
    features, frames = one.encode(joints, torch.tensor([40, 25]))
    assert one.name == name
    assert features.shape == (2, 39, one.dim)
    assert frames.tolist() == [39, 24]
    assert features.isfinite().all()
    assert (features[1, 24:] == 0).all()
    reference = representation("kinematic")
    recovered = reference.decode(reference.encode(joints, torch.tensor([40, 25]))[0])
    distance = (one.decode(features) - recovered)[1, :24].norm(dim=-1)
    # another body's pelvis and chest take the rest pose's shape in the rotation representation
    assert distance.max() < (0.07 if name == "rotation" else 1e-6)
    assert distance[:, [7, 8, 10, 11]].max() < (0.01 if name == "rotation" else 1e-6)


def test_dimensions():
    assert [representation(name).dim for name in MODULES] == [263, 66, 135]
    lengths = [0.0] + [100.0] * 20
    assert [representation(name, "kit21", bone_lengths=lengths).dim for name in MODULES] == [
        251,
        63,
        129,
    ]
    with pytest.raises(InputError, match="representation"):
        representation("mesh")
    with pytest.raises(InputError, match="skeleton"):
        representation("joint", "coco17")


def test_the_rotation_round_trip_is_exact_for_a_real_body():
    joints = tensors("features_t2m")["sample012314.joints_in"][None]
    features = rotation135.REPRESENTATION.from_canonical(joints, torch.tensor([joints.shape[1]]))
    distance = (rotation135.REPRESENTATION.decode(features) - joints).norm(dim=-1)
    assert distance.max() < 5e-6  # its bones are constant to 2.5e-7 m, and eight are in a chain


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_the_rotation_round_trip_is_exact_for_any_pose_of_the_rest_body(seed):
    generator = torch.Generator().manual_seed(seed)
    six = torch.tensor([1.0, 0, 0, 1, 0, 0]).double() + 0.4 * torch.randn(
        1, 3, 22, 6, generator=generator
    )
    features = torch.cat([torch.randn(1, 3, 3, generator=generator), six.flatten(-2)], -1)
    joints = rotation135.REPRESENTATION.decode(features)
    again = rotation135.REPRESENTATION.from_canonical(joints, torch.tensor([3]))
    assert_same(rotation135.REPRESENTATION.decode(again), joints)
    # the pelvis is known in full, and twist elsewhere is lost
    assert_same(again[..., :3], features[..., :3])
    assert not torch.allclose(again[..., 9:], features[..., 9:], atol=1e-2)


@given(name=st.sampled_from(MOVING), yaw=st.floats(-3.0, 3.0))
@settings(max_examples=8, deadline=None)
def test_turning_the_body_changes_the_global_rotation_only(name, yaw):
    joints = clip(name)[None, :10].double()
    c, s = torch.tensor(yaw).double().cos(), torch.tensor(yaw).double().sin()
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    turn = torch.stack([c, zero, s, zero, one, zero, -s, zero, c]).reshape(3, 3)
    offsets = SMPL_22.rest_offsets().double()
    (place, local), (moved, turned) = (
        rotation135.fit(body, SMPL_22, offsets) for body in (joints, joints @ turn.T)
    )
    assert_same(turned[..., 1:, :, :], local[..., 1:, :, :])
    assert_same(turned[..., 0, :, :], turn @ local[..., 0, :, :])
    assert_same(moved, place @ turn.T)


def test_both_ways_of_the_rotation_representation_are_differentiable():
    one = rotation135.REPRESENTATION
    joints = clip("dance41")[None, :3].double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: one.from_canonical(x, torch.tensor([3])).sum(),
        joints,
        eps=1e-6,
        atol=1e-4,
        fast_mode=True,
    )
    features = one.from_canonical(joints.detach(), torch.tensor([3])).requires_grad_()
    weights = torch.randn(
        1, 3, 22, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    assert torch.autograd.gradcheck(
        lambda f: (one.decode(f) * weights).sum(), features, eps=1e-6, atol=1e-4, fast_mode=True
    )


def test_forward_kinematics_of_the_identity_is_the_rest_pose():
    for skeleton, lengths in ((SMPL_22, None), (KIT_21, torch.full((21,), 100.0))):
        one = rotation135.Rotation(skeleton, bone_lengths=lengths)
        six = matrix_to_6d(torch.eye(3).double(), "hymotion").repeat(len(skeleton))
        joints = one.decode(torch.cat([torch.zeros(3), six])[None, None])[0, 0]
        expected = skeleton.ancestors.double() @ skeleton.rest_offsets(lengths).double()
        assert_same(joints, expected)
        assert joints[list(skeleton.toes), 1].max() < 0
        assert joints[skeleton.faces[1], 0] > 0
