"""What a section of `methods` says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def trains(section: Mapping[str, Any]) -> bool:
    """Whether the method learns weights; one that does not picks or steers the base model's samples."""
    return bool(section.get("training", True))
