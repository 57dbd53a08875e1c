"""The switches of `reward.official`, as its schema describes them."""

from __future__ import annotations

from dataclasses import dataclass

from motionrft.configuration.schema import read_schema


@dataclass(frozen=True)
class Switch:
    """One way of the released reward, whose effect is measured by training with it once more.

    stages    the stages it concerns; each is trained with the switch on and everything before it as the
              run has it, on the same data and seed
    readings  how such a stage is scored: `released`, with the switch on, or `used`, as fine-tuning asks
    """

    stages: tuple[str, ...]
    readings: tuple[str, ...]


def switches() -> dict[str, Switch]:
    """By name, in the schema's order."""
    described = read_schema("reward")["properties"]["official"]["properties"]
    return {
        name: Switch(tuple(rule["stages"]), tuple(rule["readings"]))
        for name, rule in described.items()
    }
