"""Bones that keep their length."""

from __future__ import annotations

import pytest
import torch

from motionrft.motion.rigid import rigid
from motionrft.motion.skeleton import SMPL_22


def bodies(frames: int, clips: int = 2, seed: int = 0) -> torch.Tensor:
    """[B, T, 22, 3]: the rest pose with bones pulled at random."""
    generator = torch.Generator().manual_seed(seed)
    rest = SMPL_22.rest_offsets().double()
    noise = 0.02 * torch.randn(clips, frames, 22, 3, generator=generator, dtype=torch.float64)
    root = torch.tensor([1.0, 0.9, -2.0], dtype=torch.float64)
    return root + SMPL_22.ancestors.double() @ (rest + noise)


def sizes(joints: torch.Tensor) -> torch.Tensor:
    bones = joints[..., 1:, :] - joints[..., list(SMPL_22.parents[1:]), :]
    return bones.norm(dim=-1)


def test_every_bone_has_its_mean_length_in_every_frame():
    joints, lengths = bodies(12), torch.tensor([12, 7])
    stiff = rigid(joints, lengths)
    for row, length in enumerate(lengths.tolist()):
        mean = sizes(joints)[row, :length].mean(0)
        torch.testing.assert_close(sizes(stiff)[row, :length], mean.expand(length, -1))
    torch.testing.assert_close(stiff[..., 0, :], joints[..., 0, :])
    again = rigid(stiff, lengths)
    torch.testing.assert_close(again[0], stiff[0])


def test_a_rigid_body_stays_as_it_is():
    joints = bodies(1).expand(-1, 9, -1, -1)
    torch.testing.assert_close(rigid(joints, torch.tensor([9, 5])), joints)


def test_the_gradient_is_that_of_finite_differences():
    joints = bodies(3, clips=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: rigid(x, torch.tensor([3])), joints)


@pytest.mark.parametrize("frames", [1, 4])
def test_a_bone_of_no_length_is_finite(frames):
    joints = torch.zeros(1, frames, 22, 3, requires_grad=True)
    rigid(joints, torch.tensor([frames])).sum().backward()
    assert bool(joints.grad.isfinite().all())
