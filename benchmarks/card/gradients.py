"""What a precision does to an update: its gradient against float32's, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.card.jobs import Gradient, Update

PARTS = ("sampling", "denoiser", "decoder", "reward")
LIVE = 10  # steps with gradient, as DRaFT-10


def compare(gradient: Gradient, reference: Gradient) -> dict[str, float]:
    """Relative difference of the gradients' norm, their cosine, and the difference of the rewards."""
    a, b = gradient.value.double(), reference.value.double()
    return {
        "relative": float((a - b).norm() / b.norm()),
        "cosine": float(a @ b / (a.norm() * b.norm())),
        "reward": gradient.reward - reference.reward,
    }


def gradient_rows(
    update: Update, backbone: str, batch: int, deadline: float
) -> Iterator[dict[str, Any]]:
    """fp32 again (what the order of summation alone does), then TF32 and bf16 in each part and in all."""
    live = max(min(LIVE, len(update.sampler) // 2), 1)
    plain = dict.fromkeys(PARTS, "fp32")
    reference = update.gradient(batch, live, plain, deadline)
    choices = [("none, again", "fp32", plain)]
    for precision in ("bf16", "tf32"):
        choices.append(("all", precision, dict.fromkeys(PARTS, precision)))
        choices += [(part, precision, {**plain, part: precision}) for part in PARTS]
    for part, precision, modes in choices:
        gradient = update.gradient(batch, live, modes, deadline)
        yield {
            "backbone": backbone, "part": part, "precision": precision, "batch": batch, "live": live,
            **compare(gradient, reference),
        }  # fmt: skip
