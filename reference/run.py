"""Runs every family that recognises a case, and prints the table."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

from motionrft import drop_ins
from motionrft.errors import InputError
from reference.case import Case, Check, read_cases


def families() -> list[ModuleType]:
    """The modules of `reference/families`, by name."""
    folder = "reference.families"
    return [importlib.import_module(f"{folder}.{name}") for name in drop_ins.names(folder)]


def verify(folders: Sequence[str | Path]) -> list[Check]:
    checks: list[Check] = []
    for folder in folders:
        cases = read_cases(folder)
        by_name = {case.name: case for case in cases}
        for case in cases:
            checks += verify_case(case, by_name)
    return checks


def verify_case(case: Case, cases: dict[str, Case]) -> list[Check]:
    """One case, with one failing row for each recorded quantity that nothing checked."""
    family = next((module for module in families() if module.recognises(case)), None)
    if family is None:
        return [failed("?", case, "no family recognises this case")]
    case.family = family.FAMILY
    try:
        with torch.no_grad():
            family.check(case, cases)
    except (InputError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        # a set that is incomplete or contradicts itself must not hide what the others say
        reason = (str(error).splitlines() or [""])[0]
        stop = f"stopped: {type(error).__name__}: {reason}"
        return [*case.checks, failed(case.family, case, stop)]
    for key in case.untouched():
        case.unchecked(key)
    return case.checks


def failed(family: str, case: Case, problem: str) -> Check:
    """A failing row for a case that could not be compared."""
    return Check(family, case.name, problem, math.inf, math.inf, "-", False)


def table(checks: Sequence[Check]) -> str:
    rows = [("family", "case", "quantity", "max abs", "max rel", "tolerance", "")]
    rows += [
        (
            c.family,
            c.case,
            c.quantity,
            f"{c.absolute:.2e}",
            f"{c.relative:.2e}",
            c.tolerance,
            "pass" if c.passed else "FAIL",
        )
        for c in checks
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
