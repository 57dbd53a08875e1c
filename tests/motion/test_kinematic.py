import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_clips import MOVING, clip
from torch.nn.utils.rnn import pad_sequence

from motionrft.errors import InputError
from motionrft.motion import kinematic, recovery
from motionrft.motion.kinematic import REPRESENTATION
from motionrft.motion.rotation import turn
from motionrft.motion.skeleton import mirror

# float64: an angle between nearly equal directions is the root of a difference of 2^-53
ANGLE = 2 * 2.0**-26.5


def one(joints: torch.Tensor, **options) -> torch.Tensor:
    return kinematic.process(joints[None], torch.tensor([len(joints)]), **options)[0][0]


@given(
    name=st.sampled_from(MOVING),
    yaw=st.floats(-3.1, 3.1),
    shift=st.tuples(*[st.floats(-5, 5)] * 3),
    compat=st.sampled_from(["humanml3d", "corrected"]),
)
@settings(max_examples=10, deadline=None)
def test_features_do_not_depend_on_place_and_heading(name, yaw, shift, compat):
    joints = clip(name)[:50].double()
    half = torch.tensor([yaw / 2]).double()
    half = torch.stack([half.cos(), half.sin()], -1)
    moved = turn(joints[None], half[None])[0] + torch.tensor(shift).double()
    before, after = one(joints, compat=compat), one(moved, compat=compat)
    near = (joints[1:, [7, 10, 8, 11]] - joints[:-1, [7, 10, 8, 11]]).square().sum(-1)
    assert torch.allclose(before[:, :-4], after[:, :-4], atol=ANGLE)
    clear = (near - 0.002).abs() > 1e-3
    assert torch.equal(before[:, -4:][clear], after[:, -4:][clear])


@given(
    names=st.lists(st.sampled_from(MOVING), min_size=2, max_size=4),
    cuts=st.lists(st.integers(2, 41), min_size=4, max_size=4),
)
@settings(max_examples=8, deadline=None)
def test_a_clip_in_a_ragged_batch_is_the_clip_alone(names, cuts):
    clips = [clip(name)[:cut].double() for name, cut in zip(names, cuts, strict=False)]
    lengths = torch.tensor([len(each) for each in clips])
    together, frames = kinematic.process(
        pad_sequence(clips, batch_first=True, padding_value=7.0), lengths
    )
    assert torch.equal(frames, lengths - 1)
    for row, each in enumerate(clips):
        assert torch.allclose(together[row, : frames[row]], one(each), atol=ANGLE)
        assert (together[row, frames[row] :] == 0).all()


@given(name=st.sampled_from(MOVING))
@settings(max_examples=6, deadline=None)
def test_a_mirrored_motion_turns_the_other_way(name):
    joints = kinematic.canonicalise(kinematic.retarget(clip(name)[None].double()))
    lengths = torch.tensor([joints.shape[1]])
    straight, _ = kinematic.extract(joints, lengths)
    mirrored, _ = kinematic.extract(mirror(joints), lengths)
    sign = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    assert torch.allclose(mirrored[..., :4], straight[..., :4] * sign, atol=ANGLE)
    assert torch.equal(mirrored[..., -4:], straight[..., [-2, -1, -4, -3]])


def test_corrected_headings_survive_a_half_turn_and_official_ones_do_not():
    joints = clip("walk_turn")
    canonical = kinematic.canonicalise(kinematic.retarget(joints[None]))
    lengths = torch.tensor([len(joints)])
    errors = {}
    for compat in ("humanml3d", "corrected"):
        recovered = recovery.joints_from_positions(one(joints, compat=compat)[None])
        first = kinematic.headings(canonical, lengths, compat=compat)[:, :1]
        errors[compat] = (recovered - turn(canonical, first)[:, :-1]).abs().max()
    assert errors["corrected"] < 1e-4 < 0.1 < errors["humanml3d"]


@pytest.mark.parametrize("compat", ["humanml3d", "corrected"])
@pytest.mark.parametrize("name", ["stand", "crouch", "spin"])
def test_positions_and_rotations_describe_the_same_body(name, compat):
    features = one(clip(name).double(), compat=compat)[None]
    by_position = recovery.joints_from_positions(features)
    by_rotation = recovery.joints_from_rotations(features, compat=compat)
    assert torch.allclose(by_position, by_rotation, atol=len(features[0]) * ANGLE)


def test_corrected_rotations_do_not_turn_with_the_body():
    joints = clip("stand")[:1].expand(300, 22, 3)
    angle = torch.linspace(0, 1.5, 300)
    turned = turn(joints[:, None], torch.stack([angle.cos(), angle.sin()], -1)[:, None])[:, 0]
    # away from the ends the smoothed heading of a steady turn is the heading itself
    spread = {
        compat: one(turned, compat=compat)[100:200, 67:193].std(0).max()
        for compat in ("humanml3d", "corrected")
    }
    assert spread["corrected"] < 0.01
    assert spread["humanml3d"] > 0.3


def test_the_other_variant_reads_the_arms_wrongly():
    features = one(clip("crouch"), compat="corrected")[None]
    wrong = recovery.joints_from_rotations(features, compat="humanml3d")
    assert (wrong - recovery.joints_from_positions(features)).abs().max() > 0.05


def test_a_bone_against_its_raw_direction_is_undefined_officially_only():
    joints = clip("stand").clone()
    joints[:, 20] = joints[:, 18] + torch.tensor(
        [0.0, 0.27, 0.0]
    )  # left forearm straight up, raw is down
    joints[:, 20, 0], joints[:, 20, 2] = joints[:, 18, 0], joints[:, 18, 2]
    forearm = slice(67 + 19 * 6, 67 + 20 * 6)
    assert one(joints)[:, forearm].isnan().any()
    assert one(joints, compat="corrected").isfinite().all()


def test_encoding_is_differentiable():
    joints = clip("dance41")[None, :6].double().requires_grad_()
    weights = torch.randn(
        1, 5, 259, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )

    def score(x):
        return (kinematic.process(x, torch.tensor([6]))[0][..., :259] * weights).sum()

    assert torch.autograd.gradcheck(score, joints, eps=1e-6, atol=1e-4, fast_mode=True)


@pytest.mark.parametrize("decode", [recovery.joints_from_positions, recovery.joints_from_rotations])
def test_decoding_is_differentiable(decode):
    features = one(clip("spin")[:5])[None].double().requires_grad_()
    weights = torch.randn(
        1, 4, 22, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    assert torch.autograd.gradcheck(
        lambda f: (decode(f) * weights).sum(), features, eps=1e-6, atol=1e-4, fast_mode=True
    )


def test_gradients_of_a_ragged_batch_are_finite_and_stay_in_the_clip():
    joints = pad_sequence([clip("jump")[:30], clip("spin")[:12]], batch_first=True).requires_grad_()
    features, _ = kinematic.process(joints, torch.tensor([30, 12]))
    features.square().sum().backward()
    assert joints.grad is not None
    assert joints.grad.isfinite().all()
    assert (joints.grad[1, 12:] == 0).all()
    assert (joints.grad[1, :12] != 0).any()


@pytest.mark.parametrize("lengths", [[1], [9], [0], [4, 4]])
def test_lengths_that_cannot_be_are_refused(lengths):
    with pytest.raises(InputError, match="lengths"):
        kinematic.process(clip("stand")[None, :8], torch.tensor(lengths))


def test_an_unknown_variant_is_refused():
    with pytest.raises(InputError, match="compat"):
        one(clip("stand"), compat="mine")


def test_the_representation_has_263_channels():
    features, frames = REPRESENTATION.encode(clip("jump")[None], torch.tensor([80]))
    assert features.shape == (1, 79, REPRESENTATION.dim) == (1, 79, 263)
    assert frames.item() == 79
    assert REPRESENTATION.decode(features).shape == (1, 79, 22, 3)
