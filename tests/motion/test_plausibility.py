"""What counts as broken."""

from __future__ import annotations

import math

import pytest

from motionrft.motion.plausibility import implausible

RECORDED = {"root_speed": 0.4, "jerk": 60.0, "bone_change": 0.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"root_speed": 0.59, "jerk": 179.0, "bone_change": 4.9}, []),
        ({"root_speed": 0.61}, ["0.61 m/s"]),
        ({"root_speed": 0.26}, ["0.26 m/s"]),
        ({"jerk": 240.0}, ["4.0 times"]),
        ({"bone_change": 52.0}, ["52 %"]),
        (dict.fromkeys(RECORDED, math.nan), ["m/s", "times", "bones"]),
    ],
)
def test_each_limit(change, words):
    found = implausible(RECORDED | change, RECORDED, "joint")
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))


def test_bones_are_a_matter_of_joints():
    assert implausible(RECORDED | {"bone_change": 8.0}, RECORDED, "kinematic") == []
