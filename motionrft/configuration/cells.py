"""What no schema of one section can say: whether backbone, method, run and resources go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motionrft.configuration.schema import has_schema, steps_counted
from motionrft.configuration.selection import among
from motionrft.errors import InputError


def check_cells(run: dict[str, Any], where: str | Path) -> None:
    """Raises `InputError` on the first cell of the matrix that could not be fine-tuned."""
    from motionrft.finetune.settings import cell_settings

    for cell in run["matrix"]:
        backbone, method = cell["backbone"], cell["method"]
        field = f"{method} on {backbone}"
        try:
            cell_settings(run, backbone, method)
        except InputError as error:
            raise InputError(str(error), where=where, field=field) from None
        _check_steps(run["backbones"][backbone], run["methods"][method], where, field)


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


def check_resources(run: dict[str, Any], where: str | Path) -> None:
    """Names in the `resources` table are rules, backbones and methods that exist."""
    for rule, row in run["resources"].items():
        for kind in ("backbones", "methods"):
            among(row.get(kind, {}), run[kind], kind, where, f"resources.{rule}.{kind}")
        for cell in row.get("cells", {}):
            backbone, _, method = cell.partition("/")
            place = f"resources.{rule}.cells.{cell}"
            among([backbone], run["backbones"], "backbones", where, place)
            among([method], run["methods"], "methods", where, place)
