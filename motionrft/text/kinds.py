"""Text encoders by kind: from a `text.<name>` section of the configuration to the encoder it describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from motionrft.errors import InputError
from motionrft.text.encoder import BertText, ClipPooler, ClipText, SentenceT5
from motionrft.text.hymotion import HYMotionText

KINDS: dict[str, Callable[..., nn.Module]] = {
    "sentence-t5": SentenceT5,
    "clip": ClipText,
    "clip-pooler": ClipPooler,
    "bert": BertText,
    "hymotion": HYMotionText,
}


def open_encoder(settings: dict[str, Any], source: str | Path | None = None) -> nn.Module:
    """The encoder of a section: its kind, its source (HY-Motion: `sources`), and that kind's own options."""
    kind = settings["kind"]
    if kind not in KINDS:
        raise InputError(
            f"unknown text encoder kind {kind!r}",
            field="text.kind",
            fix=f"choose from {', '.join(KINDS)}",
        )
    options = {
        name: settings[name] for name in ("max_tokens", "cut", "unit_norm") if name in settings
    }
    if kind == "hymotion":
        return KINDS[kind](settings.get("sources", {}), **options)
    return KINDS[kind](source or settings["source"], **options)
