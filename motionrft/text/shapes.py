"""Text features as shapes: what the published encoders say of captions, before any caption is encoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from motionrft.text.features import TextBatch

# pooled and token widths of the published encoders
WIDTHS = {
    "sentence-t5-large": (768, 1024),
    "clip-vit-large-patch14": (768, 768),
    "clip-vit-base-patch32": (512, 512),
    "distilbert-base-uncased": (768, 768),
    "Qwen3-8B": (768, 4096),
}
CLIP_TOKENS = 77
TOKENS = 64  # of the longest caption of a large batch, encoders without a fixed length


def text_widths(encoder: dict[str, Any]) -> dict[str, int]:
    """Pooled and token widths of a section of `text`; of an encoder that is not known, those of CLIP ViT-L."""
    if "width" in encoder:
        return {"pooled": encoder["width"], "tokens": encoder["width"]}
    source = encoder.get("source") or encoder.get("sources", {}).get("qwen", "")
    pooled, tokens = WIDTHS.get(Path(source).name, WIDTHS["clip-vit-large-patch14"])
    return {"pooled": pooled, "tokens": tokens}


def text_shapes(encoder: dict[str, Any], rows: int) -> TextBatch:
    """Features of `rows` captions on the meta device."""
    widths = text_widths(encoder)
    length = CLIP_TOKENS if encoder.get("kind", "").startswith("clip") else TOKENS
    with torch.device("meta"):
        return TextBatch(
            torch.empty(rows, widths["pooled"]),
            torch.empty(rows, length, widths["tokens"]),
            torch.ones(rows, length, dtype=torch.bool),
            torch.zeros(rows, dtype=torch.long),
        )
