"""The recorded gradients and update sequences, and that the check notices a wrong gradient."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference.case import read_cases
from reference.closed_form import RecordingSampler
from reference.families import finetuning

FIXTURES = Path(__file__).parents[1] / "fixtures" / "finetuning"


@pytest.fixture(scope="module")
def cases():
    return {case.name: case for case in read_cases(FIXTURES)}


@pytest.mark.parametrize(
    "name", ["ddim_eps_tanh", "ddpm_x0_linear", "lcm_eps_tanh", "flow_euler_linear"]
)
def test_recorded_methods(cases, name):
    case = cases[name]
    case.checks.clear()
    case.family = finetuning.FAMILY
    assert finetuning.recognises(case)
    finetuning.check(case, cases)
    assert not [check for check in case.checks if not check.passed]
    assert not case.untouched()


def test_a_wrong_gradient_fails(cases, monkeypatch):
    case = cases["ddim_eps_linear"]
    case.checks.clear()
    output = RecordingSampler.output

    # guidance whose gradient flows through the conditional branch only
    def one_branch(self, i, x, condition):
        doubled = output(self, i, x, condition)
        single = self.denoiser.predict(x, self.table.t_model[i].expand(len(x)), condition)
        return doubled.detach() + self.guidance * (single - single.detach())

    monkeypatch.setattr(RecordingSampler, "output", one_branch)
    finetuning.check(case, cases)
    failed = {
        check.quantity.split("/")[1]
        for check in case.checks
        if not check.passed and "/" in check.quantity
    }
    assert {"draft_k1", "refl_t0", "easytune_next_s0", "drtune_train02_stop3"} <= failed
