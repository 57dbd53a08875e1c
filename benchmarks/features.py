"""Throughput of the kinematic features: the batched code against a plain per-clip, per-joint one, same run.

    OMP_NUM_THREADS=1 python benchmarks/features.py [--clips 96] [--frames 200] [--batch 24] [--corpus 2000]

The plain code below does what the field's scripts do, one clip at a time in numpy: inverse kinematics joint by
joint along each chain, forward kinematics, the same again on the retargeted body, one quaternion an operation.
It is checked to give the same features. Quote the ratio, not the clips a second: those are this machine's.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from motionrft.configuration.schema import validate
from motionrft.corpus.features import write_features
from motionrft.corpus.kinds.toy import CORPUS
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip, write_corpus
from motionrft.motion.kinematic import process
from motionrft.motion.skeleton import SMPL_22

RAW = np.array(SMPL_22.directions)
OFFSETS = RAW * np.array(SMPL_22.lengths)[:, None]
UP, FORWARD = np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.sqrt((v**2).sum(-1, keepdims=True))


def multiply(q: np.ndarray, r: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(q, -1, 0)
    a, b, c, d = np.moveaxis(r, -1, 0)
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        -1,
    )


def inverse(q: np.ndarray) -> np.ndarray:
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    across = np.cross(q[..., 1:], v)
    return v + 2 * (q[..., :1] * across + np.cross(q[..., 1:], across))


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = np.broadcast_arrays(a, b)
    w = np.sqrt((a**2).sum(-1) * (b**2).sum(-1)) + (a * b).sum(-1)
    return unit(np.concatenate([w[..., None], np.cross(a, b)], -1))


def inverse_kinematics(joints: np.ndarray, smooth: bool) -> np.ndarray:
    """[T, 22, 4] local rotations, the root's first."""
    right_hip, left_hip, right_shoulder, left_shoulder = SMPL_22.faces
    across = unit(
        joints[:, left_hip]
        - joints[:, right_hip]
        + joints[:, right_shoulder]
        - joints[:, left_shoulder]
    )
    forward = np.cross(UP, across)
    if smooth:
        forward = gaussian_filter1d(forward, 20, axis=0, mode="nearest")
    root = between(unit(forward), FORWARD)
    root[0] = (1, 0, 0, 0)
    local = np.zeros((*joints.shape[:2], 4))
    local[:, 0] = root
    for chain in SMPL_22.chains:
        above = root
        for parent, joint in itertools.pairwise(chain):
            own = between(RAW[joint][None], unit(joints[:, joint] - joints[:, parent]))
            local[:, joint] = multiply(inverse(above), own)
            above = multiply(above, local[:, joint])
    return local


def forward_kinematics(local: np.ndarray, root: np.ndarray) -> np.ndarray:
    joints = np.zeros((*local.shape[:2], 3))
    joints[:, 0] = root
    for chain in SMPL_22.chains:
        above = local[:, 0]
        for parent, joint in itertools.pairwise(chain):
            above = multiply(above, local[:, joint])
            joints[:, joint] = joints[:, parent] + rotate(
                above, np.tile(OFFSETS[joint], (len(joints), 1))
            )
    return joints


def six(q: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(q, -1, 0)
    return np.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y + w * z),
            2 * (x * z - w * y),
            2 * (x * y - w * z),
            1 - 2 * (x * x + z * z),
            2 * (y * z + w * x),
        ],
        -1,
    )


def plain(joints: np.ndarray) -> np.ndarray:
    """Features [T-1, 263] of one clip [T, 22, 3]."""
    lengths = {
        bone: np.linalg.norm(joints[0, bone] - joints[0, SMPL_22.parents[bone]])
        for bone in SMPL_22.scale_bones
    }
    scale = sum(SMPL_22.lengths[bone] for bone in SMPL_22.scale_bones) / sum(lengths.values())
    joints = forward_kinematics(inverse_kinematics(joints, smooth=False), joints[:, 0] * scale)
    joints[..., 1] -= joints[..., 1].min()
    joints -= joints[0, 0] * np.array([1.0, 0.0, 1.0])
    right_hip, left_hip, right_shoulder, left_shoulder = SMPL_22.faces
    across = (
        joints[0, right_hip]
        - joints[0, left_hip]
        + joints[0, right_shoulder]
        - joints[0, left_shoulder]
    )
    turn = between(unit(np.cross(UP, across[None])), FORWARD)
    joints = rotate(np.tile(turn[None], (*joints.shape[:2], 1)), joints)
    local = inverse_kinematics(joints, smooth=True)
    root = local[:, 0]
    step = joints[1:] - joints[:-1]
    moved = rotate(root[1:], step[:, 0])
    yaw = np.arcsin(multiply(root[1:], inverse(root[:-1]))[:, 2:3])
    placed = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    everywhere = np.tile(root[:, None], (1, joints.shape[1], 1))
    positions = rotate(everywhere, placed)[:-1, 1:].reshape(len(step), -1)
    velocity = rotate(everywhere[:-1], step).reshape(len(step), -1)
    contact = ((step[:, list(SMPL_22.feet)] ** 2).sum(-1) < SMPL_22.contact).astype(float)
    height = joints[:-1, 0, 1:2]
    rotations = six(local[:-1, 1:]).reshape(len(step), -1)
    return np.concatenate(
        [yaw, moved[:, [0, 2]], height, positions, rotations, velocity, contact], -1
    )


def seconds(work: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    """The best of some repeats: the least disturbed by whatever else the machine does."""
    best = np.inf
    for _ in range(repeats):
        began = clock()
        work()
        best = min(best, clock() - began)
    return best


def whole_corpus(clips: list[np.ndarray], count: int, workers: list[int]) -> None:
    """Packed corpus to feature store, all three representations and files included, by wall clock."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = (
            Clip(f"{row:06d}", clips[row % len(clips)], ["x"], "train") for row in range(count)
        )
        write_corpus(f"{folder}/corpus", chosen, {})
        for number in workers:
            began = time.perf_counter()
            write_features(
                f"{folder}/corpus", f"{folder}/features", {}, compat="humanml3d", workers=number
            )
            rate = count / (time.perf_counter() - began)
            print(
                f"corpus of {count} clips, {number} processes  {rate:9.1f} clips/s  ({29232 / rate / 60:.1f} min for 29,232)"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--corpus", type=int, default=0, help="also a whole corpus of so many clips"
    )
    parser.add_argument(
        "--workers", type=int, nargs="*", default=[1, 2], help="processes for --corpus"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    # processor seconds of the one thread, so that a busy machine does not blur them; a GPU's need the wall clock
    clock = time.process_time if chosen.device == "cpu" else time.perf_counter
    clips = [
        clip.joints
        for clip in CORPUS(
            validate({"clips": chosen.clips}, "corpus-toy", "benchmark"), "benchmark", Report()
        )
    ]
    # forward and back until there are enough frames
    clips = [
        np.resize(np.concatenate([clip, clip[::-1]]), (chosen.frames, 22, 3)).astype(np.float32)
        for clip in clips
    ]
    batches = [
        (
            torch.from_numpy(np.stack(part)).to(chosen.device),
            torch.full((len(part),), chosen.frames),
        )
        for part in (
            clips[begin : begin + chosen.batch] for begin in range(0, len(clips), chosen.batch)
        )
    ]

    def batched() -> list[torch.Tensor]:
        found = [process(joints, lengths)[0] for joints, lengths in batches]
        if chosen.device != "cpu":
            torch.cuda.synchronize()
        return found

    with torch.no_grad():
        together = torch.cat(batched()).cpu().numpy()
        apart = max(float(np.abs(together[row] - plain(clips[row])).max()) for row in range(8))
        fast = seconds(batched, chosen.repeats, clock)
        single = seconds(
            lambda: [process(joints[:1], lengths[:1]) for joints, lengths in batches],
            chosen.repeats,
            clock,
        ) / len(batches)
    some = clips[:: max(len(clips) // 24, 1)]
    slow = seconds(lambda: [plain(clip) for clip in some], chosen.repeats, clock)
    plain_rate, batched_rate = len(some) / slow, len(clips) / fast
    where = torch.cuda.get_device_name() if chosen.device != "cpu" else "one CPU core"
    print(
        f"{chosen.clips} clips of {chosen.frames} frames, {where}; largest difference {apart:.1e}"
    )
    print(f"plain, clip by clip        {plain_rate:9.1f} clips/s")
    print(
        f"batched, one clip          {1 / single:9.1f} clips/s  {1 / single / plain_rate:6.1f} times"
    )
    print(
        f"batched, {chosen.batch:3d} clips         {batched_rate:9.1f} clips/s  {batched_rate / plain_rate:6.1f} times"
    )
    if chosen.corpus:
        whole_corpus(clips, chosen.corpus, chosen.workers)


if __name__ == "__main__":
    main()
