"""The configuration of a run: one file that names everything, resolved into one plain dictionary.

A run file (`config/toy.yaml`) names a corpus, backbones, methods, seeds. `resolve` pulls in
`config/backbones/<name>.yaml` at the run's size and `config/methods/<name>.yaml`, applies the run's
`override:` block, and validates the whole against the schemas, which also fill the defaults in.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from motionrft.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def read_yaml(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", where=path, fix="check the name; configurations are in config/") from None
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 (byte {error.start})", where=path, fix="save the file as UTF-8") from None
    except yaml.YAMLError as error:
        raise InputError(f"not valid YAML ({' '.join(str(error).split())})", where=path, fix="correct that line") from None
    if not isinstance(value, dict):
        raise InputError("expected a mapping of keys to values", where=path, fix="see config/toy.yaml")
    return value


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`base` with `change` laid over it, key by key, at every depth; neither argument is modified."""
    merged = copy.deepcopy(base)
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def available(folder: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "config" / folder).glob("*.yaml"))


def part(folder: str, name: str, where: str | Path) -> dict[str, Any]:
    """`config/<folder>/<name>.yaml`, or an error that lists what exists."""
    if name not in available(folder):
        raise InputError(
            f"unknown {folder[:-1]} {name!r}", where=where, field=folder,
            fix=f"choose from {', '.join(available(folder))}, or add config/{folder}/{name}.yaml",
        )
    return read_yaml(ROOT / "config" / folder / f"{name}.yaml")


def resolve(run: dict[str, Any], where: str | Path = "config") -> dict[str, Any]:
    """The complete configuration of a run: backbones and methods become full dictionaries by name.

    Idempotent: a resolved configuration resolves to itself.
    """
    from motionrft.config.schema import validate

    run = copy.deepcopy(run)
    if run.get("resolved"):
        return run
    override = run.pop("override", {})
    validate(run, "run", where)
    size = run["size"]
    backbones = {}
    for name in run["backbones"]:
        file = ROOT / "config" / "backbones" / f"{name}.yaml"
        entry = part("backbones", name, where)
        if size not in entry.get("sizes", {}):
            raise InputError(f"no size {size!r}", where=file, field="sizes", fix="add it or choose another size")
        flat = {key: value for key, value in entry.items() if key != "sizes"} | {"name": name}
        backbones[name] = validate(
            merge(merge(flat, entry["sizes"][size]), override.get("backbones", {}).get(name, {})), "backbone", file
        )
    methods = {}
    for name in run["methods"]:
        entry = part("methods", name, where) | {"name": name}
        changed = merge(merge(entry, override.get("methods", {}).get("all", {})), override.get("methods", {}).get(name, {}))
        methods[name] = validate(changed, "method", f"config/methods/{name}.yaml")
    for kind, known in (("backbones", backbones), ("methods", {"all": 0, **methods})):
        for name in override.get(kind, {}):
            if name not in known:
                raise InputError(
                    f"{name!r} is not among the run's {kind}", where=where, field=f"override: {kind}",
                    fix=f"choose from {', '.join(known)}",
                )
    run["backbones"], run["methods"], run["resolved"] = backbones, methods, True
    return run


def apply_set(run: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """`--set a.b=value` (value read as YAML) laid over a run file."""
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(f"{assignment!r} is not key=value", where="--set", fix="for example --set seeds=[0]")
        change: Any = yaml.safe_load(text)
        for step in reversed(key.split(".")):
            change = {step: change}
        run = merge(run, change)
    return run


def load_run(path: str | Path, assignments: list[str] | None = None) -> dict[str, Any]:
    """Reads and resolves a run file, or reads back a configuration that was resolved before."""
    path = Path(path)
    return resolve(apply_set(read_yaml(path), assignments or []), path)


def dump(run: dict[str, Any]) -> str:
    # by way of JSON: aliases and tuples do not survive into the file a person reads
    return yaml.safe_dump(json.loads(json.dumps(run)), sort_keys=False, allow_unicode=True)
