"""What each job asks of the machine: the run's `resources` table, layer over layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LAYERS = ("encoders", "backbones", "methods", "cells")
COUNTED = "counted"  # in the table: a number that follows from the counts of the job
UNCOUNTED = {"runtime": 1440, "mem_mb": 32000}  # of jobs whose settings nobody counted

Wildcards = Any  # Snakemake's, or anything with their names as attributes and a `get`


@dataclass(frozen=True)
class Resources:
    """What the jobs of a resolved run ask for."""

    run: dict[str, Any]

    @property
    def evaluator_rule(self) -> str:
        """The row of the table for the evaluator: an official one is read in seconds, with no GPU."""
        imported = "checkpoint" in self.run["evaluator"]
        return "import_evaluator" if imported else "train_evaluator"

    def asked(self, rule: str, name: str, wildcards: Wildcards) -> Any:
        """One entry of the `resources` table: default, rule, encoder, backbone, method, cell; the last that has it. What is
        said of a method holds for its variants (`sweep`). An entry `counted` is what the job was counted to need."""
        row = self.run["resources"].get(rule, {})
        backbone, method = wildcards.get("backbone"), wildcards.get("method")
        named = [self.run["methods"].get(method, {}).get("sweep_of"), method]
        layers = (
            self.run["resources"]["default"],
            row,
            row.get("encoders", {}).get(wildcards.get("encoder"), {}),
            row.get("backbones", {}).get(backbone, {}),
            *(row.get("methods", {}).get(name, {}) for name in named),
            *(row.get("cells", {}).get(f"{backbone}/{name}", {}) for name in named),
        )
        value = next((layer[name] for layer in reversed(layers) if name in layer), None)
        return self.counted(rule, name, wildcards) if value == COUNTED else value

    def counted(self, rule: str, name: str, wildcards: Wildcards) -> Any:
        """What stands for `counted` in the table."""
        del rule, wildcards
        return UNCOUNTED[name]

    def threads(self, rule: str) -> Callable[[Wildcards], int]:
        return lambda wildcards: self.asked(rule, "threads", wildcards)

    def resources(self, rule: str) -> dict[str, Callable[..., int | str | None] | str]:
        """All of a rule's resources. Memory and time grow by half with each attempt `retries` allows."""
        row = self.run["resources"].get(rule, {})
        nested = [entry for kind in LAYERS for entry in row.get(kind, {}).values()]
        names = {key for layer in (self.run["resources"]["default"], row, *nested) for key in layer}

        def growing(name: str) -> Callable[..., int]:
            return lambda wildcards, attempt: self.asked(rule, name, wildcards) * (1 + attempt) // 2

        def constant(name: str) -> Callable[..., int | str | None]:
            return lambda wildcards: self.asked(rule, name, wildcards)

        chosen = sorted(names - {"threads", *LAYERS})
        table = {
            name: growing(name) if name in ("mem_mb", "runtime") else constant(name)
            for name in chosen
        }
        # no parameter: the same result may be computed on another device without running again
        return {**table, "device": self.run["device"]}
