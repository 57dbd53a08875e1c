"""Clips of HumanML3D whose features are extracted here, from joints made of the sources of its motions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch

from motionrft.corpus.official.layout import HUMANML3D_LAYOUT, OFFICIAL_FPS
from motionrft.corpus.official.reader import clips_of
from motionrft.corpus.official.texts import Texts
from motionrft.corpus.report import Report
from motionrft.corpus.store import Clip
from motionrft.motion.kinematic import process
from motionrft.motion.skeleton import mirror


def with_mirrored(name: str, joints: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The motion [T, 22, 3] and, as `M<name>`, its mirror image."""
    yield name, joints
    yield f"M{name}", mirror(torch.from_numpy(joints)).numpy()


def extracted_clips(
    motions: Iterable[tuple[str, np.ndarray]],
    split_of: Mapping[str, str],
    texts: Texts,
    compat: str,
    report: Report,
) -> Iterator[Clip]:
    """The clips of (name, joints [T, 22, 3]) that are in a split, each with features of the whole clip, which
    captions then cut into parts."""
    for name, joints in motions:
        if name not in split_of:
            continue
        if len(joints) < 2:
            report.left_out("too short", f"{name}: {len(joints)} frames")
            continue
        lengths = torch.tensor([len(joints)])
        features, _ = process(torch.from_numpy(joints)[None], lengths, compat=compat)
        if not bool(features.isfinite().all()):
            report.left_out("NaN", f"{name}: undefined features")
            continue
        yield from clips_of(
            name,
            features[0].numpy(),
            texts(name, report),
            split_of[name],
            HUMANML3D_LAYOUT,
            OFFICIAL_FPS,
            report,
        )
