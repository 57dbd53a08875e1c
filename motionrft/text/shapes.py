"""Text features as shapes: what the published encoders say of captions, before any caption is encoded."""

from __future__ import annotations

from typing import Any

import torch

from motionrft.configuration.encoders import POOLED, text_widths
from motionrft.text.features import TextBatch

UNKNOWN = {
    "pooled": 768,
    "tokens": 1024,
}  # of an encoder whose section says nothing: those of sentence-t5-large
CLIP_TOKENS = 77
TOKENS = 64  # of the longest caption of a large batch, encoders without a fixed length


def widths_of(encoder: dict[str, Any]) -> dict[str, int]:
    """Pooled and token widths of a section of `text`."""
    return text_widths(encoder) or UNKNOWN


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
