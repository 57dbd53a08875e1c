import math

import pytest
import torch

from motionrft.networks.positions import (
    LearnedPositions,
    TimestepEmbedding,
    frequencies,
    guidance_sinusoid,
    timestep_sinusoid,
)
from reference.tolerance import phase_tolerance


def test_time_step_sinusoid_closed_form():
    t, width = 499, 10
    angles = [t * math.exp(-math.log(10000) * i / 5) for i in range(5)]
    expected = [math.cos(a) for a in angles] + [math.sin(a) for a in angles]
    actual = timestep_sinusoid(torch.tensor([t]), width)[0]
    apart = phase_tolerance(torch.tensor([t]), 5, 5)[0].repeat(2)
    assert ((actual - torch.tensor(expected)).abs() <= apart).all()


@pytest.mark.parametrize("width", [48, 64, 512])
def test_frequencies_are_the_float32_numbers_next_to_the_exact_ones(width):
    """A float32 exp is not, and not everywhere the same."""
    exponents = torch.arange(0, width, 2).float() * (-math.log(10000.0) / width)
    exact = torch.tensor([math.exp(value) for value in exponents.tolist()], dtype=torch.float64)
    assert torch.equal(frequencies(exponents), exact.float())


@pytest.mark.parametrize("width", [8, 9])
def test_guidance_sinusoid_closed_form(width):
    w = 6.5
    angles = [1000 * w * 10000 ** (-i / 3) for i in range(4)]
    expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles] + [0.0] * (width % 2)
    actual = guidance_sinusoid(torch.tensor([w]), width)[0]
    apart = phase_tolerance(torch.tensor([1000 * w]), 4, 3)[0].repeat(2)
    assert ((actual - torch.tensor(expected)).abs()[:8] <= apart).all()
    assert actual[8:].eq(0).all()


def test_guidance_joins_before_the_first_linear_and_starts_silent():
    torch.manual_seed(0)
    embedding = TimestepEmbedding(12, 8, 6)
    sinusoid, guidance = torch.randn(2, 12), torch.randn(2, 6)
    torch.testing.assert_close(embedding(sinusoid, guidance), embedding(sinusoid))
    torch.nn.init.normal_(embedding.cond_proj.weight)
    moved = sinusoid + guidance @ embedding.cond_proj.weight.T
    torch.testing.assert_close(embedding(sinusoid, guidance), embedding(moved))


@pytest.mark.parametrize("guidance_width", [None, 6])
def test_the_time_embedding_is_diffusers_own(guidance_width):
    """Start, names and numbers."""
    from diffusers.models.embeddings import TimestepEmbedding as Reference

    torch.manual_seed(0)
    ours = TimestepEmbedding(12, 8, guidance_width)
    torch.manual_seed(0)
    reference = Reference(12, 8, cond_proj_dim=guidance_width)
    state = reference.state_dict()
    assert list(ours.state_dict()) == list(state)
    for name, value in ours.state_dict().items():
        start = torch.zeros_like(value) if name.startswith("cond_proj") else state[name]
        assert torch.equal(value, start)
    for parameter in reference.parameters():
        torch.nn.init.normal_(parameter)
    ours.load_state_dict(reference.state_dict())
    inputs = (
        [torch.randn(2, 12)] if guidance_width is None else [torch.randn(2, 12), torch.randn(2, 6)]
    )
    assert torch.equal(ours(*inputs), reference(*inputs))


def test_positions_are_added_and_not_centred():
    torch.manual_seed(0)
    positions = LearnedPositions(64)
    assert positions.pe.shape == (500, 1, 64)
    assert positions.pe.min() >= 0
    assert positions.pe.mean().item() == pytest.approx(0.5, abs=5 * (12 * 500 * 64) ** -0.5)
    x = torch.randn(2, 5, 64)
    torch.testing.assert_close(positions(x)[1, 3], x[1, 3] + positions.pe[3, 0])
    with pytest.raises(ValueError, match="500 positions"):
        positions.first(501)
