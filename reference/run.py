"""Runs every family that recognises a case, and prints the table."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

import reference.families as families_room
from motionrft.errors import InputError
from reference.case import Case, Check, read_cases

INFINITE = float("inf")


def families() -> list[ModuleType]:
    """Modules of `reference/families`: each has FAMILY, `recognises(case)` and `check(case, cases)`.

    `cases` holds every case of the same folder by name, for the sets that share weights.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(families_room.__path__))
    return [importlib.import_module(f"reference.families.{name}") for name in names]


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
        return [
            Check(
                "?",
                case.name,
                "no family recognises this case",
                INFINITE,
                INFINITE,
                "-",
                False,
            )
        ]
    case.family = family.FAMILY
    try:
        with torch.no_grad():
            family.check(case, cases)
    except (InputError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        # a set that is incomplete or contradicts itself must not hide what the others say
        reason = (str(error).splitlines() or [""])[0]
        stop = f"stopped: {type(error).__name__}: {reason}"
        return [*case.checks, Check(case.family, case.name, stop, INFINITE, INFINITE, "-", False)]
    for key in case.untouched():
        case.unchecked(key)
    return case.checks


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
