import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motionrft.errors import InputError
from motionrft.motion import rotation
from tests.same import assert_same

seeds = st.integers(0, 2**31 - 1)


def random_matrix(seed: int, count: int = 20) -> torch.Tensor:
    torch.manual_seed(seed)
    return roma.random_rotmat(count).double()


@given(seed=seeds, order=st.sampled_from(list(rotation.SIX_D)))
@settings(max_examples=15, deadline=None)
def test_six_numbers_and_back(seed, order):
    matrix = roma.special_procrustes(random_matrix(seed))
    assert_same(rotation.matrix_from_6d(rotation.matrix_to_6d(matrix, order), order), matrix)


def test_the_three_orders_differ():
    matrix = torch.arange(9.0).reshape(3, 3)
    found = {order: rotation.matrix_to_6d(matrix, order).tolist() for order in rotation.SIX_D}
    assert found == {
        "humanml3d": [0, 3, 6, 1, 4, 7],
        "hymotion": [0, 1, 3, 4, 6, 7],
        "pytorch3d": [0, 1, 2, 3, 4, 5],
    }
    for convert in (rotation.matrix_to_6d, rotation.matrix_from_6d):
        with pytest.raises(InputError, match="6D order"):
            convert(matrix, "columns")


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_quaternions_and_back(seed):
    matrix = roma.special_procrustes(random_matrix(seed))
    quaternion = rotation.matrix_to_quaternion(matrix)
    assert (quaternion[..., 0] >= 0).all()
    assert_same(rotation.quaternion_to_matrix(quaternion), matrix)
    assert_same(rotation.quaternion_to_matrix(-3 * quaternion), matrix)


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_swing_takes_one_direction_to_the_other_the_short_way(seed):
    torch.manual_seed(seed)
    start, end = torch.nn.functional.normalize(torch.randn(2, 30, 3, dtype=torch.float64), dim=-1)
    matrix = rotation.swing(start, end)
    assert_same((matrix @ start[..., None])[..., 0], end)
    assert torch.allclose(torch.linalg.det(matrix), torch.ones(30, dtype=torch.float64))
    angle = rotation.matrix_to_axis_angle(matrix).norm(dim=-1)
    # an arc cosine near one is the root of a difference of 2^-53
    assert torch.allclose(
        angle, torch.acos((start * end).sum(-1).clamp(-1, 1)), atol=2 * 2.0**-26.5
    )


@pytest.mark.parametrize("axis", torch.eye(3).tolist())
def test_swing_to_the_opposite_is_a_half_turn(axis):
    start = torch.tensor(axis, dtype=torch.float64, requires_grad=True)
    matrix = rotation.swing(start, -start.detach())
    assert torch.allclose(matrix @ start, -start)
    assert torch.allclose(torch.linalg.det(matrix), torch.tensor(1.0, dtype=torch.float64))
    matrix.sum().backward()
    assert start.grad is not None
    assert start.grad.isfinite().all()


@pytest.mark.usefixtures("float64")
def test_turning_back_undoes_turning():
    torch.manual_seed(0)
    points, angle = torch.randn(2, 3, 4, 3), torch.randn(2, 3)
    half = torch.stack([angle.cos(), angle.sin()], -1)
    turned = rotation.turn(points, half)
    assert_same(rotation.turn(turned, half, back=True), points)
    quaternion = torch.stack([half[..., 0], 0 * angle, half[..., 1], 0 * angle], -1)
    expected = (rotation.quaternion_to_matrix(quaternion)[:, :, None] @ points[..., None])[..., 0]
    assert_same(turned, expected)
