"""The comparisons with the base model that a run declares before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Member = tuple[str, str, str]  # backbone, method, metric


def declared(run: Mapping[str, Any]) -> list[Member]:
    """Every comparison that counts in a resolved run, finished or not."""
    section = run["compare"]
    methods = section["methods"]
    if methods == "proposed":
        methods = [name for name, entry in run["methods"].items() if not entry.get("baseline")]
    return [
        (cell["backbone"], cell["method"], metric)
        for cell in run["matrix"]
        if section["backbones"] == "all" or cell["backbone"] in section["backbones"]
        if methods == "all" or cell["method"] in methods
        for metric in section["metrics"]
    ]


def replications(run: Mapping[str, Any], backbone: str, method: str) -> int:
    """How often a model is evaluated (`base`: the base model): as often as the comparisons it takes part in ask, else as
    the run's evaluations are."""
    usual: int = run["evaluate"]["replications"]
    often: int = run["compare"].get("replications", usual)
    if often == usual:
        return usual
    compared = any(name == backbone and method in ("base", own) for name, own, _ in declared(run))
    return often if compared else usual
