"""The resolved `evaluate:` section."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from motionrft.errors import InputError
from motionrft.evaluation.protocol import Protocol, protocol


@dataclass(frozen=True)
class EvaluateSettings:
    """Defaults are the field's; `changes` are those of the protocol that the run asks for."""

    replications: int = 20
    protocol: str = "sound"
    batch_size: int = 128
    samples: int = 32
    changes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, section: dict[str, Any], where: str = "") -> EvaluateSettings:
        own = set(cls.__dataclass_fields__) - {"changes"}
        allowed = {"group", "limit", "min_frames", "diversity_pairs", "multimodality"}
        unknown = set(section) - own - allowed
        if unknown:
            raise InputError(
                f"unknown key {sorted(unknown)[0]!r}",
                where=where,
                field="evaluate",
                fix=f"known keys: {', '.join(sorted(own | allowed))}",
            )
        changes = {key: value for key, value in section.items() if key in allowed}
        return cls(**{key: section[key] for key in own & set(section)}, changes=changes)

    def rules(self) -> Protocol:
        return protocol(self.protocol, **self.changes)
