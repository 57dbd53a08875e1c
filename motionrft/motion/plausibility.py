"""Whether motions move as bodies do: the few measures of realism that a broken generator fails by far."""

from __future__ import annotations

from collections.abc import Mapping

# times the recorded motions' mean, either way for the root (a body that stands still is as wrong as one that races)
ROOT_SPEED, JERK = 1.5, 3.0
BONES = 5.0  # percent of their length that bones may differ by in the worst frame, mean over clips


def implausible(
    scores: Mapping[str, float], recorded: Mapping[str, float], representation: str
) -> list[str]:
    """What is broken of motions with these mean scores, a sentence each; recorded: those of recorded motions.

    Bones are held to their length where a model generates joints itself; rotations cannot stretch them, and the positions
    among kinematic features, which the field reads, always do a little.

    Both hold `root_speed`, `jerk` and `bone_change` of `motionrft.motion.realism`.
    """
    found = []
    speed, usual = scores["root_speed"], recorded["root_speed"]
    if not usual / ROOT_SPEED <= speed <= usual * ROOT_SPEED:
        found.append(
            f"the root moves at {speed:.2f} m/s, that of recorded motions at {usual:.2f} m/s"
        )
    if not scores["jerk"] <= JERK * recorded["jerk"]:
        times = scores["jerk"] / recorded["jerk"] if recorded["jerk"] else float("inf")
        found.append(f"joints jerk {times:.1f} times as much as in recorded motions")
    if representation == "joint" and not scores["bone_change"] <= BONES:
        found.append(f"bones change their length by {scores['bone_change']:.0f} % in a frame")
    return found
