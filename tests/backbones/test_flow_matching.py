"""The flow's convention: noise at t = 0, data at t = 1, and velocities of networks that predict the data."""

from __future__ import annotations

import torch

from motionrft.backbones.flow_matching import velocity_loss, velocity_of_clean

DATA, NOISE = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0)).double()
T = torch.tensor([0.0, 0.3, 0.9]).double()


def test_the_data_as_output_is_the_velocity_of_the_straight_path():
    x = (1 - T[:, None, None]) * NOISE + T[:, None, None] * DATA
    torch.testing.assert_close(velocity_of_clean(DATA, x, T), DATA - NOISE)
    # at the end of the path nothing divides by zero
    assert velocity_of_clean(DATA, DATA, torch.ones(3).double()).abs().max() == 0


def test_the_loss_is_zero_for_the_data_and_counts_valid_positions_only():
    def perfect(x, t, condition):
        return velocity_of_clean(DATA, x, t)

    def off(x, t, condition):
        return perfect(x, t, condition) + torch.tensor([1.0, 1.0, 1.0, 7.0, 7.0])[:, None]

    valid = torch.tensor([[1, 1, 1, 0, 0]] * 3, dtype=torch.bool)
    assert velocity_loss(perfect, DATA, NOISE, T, None, valid) < 1e-20
    torch.testing.assert_close(float(velocity_loss(off, DATA, NOISE, T, None, valid)), 1.0)


def test_the_error_of_a_clean_prediction_counts_as_it_is():
    def off(x, t, condition):
        return velocity_of_clean(DATA + 0.5, x, t)

    valid = torch.ones(3, 5, dtype=torch.bool)
    loss = velocity_loss(off, DATA, NOISE, T, None, valid, clean=True)
    torch.testing.assert_close(float(loss), 0.25)
    # as a velocity's, it counts 1 / (1 - t)^2 times
    as_velocity = velocity_loss(off, DATA, NOISE, T, None, valid)
    torch.testing.assert_close(as_velocity, (0.25 / (1 - T).square()).mean())
