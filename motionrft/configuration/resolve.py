"""A run file resolved and validated; what passes can be planned, section by section."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from motionrft.configuration.encoders import check_encoders
from motionrft.configuration.files import (
    available,
    has_size,
    numbers,
    part,
    read_yaml,
    run_file,
)
from motionrft.configuration.layers import apply_set, merge
from motionrft.configuration.schema import has_schema, read_schema, validate, validate_kind
from motionrft.configuration.selection import (
    among,
    check_resources,
    check_switches,
    chosen,
    declared_comparisons,
    matrix_cells,
    narrow_generators,
)
from motionrft.configuration.sweep import swept_methods
from motionrft.errors import InputError

# keys that stay in a resolved configuration and are read no more
SPENT = ("size", "variants")


def sections() -> list[str]:
    """The sections with a schema of their own. Where config/<section>/<size>.yaml exists, the run's own is
    laid over it."""
    return [name for name in read_schema("run")["properties"] if has_schema(name)]


def resolve(run: dict[str, Any], where: str | Path = "config") -> dict[str, Any]:
    """The complete configuration of a run: backbones and methods become full dictionaries by name.

    `where` names the run in errors. Idempotent: a resolved configuration resolves to itself. Whether every
    cell of the matrix can be fine-tuned is a question of more than one section
    (`motionrft.finetune.cells.check_cells`).
    """
    run = numbers(copy.deepcopy(run))
    if run.get("resolved"):
        return run
    _move_folders(run)
    validate(run, "run", where)
    override = run.pop("override", {})
    _check_variants(run, where)
    for section in sections():
        if run["size"] in available(section):
            run[section] = merge(part(section, run["size"], where), run[section])
    _check_sections(run, where)
    names, methods = chosen(run, "backbones"), chosen(run, "methods")
    variants = run["variants"]
    run["backbones"] = _with_teachers(names, run["size"], override, variants["backbones"], where)
    run["methods"] = {
        name: _method(name, override, where, variants["methods"].get(name)) for name in methods
    }
    run["cells"] = _cells(override.get("cells", {}), run, where)
    _check_unselected(run, override, where)
    check_encoders(run, where)
    _check_reward_files(run["reward"]["stages"], where)
    _check_semantic_stages(run, where)
    narrow_generators(run, where)
    run["matrix"] = matrix_cells(run, names, methods, where)
    for cell in run["matrix"]:
        if run["bases"] == "shared" and not run["methods"][cell["method"]]["training"]:
            cell["seeds"] = cell["seeds"][:1]  # nothing is drawn in training
    if "backbones" in run["analyse"]:
        analysed = run["analyse"]["backbones"]
        run["analyse"]["backbones"] = among(
            analysed, run["backbones"], "backbones", where, "analyse.backbones"
        )
    declared_comparisons(run, where)
    _sweep(run, where)
    check_switches(run, where)
    check_resources(run, where)
    run["resolved"] = True
    return run


def load_run(path: str | Path, assignments: Sequence[str] = ()) -> dict[str, Any]:
    """Reads and resolves a run file, or reads back a configuration that was resolved before.

    `assignments` (`--set`) are validated in both.
    """
    path = run_file(path)
    written = read_yaml(path)
    changed = apply_set(written, assignments)
    run = numbers(changed)
    if run.get("resolved") and assignments:
        _check_effect(written, changed, path)
        _check_sections(run, path)
        for kind in ("backbones", "methods"):
            for name, entry in run[kind].items():
                _check_entry(entry, kind.removesuffix("s"), path, f"{kind}.{name}")
        run["cells"] = _cells(run.get("cells", {}), run, path)
    return resolve(run, path)


def _check_effect(written: dict[str, Any], changed: dict[str, Any], path: Path) -> None:
    """An `InputError` for a change to a key that a resolved configuration does not have, or reads no more."""
    for key in changed:
        if key not in written or (key in SPENT and changed[key] != written[key]):
            raise InputError(
                "without effect on a configuration that is resolved already",
                where="--set",
                field=str(key),
                fix=f"change the keys themselves ({path} has them), or name the run file that it was made of",
            )


def dump(run: dict[str, Any]) -> str:
    """As YAML that a person reads."""
    # by way of JSON: aliases and tuples do not survive
    return yaml.safe_dump(json.loads(json.dumps(run)), sort_keys=False, allow_unicode=True)


def _move_folders(run: dict[str, Any]) -> None:
    """`--config mocap_dir=…` on a command line belongs to the corpus."""
    for key in [key for key in run if isinstance(key, str) and key.endswith("_dir")]:
        corpus = run.setdefault("corpus", {})
        if isinstance(corpus, dict):
            corpus[key] = run.pop(key)


def _check_sections(run: dict[str, Any], where: str | Path) -> None:
    """Every section holds to its schema, the corpus and the reward's stages to that of their kind."""
    validate_kind(run["corpus"], "corpus", run["corpus"]["kind"], where, "corpus")
    for section in sections():
        validate(run[section], section, where, section)
    stages = run["reward"]["stages"]
    run["reward"]["stages"] = {name: stage for name, stage in stages.items() if stage is not None}
    for name, stage in run["reward"]["stages"].items():
        validate_kind(stage, "reward", name, where, f"reward.stages.{name}")


def _sweep(run: dict[str, Any], where: str | Path) -> None:
    """Puts, in place, the variants of each method where the method is named."""
    swept = swept_methods(run["methods"], run.pop("sweep", {}), "tune" in run, where)
    names = {name: [variant.name for variant in several] for name, several in swept.items()}
    run["methods"] = {
        variant.name: _check_entry(variant.section, "method", where, "sweep")
        for several in swept.values()
        for variant in several
    }
    run["matrix"] = [
        {**cell, "method": name} for cell in run["matrix"] for name in names[cell["method"]]
    ]
    run["cells"] = {
        f"{backbone}/{variant.name}": merge(section, variant.change)
        for (backbone, method), section in _parted(run["cells"])
        for variant in swept[method]
    }
    if isinstance(run["compare"]["methods"], list):
        compared = run["compare"]["methods"]
        run["compare"]["methods"] = [name for method in compared for name in names[method]]


def _parted(cells: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """((backbone, method), section) of `<backbone>/<method>: section`."""
    for cell, section in cells.items():
        backbone, _, method = cell.partition("/")
        yield (backbone, method), section


def _check_variants(run: dict[str, Any], where: str | Path) -> None:
    """A variant is of something that exists, and has a name of its own."""
    for kind, variants in run["variants"].items():
        for name, variant in variants.items():
            part(kind, variant["of"], where)
            if name in available(kind):
                raise InputError(
                    f"{name} is the name of config/{kind}/{name}.yaml",
                    where=where,
                    field=f"variants.{kind}.{name}",
                    fix="give the variant a name of its own, or change that one under `override`",
                )


def _with_teachers(
    names: Sequence[str],
    size: str,
    override: dict[str, Any],
    variants: dict[str, Any],
    where: str | Path,
) -> dict[str, Any]:
    """The backbones by name. The teacher that a distilled one starts from is trained too, compared or not."""
    backbones: dict[str, Any] = {}
    queue = list(names)
    while queue:
        name = queue.pop(0)
        entry = _backbone(name, size, override, where, variants.get(name))
        backbones[entry["name"]] = entry
        if entry.get("teacher") and entry["teacher"] not in backbones:
            queue.append(entry["teacher"])
    return backbones


def _backbone(
    name: str,
    size: str,
    override: dict[str, Any],
    where: str | Path,
    variant: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A backbone with what the run changes in it; of a variant, in the one that it is of, and then in itself."""
    of = name if variant is None else variant["of"]
    entry = part("backbones", of, where)
    file = f"config/backbones/{of}.yaml"
    if size not in entry.get("sizes", {}):
        raise InputError(
            f"no size {size!r}", where=file, field="sizes", fix="add it or choose another size"
        )
    flat = {key: value for key, value in entry.items() if key != "sizes"} | {"name": name}
    flat = _check_entry(merge(flat, entry["sizes"][size]), "backbone", file)
    for place, change in _changes("backbones", [of], override, name, variant):
        flat = _check_entry(merge(flat, change), "backbone", where, place)
    return flat


def _method(
    name: str, override: dict[str, Any], where: str | Path, variant: dict[str, Any] | None = None
) -> dict[str, Any]:
    of = name if variant is None else variant["of"]
    entry = part("methods", of, where) | {"name": name}
    entry = _check_entry(entry, "method", f"config/methods/{of}.yaml")
    for place, change in _changes("methods", ["all", of], override, name, variant):
        entry = _check_entry(merge(entry, change), "method", where, place)
    return entry


def _cells(
    changes: dict[str, dict[str, Any]], run: dict[str, Any], where: str | Path
) -> dict[str, dict[str, Any]]:
    """Keys of `finetune` for single cells, `<backbone>/<method>`, of those whose two names the run has chosen."""
    kept = {}
    for cell, change in changes.items():
        field = f"override.cells.{cell}"
        validate(change, "finetune", where, field)
        backbone, _, method = cell.partition("/")
        if among([backbone], run["backbones"], "backbones", where, field) and among(
            [method], run["methods"], "methods", where, field
        ):
            kept[cell] = change
    return kept


def _changes(
    kind: str,
    keys: Sequence[str],
    override: dict[str, Any],
    name: str,
    variant: dict[str, Any] | None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place in the run file, changes) of an entry: the run's overrides of what it is of, what makes it a variant, and
    the overrides of its own."""
    for key in keys:
        change = override.get(kind, {}).get(key)
        if change:
            yield f"override.{kind}.{key}", change
    if variant is not None:
        own = {"label": name} if kind == "methods" and "label" not in variant else {}
        changes = {key: value for key, value in variant.items() if key != "of"}
        yield f"variants.{kind}.{name}", own | changes
        if override.get(kind, {}).get(name):
            yield f"override.{kind}.{name}", override[kind][name]


def _check_entry(
    entry: dict[str, Any], kind: str, where: str | Path, field: str = ""
) -> dict[str, Any]:
    """A backbone or method that holds to its schema, and to that of its family where there is one."""
    validate(entry, kind, where, field)
    if has_schema(f"{kind}-{entry['family']}"):
        validate(entry, f"{kind}-{entry['family']}", where, field)
    return entry


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


def _check_reward_files(stages: dict[str, Any], where: str | Path) -> None:
    """Released files of a stage: one of the semantic stage, LoRA and head of the others, on the released semantic one."""
    for name, stage in stages.items():
        files = stage.get("checkpoint", [])
        count = 1 if isinstance(files, str) else len(files)
        most, field = (1 if name == "semantic" else 2), f"reward.stages.{name}.checkpoint"
        if count > most:
            fix = "name one file" if most == 1 else "name the LoRA file and the head file"
            raise InputError(f"{count} files", where=where, field=field, fix=fix)
        if count and "checkpoint" not in stages["semantic"]:
            raise InputError(
                "released LoRA and head stand on the released semantic network alone",
                where=where,
                field=field,
                fix="name reward.stages.semantic.checkpoint too (stage1_retrieval_backbone.pth)",
            )


def _check_semantic_stages(run: dict[str, Any], where: str | Path) -> None:
    """The run trains the stage whose network scores a method's text against motion."""
    for name, method in run["methods"].items():
        stage = method.get("semantic_stage", "semantic")
        if stage not in run["reward"]["stages"]:
            raise InputError(
                f"method {name} is scored by the stage {stage}, which this run does not train",
                where=where,
                field=f"reward.stages.{stage}",
                fix="add that stage, or leave the method out of `methods`",
            )
