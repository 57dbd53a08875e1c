"""A noised table: the same marginals as the ODE's, and ancestral sampling at its end."""

from __future__ import annotations

import itertools

import pytest
import torch

from motionrft.diffusion.noised import at_least, ddim_eta, flow_sde, noised
from motionrft.diffusion.schedules import flow_euler, respaced
from motionrft.errors import InputError

SCHEDULE = {"num_train_timesteps": 100, "beta_schedule": "squaredcos_cap_v2"}


@pytest.fixture(params=["epsilon", "sample", "v_prediction"])
def prediction(request):
    return request.param


def test_no_noise_is_the_ode(prediction):
    table = respaced("ddim", 20, "ddim20", SCHEDULE, prediction)
    for name in "ABC":
        torch.testing.assert_close(
            getattr(ddim_eta(table, 0.0), name), getattr(table, name), rtol=1e-12, atol=1e-12
        )
    flow = flow_euler(7)
    for name in "ABC":
        torch.testing.assert_close(getattr(flow_sde(flow, 0.0), name), getattr(flow, name))


def test_all_of_it_is_ancestral_sampling(prediction):
    """DDIM with eta 1 is DDPM's posterior (Song et al., 2021, section 4.1)."""
    table = ddim_eta(respaced("ddim", 20, "ddim20", SCHEDULE, prediction), 1.0)
    ancestral = respaced("ddpm", 20, "ddim20", SCHEDULE, prediction)
    for name in "ABC":
        torch.testing.assert_close(
            getattr(table, name), getattr(ancestral, name), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("eta", [0.3, 0.7, 1.0])
def test_ddim_keeps_every_marginal(eta):
    """x0 = 0 and the exact eps = x / n: x_i stays N(0, n_i^2) at every step."""
    table = ddim_eta(respaced("ddim", 20, "ddim20", SCHEDULE, "epsilon"), eta)
    variance = table.noise[0] ** 2
    for i in range(len(table)):
        row = table[i]
        variance = (row.A + row.B / float(table.noise[i])) ** 2 * variance + row.C**2
        assert float(variance) == pytest.approx(float(table.noise[i + 1]) ** 2, abs=1e-12)


def flow_error(steps, a):
    """The same of a flow, v = x0 - eps = -x / n, at the middle of the way."""
    table = flow_sde(flow_euler(steps), a)
    variance = 1.0
    for i in range(steps // 2):
        row = table[i]
        variance = (row.A - row.B / float(table.noise[i])) ** 2 * variance + row.C**2
    return variance - 0.25


@pytest.mark.parametrize("a", [0.7, 1.0])
def test_a_flow_keeps_its_marginals_as_its_steps_get_smaller(a):
    """An error of order one at the noisy end, where c^2 dt is a^2 / i of step i, fades as i^(-a^2)."""
    errors = [flow_error(steps, a) for steps in (500, 1000, 2000)]
    assert 0 < errors[-1] < 0.01 * 0.25
    for coarse, fine in itertools.pairwise(errors):
        assert coarse / fine == pytest.approx(2 ** (a**2), rel=0.1)


def test_a_step_of_the_flow_is_the_papers():
    """Flow-GRPO eq. 9, written with its time tau = 1 - t, its velocity noise - data and a negative dt."""
    table, a, i = flow_sde(flow_euler(10), 0.7), 0.7, 3
    row, tau, dt = table[i], 1 - 3 / 10, -1 / 10
    x, v, z = 0.3, -1.2, 0.5
    sigma = a * (tau / (1 - tau)) ** 0.5
    mean = x + (v + sigma**2 / (2 * tau) * (x + (1 - tau) * v)) * dt
    assert row.A * x + row.B * -v + row.C * z == pytest.approx(mean + sigma * (-dt) ** 0.5 * z)


def test_a_floor_is_under_every_step_and_moves_no_mean():
    table = respaced("ddpm", 20, "ddim20", SCHEDULE, "sample")
    assert float(table.C[-1]) == 0.0
    floored = at_least(table, 0.1)
    assert floored.C.tolist() == [max(c, 0.1) for c in table.C.tolist()]
    for name in ("A", "B", "P", "Q"):
        assert getattr(floored, name) is getattr(table, name)


def test_which_table_gets_which():
    assert noised(flow_euler(5), 2.0).stochastic
    assert noised(respaced("ddim", 20, "ddim20", SCHEDULE, "sample"), 0.5).stochastic
    with pytest.raises(InputError, match="0 to 1"):
        noised(respaced("ddim", 20, "ddim20", SCHEDULE, "sample"), 2.0)
    with pytest.raises(InputError, match="2 steps"):
        noised(flow_euler(1), 0.7)
