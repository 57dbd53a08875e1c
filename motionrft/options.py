"""A family's `network:` section as a typed, checked set of options."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

from motionrft.errors import InputError

Options = TypeVar("Options")


def network_options(kind: type[Options], section: dict[str, Any]) -> Options:
    """`kind(**section)` for a dataclass `kind`; an unknown or missing key is one clear error."""
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in section:
        if name not in known:
            raise InputError(
                "unknown key", field=f"network.{name}", fix=f"known keys: {', '.join(known)}"
            )
    for name, field in known.items():
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and name not in section:
            raise InputError(
                "missing", field=f"network.{name}", fix=f"set {name} in the backbone's file"
            )
    return kind(**section)
