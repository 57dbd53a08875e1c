"""Mappings laid over each other: what a size, a run file, an override and a command line say."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import yaml

from motionrft.errors import InputError


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`base` with `change` laid over it, key by key, at every depth; neither argument is modified."""
    merged = copy.deepcopy(base)
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def typed(value: Any) -> Any:
    """Texts inside lists and mappings of a command line's `--config key=[0, 1]` read as the YAML they are."""
    if isinstance(value, dict):
        return {key: typed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [typed(entry) for entry in value]
    return _read_value(value, value) if isinstance(value, str) else value


def apply_set(run: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """`--set a.b=value` (value read as YAML) laid over a run file."""
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(
                f"{assignment!r} is not key=value", where="--set", fix="for example --set seeds=[0]"
            )
        change: Any = _read_value(text, assignment)
        for step in reversed(key.split(".")):
            change = {step: change}
        run = merge(run, change)
    return run


def _read_value(text: str, given: str) -> Any:
    """A value of the command line, read as YAML; `given` is what the user wrote."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(
            f"not valid YAML ({' '.join(str(error).split())})",
            where=given,
            fix="close its brackets and quotes, or quote the whole value",
        ) from None
