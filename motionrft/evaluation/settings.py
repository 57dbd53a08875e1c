"""The resolved `evaluate:` section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from motionrft.errors import InputError, unknown_name
from motionrft.evaluation.protocol import MultiModalityPlan, Protocol
from motionrft.evaluation.released import RELEASED
from motionrft.options import read_options
from motionrft.training.loop import Precision

PROTOCOLS: dict[str, Protocol] = {"sound": Protocol(), **RELEASED}


def protocol(name: str, **changes: Any) -> Protocol:
    """A named protocol, with the run's changes (`multimodality`, `diversity_pairs`, …) laid over it."""
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS, where="evaluate", field="protocol")
    rules = PROTOCOLS[name]
    if "multimodality" in changes:
        plan = {**asdict(rules.multimodality), **changes["multimodality"]}
        changes["multimodality"] = read_options(
            MultiModalityPlan, plan, where="evaluate", field="multimodality"
        )
    return replace(rules, **changes)


@dataclass(frozen=True)
class EvaluateSettings:
    """Defaults are the field's. group and what follows it: the run's changes of its protocol (None: none)."""

    replications: int = 20
    protocol: str = "sound"
    batch_size: int = 128
    samples: int = 32
    group: int | None = None
    limit: int | None = None
    min_frames: int | None = None
    diversity_pairs: int | None = None
    multimodality: Mapping[str, Any] | None = None
    realism_replications: int | None = None
    precision: Precision = "fp32"

    def rules(self) -> Protocol:
        changes = {
            "group": self.group,
            "limit": self.limit,
            "min_frames": self.min_frames,
            "diversity_pairs": self.diversity_pairs,
            "multimodality": self.multimodality,
            "realism_replications": self.realism_replications,
            "precision": self.precision,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        return protocol(self.protocol, **given)


def validation_rules(section: Mapping[str, Any]) -> Protocol:
    """What validations of fine-tuning are scored by: the sound rules, with the group and the shortest clip of the run's
    `evaluate` section, no further generations of a text, and an evaluator in float32."""
    given = {key: section[key] for key in ("group", "min_frames") if section.get(key) is not None}
    return Protocol(multimodality=MultiModalityPlan(texts=0), **given)


OF_OFFICIAL_FILES = (
    "network", "checkpoint", "clip_checkpoint", "length_checkpoint", "clip_tokenizer", "mean", "std", "glove",
)  # fmt: skip


def judge_settings(section: Mapping[str, Any], where: str) -> tuple[dict[str, Any], int]:
    """The `evaluator:` section of the second evaluator, which scores validations, and its seed.

    It is the test's with what `judge` says over it, and self-trained also where the test's is official.
    """
    judge = section.get("judge")
    if judge is None:
        raise InputError(
            "no second evaluator",
            where=where,
            field="evaluator.judge",
            fix="set it, for example to {seed: 1}",
        )
    own = {k: v for k, v in section.items() if k not in ("judge", *OF_OFFICIAL_FILES)}
    given = {k: v for k, v in judge.items() if k not in ("seed", "train")}
    train = {**own["train"], **judge.get("train", {})}
    return own | given | {"train": train}, int(judge["seed"])
