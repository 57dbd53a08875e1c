"""What no schema of one section can say: whether backbone, method and run go together. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from motionrft import drop_ins
from motionrft.configuration import merge
from motionrft.configuration.schema import has_schema, steps_counted
from motionrft.errors import InputError, unknown_name
from motionrft.finetune.settings import Settings, cell_settings


def check_cells(run: dict[str, Any], where: str | Path) -> None:
    """Raises `InputError` on the first cell of the matrix that could not be fine-tuned."""
    check_weights(run, where)
    known = drop_ins.names("motionrft.finetune.analysis")
    for name in run["analyse"]["every_method"]:
        if name not in known:
            file, field = f"motionrft/finetune/analysis/{name}.py", "analyse.every_method"
            raise unknown_name("analysis", name, known, where=where, field=field, add=file)
    for cell in run["matrix"]:
        backbone, method = cell["backbone"], cell["method"]
        field = f"{method} on {backbone}"
        try:
            settings = cell_settings(run, backbone, method)
        except InputError as error:
            raise InputError(str(error), where=where, field=field) from None
        entry = run["backbones"][backbone]
        own_loss = run["methods"][method]["family"] == "pretraining" or settings.data_loss
        if own_loss and entry.get("teacher"):
            raise InputError(
                "a distilled backbone has no loss of its own to go on with",
                where=where,
                field=field,
                fix="leave the method out for it in `matrix`, or set its data_loss to 0",
            )
        _check_steps(run["backbones"][backbone], run["methods"][method], where, field)
        _check_needs(run["backbones"][backbone], run["methods"][method], where, field)
        _check_values(run, run["methods"][method], where, field)
        group = run["methods"][method].get("options", {}).get("group", 1)
        check_groups(group, settings, where, f"{field}: options.group")


def unread(
    run: dict[str, Any], given: dict[str, Any], cells: Iterable[tuple[str, str]]
) -> list[str]:
    """What to tell a person whose `given` keys of `finetune`, of a command line, do not reach every (backbone, method):
    a line a key, with the places that say otherwise. See `cell_settings` for what lies over what."""
    own: dict[str, list[str]] = {}
    for backbone, method in cells:
        sections = {
            f"override.cells.{backbone}/{method}": run["cells"].get(f"{backbone}/{method}", {}),
            f"override.methods.{method}": run["methods"][method],
            f"override.backbones.{backbone}.finetune": run["backbones"][backbone].get("finetune", {}),
        }  # fmt: skip
        for key, value in given.items():
            place = next((place for place, section in sections.items() if key in section), None)
            if place is not None and merge(sections[place], {key: value}) != sections[place]:
                own.setdefault(key, []).append(f"{place}.{key} is {sections[place][key]}")
    return [
        f"finetune.{key}: {given[key]} does not reach every model: {'; '.join(dict.fromkeys(places))}"
        for key, places in own.items()
    ]


def _check_steps(
    backbone: dict[str, Any], method: dict[str, Any], where: str | Path, field: str
) -> None:
    """Options that count denoising steps fit into the steps they are meant for."""
    schema = f"method-{method['family']}"
    if not has_schema(schema):
        return
    steps = method.get("options", {}).get("of", backbone["sampler"]["steps"])
    for name, count in steps_counted(schema, method).items():
        if count > steps:
            raise InputError(
                f"{count} of {steps} denoising steps",
                where=where,
                field=f"{field}: options.{name}",
                fix=f"choose at most {steps}, or give `of:` so that it scales with the sampler",
            )


def _check_needs(
    backbone: dict[str, Any], method: dict[str, Any], where: str | Path, field: str
) -> None:
    """The method is defined on the backbone's sampler (`needs` of its file)."""
    needs, sampler = method.get("needs", {}), backbone["sampler"]
    kind, steps, solver = sampler["kind"], sampler["steps"], sampler.get("solver", "euler")
    wanted, found = "", ""
    if kind not in needs.get("samplers", [kind]):
        wanted, found = f"a sampler {' or '.join(needs['samplers'])}", kind
    elif solver not in needs.get("solvers", [solver]):
        wanted, found = f"the solver {' or '.join(needs['solvers'])}", solver
    elif steps < needs.get("steps", 1):
        wanted, found = f"{needs['steps']} denoising steps or more", str(steps)
    if wanted:
        raise InputError(
            f"needs {wanted}, and this backbone has {found}: {needs['why']}",
            where=where,
            field=field,
            fix=needs.get("instead", "leave this cell out of the matrix"),
        )


def check_groups(group: int, settings: Settings, where: str | Path, field: str) -> None:
    """A slice of a batch holds whole groups of samples of one prompt."""
    if settings.batch_size % (group * settings.slices):
        raise InputError(
            f"a batch of {settings.batch_size} in {settings.slices} slices holds no whole groups of {group}",
            where=where,
            field=field,
            fix="choose a group that divides the rows of a slice, or leave this cell out of the matrix",
        )


def _check_values(
    run: dict[str, Any], method: dict[str, Any], where: str | Path, field: str
) -> None:
    """Every reward without gradient is a file, the method learns, and an evaluator that ranks reads what the reward reads."""
    known = drop_ins.names("motionrft.finetune.values")
    for name in method.get("values", {}):
        if name not in known:
            file, place = f"motionrft/finetune/values/{name}.py", f"{field}: values"
            raise unknown_name("value", name, known, where=where, field=place, add=file)
        if not method["training"]:
            raise InputError(
                "a method that trains nothing is evaluated with the trained reward alone",
                where=where,
                field=f"{field}: values",
                fix="leave values out, or fine-tune with them",
            )
    texts = {section: run[section]["text"] for section in ("evaluator", "reward")}
    if "retrieval_rank" in method.get("values", {}) and len(set(texts.values())) > 1:
        raise InputError(
            f"the evaluator reads {texts['evaluator']}, the reward {texts['reward']}: one cannot rank the other's captions",
            where=where,
            field=f"{field}: values.retrieval_rank",
            fix="give both the same text encoder",
        )


def check_weights(run: dict[str, Any], where: str | Path) -> None:
    """Every weight, the run's and its methods', is of a term that this run's reward has."""
    # the term of a stage bears the stage's name
    left_out = set(drop_ins.names("motionrft.reward.stages")) - set(run["reward"]["stages"])
    known = drop_ins.names("motionrft.reward.terms")
    sections = {"reward.weights": run["reward"]["weights"]}
    for name, method in run["methods"].items():
        sections[f"methods.{name}.reward_weights"] = method.get("reward_weights", {})
    for place, weights in sections.items():
        for name, weight in weights.items():
            if name not in known:
                file = f"motionrft/reward/terms/{name}.py"
                raise unknown_name("term", name, known, where=where, field=place, add=file)
            if weight > 0 and name in left_out:
                raise InputError(
                    f"weighs {weight:g}, but this run leaves the reward's stage {name} out",
                    where=where,
                    field=f"{place}.{name}",
                    fix=f"set the weight to 0, or give the run that stage (reward.stages.{name})",
                )
