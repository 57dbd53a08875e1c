"""Where the effect of each switch of `reward.official` is measured: stages trained with it, readings of them.

A stage is trained once more with one switch on and everything before it as the run has it, on the same
data and seed. `released` scores it with the switch on, which is what the released code would report;
`used` scores it as this suite's fine-tuners ask for scores: true lengths, time token, every representation.
"""

from __future__ import annotations

SWITCHES: dict[str, tuple[str, ...]] = {
    "noise": ("semantic",),
    "reconstruction": ("semantic",),
    "alignment": ("semantic", "authenticity"),
    "selection": ("semantic", "preference", "authenticity"),
    "sampled": ("semantic", "preference", "authenticity"),
    "padded_pairs": ("preference",),
    "leaking_mask": ("authenticity",),
    "unbalanced": ("authenticity",),
    "spl_softmax": ("spl",),
    "no_clean_token": ("semantic", "preference", "authenticity"),
}
# where reading with the switch on is not all there is to say
READINGS: dict[str, tuple[str, ...]] = {
    "alignment": ("used",),  # rotation is scored although authenticity was trained without it
    "padded_pairs": ("released", "used"),
    "leaking_mask": ("released", "used"),
}


def readings(switch: str) -> tuple[str, ...]:
    return READINGS.get(switch, ("released",))
