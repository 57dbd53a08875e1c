"""Complete records in the format of the shipped ones that differ from them: altered copies.

Their numbers are computed by the test itself: by the networks and samplers that are held to the shipped records,
or by moving apart what a record states.
"""

from __future__ import annotations

from pathlib import Path

from reference.case import Case, read_cases
from reference.run import verify_case

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def record(folder: str, name: str) -> Case:
    return next(case for case in read_cases(FIXTURES / folder) if case.name == name)


def failures(case: Case) -> list[str]:
    cases = {other.name: other for other in read_cases(case.folder)}
    return [check.quantity for check in verify_case(case, cases) if not check.passed]


def rename(case: Case, old: str, new: str) -> None:
    case.tensors = {
        new + key.removeprefix(old) if key.startswith(old) else key: tensor
        for key, tensor in case.tensors.items()
    }
