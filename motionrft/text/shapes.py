"""Text features as shapes: what the published encoders say of captions, before any caption is encoded."""

from __future__ import annotations

from typing import Any

import torch

from motionrft.configuration import part
from motionrft.configuration.encoders import POOLED, text_widths
from motionrft.text.features import TextBatch

# of the paper's encoders, the one that stands for an encoder whose section says no widths
LIKE = "t5"
CLIP_TOKENS = 77
TOKENS = 64  # of the longest caption of a large batch, encoders without a fixed length


def widths_of(encoder: dict[str, Any]) -> dict[str, int]:
    """Pooled and token widths of a section of `text`; where it says none, those of `LIKE`. That an encoder has the widths
    that its section says, `motionrft text` checks."""
    return text_widths(encoder) or dict(part("text", "paper", "text")[LIKE]["widths"])


def text_shapes(encoder: dict[str, Any], rows: int) -> TextBatch:
    """Features of `rows` captions on the meta device."""
    widths = widths_of(encoder)
    length = CLIP_TOKENS if encoder.get("kind", "").startswith("clip") else TOKENS
    if encoder.get("keep") == POOLED:
        length = 0
    with torch.device("meta"):
        return TextBatch(
            torch.empty(rows, widths["pooled"]),
            torch.empty(rows, length, widths["tokens"]),
            torch.ones(rows, length, dtype=torch.bool),
            torch.zeros(rows, dtype=torch.long),
        )
