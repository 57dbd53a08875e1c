import pytest
import torch
from recorded_clips import MOVING, clip
from torch.nn.utils.rnn import pad_sequence

from motionrft.motion import accuracy, kinematic, realism, recovery
from motionrft.motion.skeleton import SMPL_22
from tests.same import assert_same


def standing(frames: int) -> torch.Tensor:
    """[1, T, 22, 3]: the rest pose, its lowest joint on the floor."""
    body = (SMPL_22.ancestors @ SMPL_22.rest_offsets()).double()
    body[:, 1] -= body[:, 1].min()
    return body.expand(1, frames, 22, 3).clone()


LENGTH = torch.tensor([20])


def test_a_still_body_on_the_floor_has_no_fault():
    found = realism.realism(standing(20), LENGTH)
    assert set(found) == {
        "skating_ratio",
        "skating_mm",
        "penetration_mm",
        "floating_mm",
        "jerk",
        "peak_jerk",
        "bone_drift_mm",
        "bone_change",
        "root_speed",
    }
    for name, value in found.items():
        assert value.item() == pytest.approx(0, abs=1e-9), name


def test_penetration_and_floating_are_depth_and_height_in_millimetres():
    low, high = standing(20), standing(20)
    low[..., 1] -= 0.03
    high[..., 1] += 0.035
    assert realism.penetration(low, LENGTH).item() == pytest.approx(30, rel=1e-9)
    assert realism.penetration(high, LENGTH).item() == 0
    assert realism.floating(high, LENGTH).item() == pytest.approx(30, rel=1e-9)
    assert realism.floating(low, LENGTH).item() == 0


def test_a_jump_does_not_float():
    joints = standing(20)
    time = torch.arange(20) / 20
    joints[..., 1] += (4.0 * time - 0.5 * 9.81 * time**2).clamp_min(0)[None, :, None]
    assert realism.floating(joints, LENGTH).item() < 30
    held = standing(20)
    held[:, 5:15, :, 1] += 0.4
    assert realism.floating(held, LENGTH).item() > 100


def test_a_body_that_slides_skates_in_every_step():
    joints = standing(20)
    joints[..., 0] += 0.05 * torch.arange(20).double()[None, :, None]  # 1 m/s
    speed, smooth, floor = realism.toe_speeds(joints, LENGTH)
    assert_same(speed, torch.ones_like(speed))
    assert floor.any()
    assert smooth[0, 0, 0].item() == pytest.approx(
        0.6, rel=1e-9
    )  # zeros beyond the end are counted
    assert realism.skating_ratio(joints, LENGTH).item() == 1
    assert realism.skating_distance(joints, LENGTH).item() == pytest.approx(50, rel=1e-9)
    slow = standing(20)
    slow[..., 0] += 0.02 * torch.arange(20).double()[None, :, None]
    assert realism.skating_ratio(slow, LENGTH).item() == 0


def test_jerk_of_a_cubic_is_its_third_derivative():
    joints = standing(20).double()
    time = torch.arange(20, dtype=torch.float64) / 20
    joints[..., 2] += (0.5 * time**3)[None, :, None]
    mean, peak = realism.jerk(joints, LENGTH)
    assert mean.item() == pytest.approx(3.0, rel=1e-9)
    assert peak.item() == pytest.approx(3.0, rel=1e-9)


def test_bone_drift_is_the_deviation_of_lengths():
    joints = standing(20)
    joints[:, ::2, 20, 0] += 0.02
    drift = realism.bone_drift(joints, LENGTH).item()
    assert drift == pytest.approx(10 / 21, rel=0.01)  # one bone of 21, along its own direction


def test_contact_speed_reads_the_claimed_contacts():
    joints = standing(20)
    joints[..., 2] += 0.05 * torch.arange(20).double()[None, :, None]
    claimed = torch.ones(1, 20, 4).double()
    assert realism.contact_speed(joints, claimed, LENGTH).item() == pytest.approx(1.0, rel=1e-9)
    assert realism.contact_speed(joints, 0 * claimed, LENGTH).item() == 0


def test_features_of_a_body_agree_with_themselves():
    features, frames = kinematic.process(clip("crouch")[None], torch.tensor([70]))
    assert realism.self_consistency(features, frames).item() < 0.002
    broken = features.clone()
    broken[..., 67:193] = 0.5 * broken[..., 67:193].flip(1)
    assert realism.self_consistency(broken, frames).item() > 1


def test_ragged_clips_measure_as_they_do_alone():
    clips = [
        clip(name)[:cut].double() for name, cut in zip(MOVING, (41, 23, 50, 12, 5, 3), strict=True)
    ]
    batch = pad_sequence(clips, batch_first=True, padding_value=float("nan"))
    together = realism.realism(batch, torch.tensor([len(each) for each in clips]))
    for row, each in enumerate(clips):
        alone = realism.realism(each[None], torch.tensor([len(each)]))
        for name in together:
            assert together[name][row].item() == pytest.approx(
                alone[name].item(), rel=1e-9, abs=1e-9
            ), name


def test_a_broken_motion_has_no_number():
    joints = standing(20)
    joints[0, 7, 10] = float("nan")
    for name, value in realism.realism(joints, LENGTH).items():
        if name != "floating_mm":
            assert value.isnan().all(), name


def test_joint_error_with_and_without_the_root():
    reference = clip("spin").double()
    moved = reference + torch.tensor([0.3, 0.0, 0.4], dtype=torch.float64)
    assert accuracy.mpjpe(moved, reference).max() < 1e-9
    half = torch.full((90,), 0.5).double()
    assert_same(accuracy.mpjpe(moved, reference, align_root=False), half)


def test_control_errors_count_what_is_controlled():
    reference, mask = clip("stand"), torch.zeros(60, 22, 1)
    mask[::10, 0] = 1
    predicted = reference.clone()
    predicted[0, 0, 0] += 0.3
    predicted[1] += 9  # not controlled
    found = accuracy.trajectory_errors(predicted, reference, mask)
    assert found["traj_fail_20cm"] == 1
    assert found["traj_fail_50cm"] == 0
    assert found["kps_fail_20cm"] == pytest.approx(1 / 6)
    assert found["kps_mean_err"] == pytest.approx(0.05)


def test_recovery_of_one_row():
    features = kinematic.process(clip("stand")[None, :2], torch.tensor([2]))[0]
    assert recovery.joints_from_positions(features).shape == (1, 1, 22, 3)


def test_bone_change_is_that_of_the_worst_frame():
    joints = standing(20)
    joints[:, 7] *= 0.5  # every bone half as long, in one frame
    assert realism.bone_change(joints, LENGTH).item() == pytest.approx(50, rel=1e-9)
    assert realism.bone_drift(joints, LENGTH).item() < 30
    assert realism.bone_change(joints, torch.tensor([7])).item() == pytest.approx(0, abs=1e-9)


def test_root_speed_is_that_over_the_ground():
    joints = standing(20)
    joints[..., 0] += 0.03 * torch.arange(20).double()[None, :, None]
    joints[..., 2] += 0.04 * torch.arange(20).double()[None, :, None]
    joints[..., 1] += torch.arange(20).double()[None, :, None]
    assert realism.root_speed(joints, LENGTH).item() == pytest.approx(1.0)
    joints[:, 12:] = 0
    assert realism.root_speed(joints, torch.tensor([12])).item() == pytest.approx(1.0)
