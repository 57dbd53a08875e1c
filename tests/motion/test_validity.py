"""Bones that have no direction, or no rotation."""

import pytest
import torch
from recorded_clips import clip

from motionrft.motion.kinematic import RADIUS, headings, process
from motionrft.motion.skeleton import SMPL_22
from motionrft.motion.validity import SHORTEST, leg_length, short_bone, undefined_bone

MOTION = clip("walk_turn")


def test_a_recorded_motion_is_valid():
    assert short_bone(MOTION) is None
    assert undefined_bone(MOTION) is None
    assert leg_length(MOTION) == pytest.approx(sum(SMPL_22.lengths[b] for b in (5, 8)), abs=0.05)


@pytest.mark.parametrize(
    ("share", "refused"), [(0.5, True), (0.99, True), (1.01, False), (4, False)]
)
def test_a_bone_of_noise_is_named(share, refused):
    motion = MOTION.clone()
    direction = torch.nn.functional.normalize(motion[7, 3] - motion[7, 0], dim=0)
    motion[7, 3] = motion[7, 0] + share * SHORTEST * leg_length(MOTION) * direction
    words = short_bone(motion)
    assert (words is not None) == refused
    if words:
        assert "the bone from pelvis to spine1 is" in words
        assert "in frame 7" in words


def test_all_joints_in_one_place_is_refused():
    assert "too short" in short_bone(torch.zeros(3, 22, 3))


def test_a_bone_against_its_raw_direction_is_named_where_the_variant_has_no_rotation():
    motion = MOTION.clone()
    motion[:, 21] = motion[:, 19] + torch.tensor([0.0, 0.27, 0.0])
    words = undefined_bone(motion)
    assert (
        words
        == "the bone from right_elbow to right_wrist points exactly against its raw direction in frame 0"
    )
    assert undefined_bone(motion, compat="corrected") is None
    features, _ = process(motion[None], torch.tensor([len(motion)]))
    assert not features.isfinite().all()


def test_headings_of_a_long_clip_are_those_of_its_parts():
    """Smoothing in blocks changes nothing: far from the ends a part of a clip has the clip's headings."""
    walk = torch.cat([MOTION, MOTION.flip(0)] * (1 + 800 // (2 * len(MOTION))))[:800]
    whole = headings(walk[None], torch.tensor([800]), compat="corrected")[0]
    for begin, end in ((0, 200), (150, 640), (430, 800)):
        part = headings(walk[None, begin:end], torch.tensor([end - begin]), compat="corrected")[0]
        inside = slice(RADIUS if begin else 0, len(part) - (RADIUS if end < 800 else 0))
        torch.testing.assert_close(part[inside], whole[begin:end][inside], atol=1e-12, rtol=0)
