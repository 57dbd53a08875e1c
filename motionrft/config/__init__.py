"""The configuration of a run: one file that names everything, resolved into one plain dictionary.

A run file (`config/toy.yaml`) names a corpus, backbones, methods, seeds. `resolve` pulls in
`config/backbones/<name>.yaml` at the run's size and `config/methods/<name>.yaml`, lays the run's own
sections over those of its size (`config/reward/small.yaml`, …), applies the run's `override:` block,
and validates the whole against the schemas, which also fill the defaults in.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

from motionrft.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
# sections whose defaults are a file a size: config/<section>/<size>.yaml, with the run's own section laid over it
SIZED = ("text", "evaluator", "reward", "finetune", "evaluate", "resources")


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


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`base` with `change` laid over it, key by key, at every depth; neither argument is modified."""
    merged = copy.deepcopy(base)
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def numbers(value: Any) -> Any:
    """`value` with texts like "5e-4" read as numbers: YAML 1.1 takes them for texts."""
    if isinstance(value, dict):
        return {key: numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [numbers(entry) for entry in value]
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


def typed(value: Any) -> Any:
    """Texts inside lists and mappings of a command line's `--config key=[0, 1]` read as the YAML they are."""
    if isinstance(value, dict):
        return {key: typed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [typed(entry) for entry in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


def available(folder: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "config" / folder).glob("*.yaml"))


def part(folder: str, name: str, where: str | Path) -> dict[str, Any]:
    """`config/<folder>/<name>.yaml`, or an error that lists what exists."""
    if name not in available(folder):
        raise InputError(
            f"unknown {folder[:-1]} {name!r}",
            where=where,
            field=folder,
            fix=f"choose from {', '.join(available(folder))}, or add config/{folder}/{name}.yaml",
        )
    return numbers(read_yaml(ROOT / "config" / folder / f"{name}.yaml"))


def resolve(run: dict[str, Any], where: str | Path = "config") -> dict[str, Any]:
    """The complete configuration of a run: backbones and methods become full dictionaries by name.

    Idempotent: a resolved configuration resolves to itself.
    """
    from motionrft.config.schema import validate

    run = numbers(copy.deepcopy(run))
    if run.get("resolved"):
        return run
    for key in [
        key for key in run if key.endswith("_dir")
    ]:  # --config mocap_dir=… on the command line
        run.setdefault("corpus", {})[key] = run.pop(key)
    override = run.pop("override", {})
    validate(run, "run", where)
    for section in SIZED:
        if run["size"] in available(section):
            run[section] = merge(part(section, run["size"], where), run[section])
    validate(run["corpus"], f"corpus-{run['corpus']['kind']}", where, "corpus")
    for section in ("text", "evaluator", "reward", "evaluate", "resources"):
        validate(run[section], section, where, section)
    names = _chosen(run, "backbones", where)
    methods = {name: _method(name, override, where) for name in _chosen(run, "methods", where)}
    backbones: dict[str, Any] = {}
    queue = list(names)
    while queue:
        entry = _backbone(queue.pop(0), run["size"], override, where)
        backbones[entry["name"]] = entry
        # a distilled backbone starts from its teacher, which is trained whether or not it is compared
        if entry.get("teacher") and entry["teacher"] not in backbones:
            queue.append(entry["teacher"])
    for kind, known in (("backbones", backbones), ("methods", {"all": 0, **methods})):
        _among(override.get(kind, {}), known, kind, where, f"override: {kind}")
    for place, name in _encoders(run, backbones):
        if name not in run["text"]:
            raise InputError(
                f"unknown text encoder {name!r}",
                where=where,
                field=f"{place}.text",
                fix=f"choose from {', '.join(run['text'])}, or add it to `text`",
            )
    for name, method in methods.items():
        if method.get("semantic_stage") == "spl" and not run["reward"]["stages"].get("spl"):
            raise InputError(
                f"method {name} is scored by the self-refined reward, which this run does not train",
                where=where,
                field="reward.stages.spl",
                fix="add that stage, or leave the method out of `methods`",
            )
    data = run["reward"]["stages"].get("authenticity", {}).get("data", {})
    generators = data.get("generators", "all")
    if generators != "all":
        field = "reward.stages.authenticity.data.generators"
        _among(generators, backbones, "backbones", where, field, ", or `all`")
    run["matrix"] = _matrix(run, names, list(methods), where)
    run["backbones"], run["methods"], run["resolved"] = backbones, methods, True
    return run


def _among(
    names: Iterable[str],
    known: Collection[str],
    kind: str,
    where: str | Path,
    field: str,
    also: str = "",
) -> None:
    """Raises on the first of `names` that is none of the run's. also: what else would mend it."""
    for name in names:
        if name not in known:
            raise InputError(
                f"{name!r} is not among the run's {kind}",
                where=where,
                field=field,
                fix=f"choose from {', '.join(known)}{also}",
            )


def _encoders(run: dict[str, Any], backbones: dict[str, Any]) -> list[tuple[str, str]]:
    """(who, which) of every text encoder that is read."""
    readers = {"evaluator": run["evaluator"], "reward": run["reward"]}
    readers |= {f"backbones.{name}": entry for name, entry in backbones.items()}
    return [(place, entry["text"]) for place, entry in readers.items() if entry.get("text")]


def _has_size(name: str, size: str) -> bool:
    return size in read_yaml(ROOT / "config" / "backbones" / f"{name}.yaml").get("sizes", {})


def _chosen(run: dict[str, Any], kind: str, where: str | Path) -> list[str]:
    """The run's backbones or methods by name; `all` is every file in config/<kind> that has the run's size."""
    chosen = run[kind]
    if chosen != "all":
        return list(dict.fromkeys(chosen))
    names = available(kind)
    return [name for name in names if kind == "methods" or _has_size(name, run["size"])]


def _backbone(name: str, size: str, override: dict[str, Any], where: str | Path) -> dict[str, Any]:
    from motionrft.config.schema import validate

    entry = part("backbones", name, where)
    file = f"config/backbones/{name}.yaml"
    if size not in entry.get("sizes", {}):
        raise InputError(
            f"no size {size!r}", where=file, field="sizes", fix="add it or choose another size"
        )
    flat = {key: value for key, value in entry.items() if key != "sizes"} | {"name": name}
    changed = merge(merge(flat, entry["sizes"][size]), override.get("backbones", {}).get(name, {}))
    return validate(changed, "backbone", file)


def _method(name: str, override: dict[str, Any], where: str | Path) -> dict[str, Any]:
    from motionrft.config.schema import validate

    changed = part("methods", name, where) | {"name": name}
    for key in ("all", name):
        changed = merge(changed, override.get("methods", {}).get(key, {}))
    return validate(changed, "method", f"config/methods/{name}.yaml")


def _matrix(
    run: dict[str, Any], backbones: list[str], methods: list[str], where: str | Path
) -> list[dict[str, Any]]:
    """Every fine-tuning to run, once: [{backbone, method, seeds}]."""
    entries = [{}] if run["matrix"] == "cross" else run["matrix"]
    cells: dict[tuple[str, str], list[int]] = {}
    for number, entry in enumerate(entries):
        picked = {}
        for kind, known in (("backbones", backbones), ("methods", methods)):
            value = entry.get(kind, "all")
            picked[kind] = known if value == "all" else value
            field, also = f"matrix.{number}.{kind}", f", or add it to `{kind}`"
            _among(picked[kind], known, kind, where, field, also)
        for backbone in picked["backbones"]:
            for method in picked["methods"]:
                seeds = cells.setdefault((backbone, method), [])
                seeds += [seed for seed in entry.get("seeds", run["seeds"]) if seed not in seeds]
    return [
        {"backbone": backbone, "method": method, "seeds": seeds}
        for (backbone, method), seeds in cells.items()
    ]


def apply_set(run: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """`--set a.b=value` (value read as YAML) laid over a run file."""
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(
                f"{assignment!r} is not key=value", where="--set", fix="for example --set seeds=[0]"
            )
        change: Any = yaml.safe_load(text)
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
