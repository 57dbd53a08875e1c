"""Motions out into the official layout: for tools that read nothing else, and for the round trip in the tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from motionrft.corpus.captions import Caption, plain_tokens
from motionrft.corpus.features import FLOOR, blocks
from motionrft.corpus.store import SPLITS, Clip
from motionrft.files import atomic
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.kinematic import process
from motionrft.motion.recovery import joints_from_positions
from motionrft.motion.representation import KINEMATIC
from motionrft.motion.skeleton import SMPL_22, Skeleton


def captions_of(clip: Clip) -> list[Caption]:
    """The clip's captions; tokens from `extra["tokens"]` where they are known."""
    tagged: Sequence[str] = clip.extra.get("tokens", [])
    tokens = [tuple(line.split()) for line in tagged] or [
        plain_tokens(text) for text in clip.captions
    ]
    return [Caption(text, words) for text, words in zip(clip.captions, tokens, strict=True)]


def write_official(
    folder: str | Path,
    clips: Iterable[tuple[Clip, list[Caption]]],
    *,
    skeleton: Skeleton = SMPL_22,
    bone_lengths: torch.Tensor | None = None,
) -> None:
    """Writes new_joints, new_joint_vecs, texts, split files and the statistics over all clips.

    Each clip's features come with it, or are extracted from its joints (then one frame fewer), always in the
    official variant.
    """
    folder = Path(folder)
    for name in ("new_joints", "new_joint_vecs", "texts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    names: dict[str, list[str]] = {split: [] for split in SPLITS}
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for clip, captions in clips:
        features = clip.features
        if features is None:
            joints = torch.from_numpy(np.asarray(clip.joints, dtype=np.float32))[None]
            extracted, _ = process(
                joints,
                torch.tensor([len(clip.joints)]),
                skeleton=skeleton,
                compat=HUMANML3D,
                bone_lengths=bone_lengths,
            )
            features = extracted[0].numpy()
        described = joints_from_positions(torch.from_numpy(features)[None], len(skeleton))[
            0
        ].numpy()
        for name, array in (("new_joint_vecs", features), ("new_joints", described)):
            with atomic(folder / name / f"{clip.name}.npy") as temporary:
                np.save(temporary, array)
        text = "".join(f"{caption.line()}\n" for caption in captions)
        (folder / "texts" / f"{clip.name}.txt").write_text(text, encoding="utf-8")
        names[clip.split].append(clip.name)
        exact = features.astype(np.float64)
        if not np.isfinite(exact).all():
            continue  # as officially, broken files are written and not counted
        count, total, squares = (
            count + len(exact),
            total + exact.sum(0),
            squares + (exact**2).sum(0),
        )
    for split, chosen in names.items():
        (folder / f"{split}.txt").write_text(
            "".join(f"{name}\n" for name in chosen), encoding="utf-8"
        )
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    for block in blocks(len(skeleton)):
        std[block] = max(std[block].mean(), FLOOR[KINEMATIC])
    np.save(folder / "Mean.npy", mean.astype(np.float32))
    np.save(folder / "Std.npy", std.astype(np.float32))
