from __future__ import annotations

from motionrft.evaluation.convert import Converter


def test_acmdm_input_has_67_channels_and_one_frame_less(scorer):
    motions = scorer.real(scorer.draw(0))[:2]
    found = Converter("kinematic", {}).acmdm_features(motions)
    assert [tuple(motion.shape) for motion in found] == [(len(m) - 1, 67) for m in motions]
