"""Mappings laid over each other: what a size, a run file, an override and a command line say."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from motionrft.configuration.files import Loader
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
    return _read_value(value, "--config", value) if isinstance(value, str) else value


def as_written(parsed: dict[str, Any], words: Sequence[str], start: str | Path) -> None:
    """Corrects, in place, what Snakemake made of `--config key=value` (the command line's `words`).

    It reads name=2024_05 as a number and cuts a path at ` #`; and a relative folder counts from `start`, where the
    command was given, if `--directory` led elsewhere and it is not there.
    """
    for word in words:
        key, equals, text = word.partition("=")
        plain = equals and not isinstance(parsed.get(key, {}), dict | list | bool)
        if plain and ("_" in text or " #" in text):
            parsed[key] = text
    for key, value in parsed.items():
        if (
            key.endswith("_dir")
            and isinstance(value, str)
            and not Path(value).expanduser().exists()
        ):
            given = Path(start) / Path(value).expanduser()
            if given.exists():
                parsed[key] = str(given)


def apply_set(run: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """`--set a.b=value` (value read as YAML) laid over a run file."""
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(
                f"{assignment!r} is not key=value", where="--set", fix="for example --set seeds=[0]"
            )
        change: Any = _read_value(text, "--set", assignment)
        for step in reversed(key.split(".")):
            change = {step: change}
        run = merge(run, change)
    return run


def _read_value(text: str, option: str, given: str) -> Any:
    """A value of the command line, read as YAML; `given` is what the user wrote after `option`.

    A ` #` begins no comment there: it is part of a path.
    """
    if " #" in text and text.lstrip()[:1] not in ("'", '"', "[", "{"):
        return text
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise InputError(
            f"{given!r} is not valid YAML ({' '.join(str(error).split())})",
            where=option,
            fix="close its brackets and quotes, or quote the whole value",
        ) from None
