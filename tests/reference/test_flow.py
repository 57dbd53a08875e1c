"""The families of ACMDM's and HY-Motion's records: all numbers pass, a changed weight fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference.case import Case, read_cases
from reference.run import verify_case

FIXTURES = Path(__file__).parents[1] / "fixtures" / "backbones_flow"


CASES = {case.name: case for case in read_cases(FIXTURES) if case.name.startswith("acmdm")}


@pytest.mark.parametrize("name", CASES)
def test_recorded_numbers(name):
    checks = verify_case(CASES[name], CASES)
    assert len(checks) >= 9
    assert [check for check in checks if not check.passed] == []


def test_a_wrong_weight_is_noticed():
    case = next(case for case in read_cases(FIXTURES) if case.name == "acmdm_ps2_small")
    key = "weights/ACMDMTransformer.1.attn.k_norm.weight"
    spoilt = Case(
        case.name, case.folder, {**case.tensors, key: case.tensors[key] * 1.01}, case.meta
    )
    assert any(not check.passed for check in verify_case(spoilt, {}))
