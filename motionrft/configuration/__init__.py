"""The configuration of a run: one file that names everything, resolved into one plain dictionary.

A run file (`config/toy.yaml`) names a corpus, backbones, methods, seeds. `resolve` pulls in
`config/backbones/<name>.yaml` at the run's size and `config/methods/<name>.yaml`, lays the run's own
sections over those of its size (`config/reward/small.yaml`, …), applies the run's `override:` block,
and validates the whole against the schemas, which also fill the defaults in.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from motionrft.configuration.cells import check_cells, check_resources
from motionrft.configuration.files import ROOT as ROOT
from motionrft.configuration.files import available, has_size, numbers, part, read_yaml
from motionrft.configuration.schema import has_schema, validate
from motionrft.configuration.selection import among, chosen, matrix_cells, narrow_generators
from motionrft.errors import InputError

# sections whose defaults are a file a size: config/<section>/<size>.yaml, with the run's own section laid over it
SIZED = ("text", "evaluator", "reward", "finetune", "evaluate", "resources")


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
    return _yaml(value, value) if isinstance(value, str) else value


def _yaml(text: str, given: str) -> Any:
    """A value of the command line, read as YAML; `given` is what the user wrote."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(
            f"not valid YAML ({' '.join(str(error).split())})",
            where=given,
            fix="close its brackets and quotes, or quote the whole value",
        ) from None


def resolve(run: dict[str, Any], where: str | Path = "config") -> dict[str, Any]:
    """The complete configuration of a run: backbones and methods become full dictionaries by name.

    Every section is validated here, and with it every cell of the matrix: what passes can be planned. `where`
    names the run in errors. Idempotent: a resolved configuration resolves to itself.
    """
    run = numbers(copy.deepcopy(run))
    if run.get("resolved"):
        return run
    # --config mocap_dir=… on the command line
    for key in [key for key in run if isinstance(key, str) and key.endswith("_dir")]:
        corpus = run.setdefault("corpus", {})
        if isinstance(corpus, dict):
            corpus[key] = run.pop(key)
    validate(run, "run", where)
    override = run.pop("override", {})
    for section in SIZED:
        if run["size"] in available(section):
            run[section] = merge(part(section, run["size"], where), run[section])
    validate(run["corpus"], f"corpus-{run['corpus']['kind']}", where, "corpus")
    for section in SIZED:
        validate(run[section], section, where, section)
    names, methods = chosen(run, "backbones"), chosen(run, "methods")
    backbones: dict[str, Any] = {}
    queue = list(names)
    while queue:
        entry = _backbone(queue.pop(0), run["size"], override, where)
        backbones[entry["name"]] = entry
        # a distilled backbone starts from its teacher, which is trained whether or not it is compared
        if entry.get("teacher") and entry["teacher"] not in backbones:
            queue.append(entry["teacher"])
    run["methods"] = {name: _method(name, override, where) for name in methods}
    run["backbones"] = backbones
    _check_unselected(run, override, where)
    _check_encoders(run, where)
    for name, method in run["methods"].items():
        if method.get("semantic_stage") == "spl" and not run["reward"]["stages"].get("spl"):
            raise InputError(
                f"method {name} is scored by the self-refined reward, which this run does not train",
                where=where,
                field="reward.stages.spl",
                fix="add that stage, or leave the method out of `methods`",
            )
    run["reward"] = narrow_generators(run, backbones, where)
    run["matrix"] = matrix_cells(run, names, methods, where)
    if "backbones" in run["analyse"]:
        analysed = run["analyse"]["backbones"]
        run["analyse"]["backbones"] = among(
            analysed, backbones, "backbones", where, "analyse.backbones"
        )
    check_resources(run, where)
    check_cells(run, where)
    run["resolved"] = True
    return run


def _check_unselected(run: dict[str, Any], override: dict[str, Any], where: str | Path) -> None:
    """Changes to what this run has not chosen are validated too, so that they hold when it is."""
    others = override.get("backbones", {}).keys() - run["backbones"].keys()
    among(others, run["backbones"], "backbones", where, "override.backbones")
    for name in sorted(others):
        if has_size(name, run["size"]):
            _backbone(name, run["size"], override, where)
    others = override.get("methods", {}).keys() - run["methods"].keys() - {"all"}
    among(others, run["methods"], "methods", where, "override.methods")
    for name in sorted(others):
        _method(name, override, where)


def _check_encoders(run: dict[str, Any], where: str | Path) -> None:
    """Every text encoder that is read has an entry."""
    readers = {"evaluator": run["evaluator"], "reward": run["reward"]}
    readers |= {f"backbones.{name}": entry for name, entry in run["backbones"].items()}
    for place, entry in readers.items():
        encoder = entry.get("text")
        if encoder and encoder not in run["text"]:
            raise InputError(
                f"unknown text encoder {encoder!r}",
                where=where,
                field=f"{place}.text",
                fix=f"choose from {', '.join(run['text'])}, or add it to `text`",
            )


def _backbone(name: str, size: str, override: dict[str, Any], where: str | Path) -> dict[str, Any]:
    entry = part("backbones", name, where)
    file = f"config/backbones/{name}.yaml"
    if size not in entry.get("sizes", {}):
        raise InputError(
            f"no size {size!r}", where=file, field="sizes", fix="add it or choose another size"
        )
    flat = {key: value for key, value in entry.items() if key != "sizes"} | {"name": name}
    flat = _validated(merge(flat, entry["sizes"][size]), "backbone", file)
    change = override.get("backbones", {}).get(name)
    if not change:
        return flat
    return _validated(merge(flat, change), "backbone", where, f"override.backbones.{name}")


def _method(name: str, override: dict[str, Any], where: str | Path) -> dict[str, Any]:
    entry = part("methods", name, where) | {"name": name}
    entry = _validated(entry, "method", f"config/methods/{name}.yaml")
    for key in ("all", name):
        change = override.get("methods", {}).get(key)
        if change:
            entry = _validated(merge(entry, change), "method", where, f"override.methods.{key}")
    return entry


def _validated(
    entry: dict[str, Any], kind: str, where: str | Path, field: str = ""
) -> dict[str, Any]:
    """A backbone or method that holds to its schema, and to that of its family where there is one."""
    validate(entry, kind, where, field)
    if has_schema(f"{kind}-{entry['family']}"):
        validate(entry, f"{kind}-{entry['family']}", where, field)
    return entry


def apply_set(run: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """`--set a.b=value` (value read as YAML) laid over a run file."""
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(
                f"{assignment!r} is not key=value", where="--set", fix="for example --set seeds=[0]"
            )
        change: Any = _yaml(text, assignment)
        for step in reversed(key.split(".")):
            change = {step: change}
        run = merge(run, change)
    return run


def load_run(path: str | Path, assignments: list[str] | None = None) -> dict[str, Any]:
    """Reads and resolves a run file, or reads back a configuration that was resolved before."""
    path = Path(path)
    return resolve(numbers(apply_set(read_yaml(path), assignments or [])), path)


def dump(run: dict[str, Any]) -> str:
    # by way of JSON: aliases and tuples do not survive into the file a person reads
    return yaml.safe_dump(json.loads(json.dumps(run)), sort_keys=False, allow_unicode=True)
