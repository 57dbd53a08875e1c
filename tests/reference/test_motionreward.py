"""Every recorded number of the official implementation, and how closely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reference.case import read_cases
from reference.run import verify_case

FOLDER = Path(__file__).parents[1] / "fixtures" / "motionreward"
CASES = {case.name: case for case in read_cases(FOLDER)}
HALF = ("/decoded", "_grad", "noise/", "data/")  # stored with fewer digits


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", sorted(CASES))
def test_recorded(name):
    checks = verify_case(CASES[name], CASES)
    assert len(checks) > 40
    assert not [check for check in checks if not check.passed]
    tight = [c for c in checks if not any(part in c.quantity for part in HALF)]
    assert max(c.absolute for c in tight if np.isfinite(c.absolute)) < 6e-4


def test_a_changed_weight_fails():
    (case,) = [c for c in read_cases(FOLDER) if c.name == "motionreward_small"]
    case.tensors["weights/dist_layer.bias"] = case.tensors["weights/dist_layer.bias"] + 0.01
    assert any(not check.passed for check in verify_case(case, {}))
