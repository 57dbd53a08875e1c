"""The SMPL+H path through the real package, on a small body model in the official file's layout."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from motionrft.corpus.kinds import amass
from motionrft.errors import InputError
from motionrft.motion.skeleton import SMPL_22

VERTICES = 6890
PARENTS = [*SMPL_22.parents]
for wrist in (20, 21):
    for _ in range(5):  # fingers of three joints
        PARENTS += [wrist, len(PARENTS), len(PARENTS) + 1]


def write_model(path: Path, size: float) -> np.ndarray:
    """model.npz whose vertex j is joint j, a metre longer a unit of the first shape coefficient; the rest joints."""
    rest = np.zeros((len(PARENTS), 3))
    rest[0] = 0.01, -0.2, 0.02
    for joint, parent in enumerate(PARENTS[1:], start=1):
        rest[joint] = rest[parent] + np.array([0.05 * (joint % 3 - 1), 0.1, 0.02 * (joint % 2)])
    rest *= size
    template = np.zeros((VERTICES, 3), np.float32)
    template[: len(rest)] = rest
    regressor = np.zeros((len(rest), VERTICES), np.float32)
    regressor[np.arange(len(rest)), np.arange(len(rest))] = 1
    shapes = np.zeros((VERTICES, 3, 16), np.float32)
    shapes[: len(rest), 1, 0] = 1
    shapes[: len(rest), 1, 10:] = 9  # coefficients beyond the tenth must not count
    path.parent.mkdir(parents=True)
    np.savez(
        path,
        v_template=template,
        shapedirs=shapes,
        posedirs=np.zeros((VERTICES, 3, 9 * (len(rest) - 1)), np.float32),
        J_regressor=regressor,
        weights=np.eye(len(rest), dtype=np.float32)[np.arange(VERTICES) % len(rest)],
        kintree_table=np.array([PARENTS, range(len(rest))]),
        f=np.zeros((1, 3), np.int64),
        hands_componentsl=np.eye(45), hands_componentsr=np.eye(45),
        hands_meanl=np.full(45, 0.5), hands_meanr=np.full(45, 0.5),
    )  # fmt: skip
    return rest


def rotated(rest: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Forward kinematics in closed form, one frame: [52, 3] of axis-angle poses [156] on rest joints."""
    import roma

    local = roma.rotvec_to_rotmat(torch.from_numpy(poses).view(-1, 3)).numpy()
    world, place = [local[0]], [rest[0]]
    for joint, parent in enumerate(PARENTS[1:], start=1):
        place.append(place[parent] + world[parent] @ (rest[joint] - rest[parent]))
        world.append(world[parent] @ local[joint])
    return np.stack(place)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> tuple[Path, dict[str, np.ndarray]]:
    folder = tmp_path_factory.mktemp("smplh")
    sizes = {"male": 1.0, "female": 0.9}
    return folder, {
        gender: write_model(folder / gender / "model.npz", size) for gender, size in sizes.items()
    }


def test_joints_are_the_forward_kinematics_of_every_pose_part(models, monkeypatch):
    """Root, body and both hands in their order, the hands' mean left out, shape and place, frames in blocks."""
    pytest.importorskip("smplx")
    folder, rest = models
    monkeypatch.setattr(amass, "FRAMES", 3)
    rng = np.random.default_rng(0)
    poses, places = rng.normal(0, 0.4, (7, 156)), rng.normal(size=(7, 3))
    poses[0] = 0
    betas = np.zeros(10)
    betas[0] = 0.25
    body = amass.smplh(folder)
    for gender in ("male", "female"):
        found = body(poses, places, betas, gender)
        assert found.shape == (7, 52, 3)
        shaped = rest[gender] + np.array([0, 0.25, 0])
        for frame in range(7):
            wanted = rotated(shaped, poses[frame]) + places[frame]
            assert np.allclose(found[frame], wanted, atol=2e-6), (gender, frame)


def test_without_the_package_its_extra_is_named(models, monkeypatch):
    folder, _ = models
    monkeypatch.setitem(sys.modules, "smplx", None)
    with pytest.raises(InputError, match=r"smplx is not installed.*motionrft\[amass\]"):
        amass.smplh(folder)
