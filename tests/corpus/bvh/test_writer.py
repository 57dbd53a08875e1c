"""What is written comes back, from angles that are not unique too."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from motionrft.corpus.bvh.file import read_bvh
from motionrft.corpus.bvh.writer import write_bvh


@pytest.mark.parametrize("middle", [25.0, 90.0, -90.0])
def test_rotations_come_back(middle, tmp_path, recwarn):
    turned = Rotation.from_euler("ZYX", [[30.0, middle, 20.0]] * 6, degrees=True)
    local = torch.from_numpy(turned.as_matrix()).unflatten(0, (2, 3))
    offsets = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.3, 0.0, 0.0]])
    places = torch.tensor([[0.1, 1.0, 0.2], [0.2, 1.0, 0.2]])
    path = tmp_path / "a.bvh"
    write_bvh(path, ["hips", "spine", "arm"], [-1, 0, 1], offsets, places, local, 20.0)
    assert not recwarn.list
    motion = read_bvh(path)
    joints = [motion.names.index(name) for name in ("hips", "spine", "arm")]
    back = Rotation.from_quat(motion.rotation[:, joints].reshape(-1, 4))
    assert (back * turned.inv()).magnitude().max() < 1e-6
    np.testing.assert_allclose(motion.translation[:, 0] / 100, places, atol=1e-7)
