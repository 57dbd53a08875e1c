"""The YAML files of `config/`, by folder and name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from motionrft.errors import InputError, unknown_name

ROOT = Path(__file__).resolve().parents[2]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def read_yaml(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except FileNotFoundError:
        raise InputError(
            "no such file", where=path, fix="check the name; configurations are in config/"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 (byte {error.start})", where=path, fix="save the file as UTF-8"
        ) from None
    except yaml.YAMLError as error:
        raise InputError(
            f"not valid YAML ({' '.join(str(error).split())})", where=path, fix="correct that line"
        ) from None
    if not isinstance(value, dict):
        raise InputError(
            "expected a mapping of keys to values", where=path, fix="see config/toy.yaml"
        )
    return value


def numbers(value: Any) -> Any:
    """`value` with texts like "5e-4" read as numbers: YAML 1.1 takes them for texts."""
    if isinstance(value, dict):
        return {key: numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [numbers(entry) for entry in value]
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


def available(folder: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "config" / folder).glob("*.yaml"))


def part(folder: str, name: str, where: str | Path) -> dict[str, Any]:
    """`config/<folder>/<name>.yaml`, or an error that lists what exists."""
    if name not in available(folder):
        what, file = folder.removesuffix("s"), f"config/{folder}/{name}.yaml"
        raise unknown_name(what, name, available(folder), where=where, field=folder, add=file)
    entry: dict[str, Any] = numbers(read_yaml(ROOT / "config" / folder / f"{name}.yaml"))
    return entry


def has_size(backbone: str, size: str) -> bool:
    return size in read_yaml(ROOT / "config" / "backbones" / f"{backbone}.yaml").get("sizes", {})
