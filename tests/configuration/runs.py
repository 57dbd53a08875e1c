"""A run to change."""

from typing import Any


def toy(**changes: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "corpus": {"kind": "toy"},
        "backbones": ["mdm"],
        "methods": ["easytune"],
        **changes,
    }
