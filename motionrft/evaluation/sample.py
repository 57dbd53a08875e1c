"""Motions of a pre-trained backbone for captions of every split: what a reward learns "generated" from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motionrft.backbones.base import Backbone
from motionrft.backbones.generate import generate
from motionrft.corpus.dataset import MotionDataset
from motionrft.corpus.samples import Samples
from motionrft.corpus.store import SPLITS
from motionrft.evaluation.convert import Converter
from motionrft.text.features import TextCache

LEAST = 8  # prompts of a split, however small its share


def sample_splits(
    backbone: Backbone,
    sampler: dict[str, Any],
    features: str | Path,
    text: TextCache,
    name: str,
    prompts: int,
    seed: int = 0,
) -> Samples:
    """One motion for each of about `prompts` clips, drawn from the splits in proportion to their sizes.

    A prompt is a clip's first caption and its length. The draw of clips depends on the seed alone, so
    that all backbones sample the same prompts; the noise does too.
    """
    splits = [
        MotionDataset(features, backbone.representation, split, max_frames=backbone.max_frames)
        for split in SPLITS
    ]
    total = sum(len(split) for split in splits)
    motions, captions, clips = [], [], []
    for number, split in enumerate(splits):
        count = min(max(round(prompts * len(split) / total), LEAST), len(split))
        rng = np.random.default_rng([seed, 31, number])
        batch = split.rows(rng.permutation(len(split))[:count])
        noise = [int(word) for word in rng.integers(2**62, size=count)]
        motions += generate(backbone, sampler, batch.captions, batch.lengths, noise, text)
        captions += batch.captions
        clips += batch.clips
    joints = Converter(backbone.representation, splits[0].store.about).joints(motions)
    return Samples(backbone.representation, motions, joints, captions, clips, name, {})
