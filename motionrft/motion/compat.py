"""The named variants of the kinematic features, and what each keeps of the official code.

`compat="humanml3d"` reproduces the released data, whose code has six habits that a clean design would not:
  opposed faces     the heading of each frame subtracts the hip vector from the shoulder vector instead of
                    adding it, so it follows the shoulders only and is unstable when hips are as wide
  first identity    the heading of frame 0 is set to exactly +Z after smoothing, so the first yaw step also
                    carries the offset that smoothing left there
  arms from root    the first bone of each arm counts its rotation from the root, not from the chest
  sign flip         quaternions keep w >= 0, so the one step in which the heading crosses ±180° has the
                    wrong sign, and the recovered heading is off from there on
  inverse heading   bones are not seen from the body's heading: the first ones count from its inverse, so that they
                    turn with a turning body, and agree with the positions only as frame 0's heading is +Z
  undefined bones   a bone exactly opposite to its raw direction is NaN (one without length is in any variant)
The half-angle of channel 0 is part of the layout and stays in every variant.
`compat="corrected"` repairs all six; its features are other numbers, so statistics, evaluators and scores of
the two variants must never be mixed.
One more habit is not reproduced: with exactly three frames the official cross product runs over time.
"""

from __future__ import annotations

from dataclasses import dataclass

from motionrft.errors import InputError

HUMANML3D = "humanml3d"


@dataclass(frozen=True)
class Variant:
    opposed_faces: bool
    first_identity: bool
    arms_from_root: bool
    sign_flip: bool
    inverse_heading: bool
    undefined_bones: bool


VARIANTS = {
    HUMANML3D: Variant(True, True, True, True, True, True),
    "corrected": Variant(False, False, False, False, False, False),
}


def variant(compat: str) -> Variant:
    if compat not in VARIANTS:
        raise InputError(
            f"unknown variant {compat!r}", field="compat", fix=f"choose from {', '.join(VARIANTS)}"
        )
    return VARIANTS[compat]
