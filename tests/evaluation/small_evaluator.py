"""A small evaluator of random weights."""

from __future__ import annotations

import torch

from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.motion.normaliser import Normaliser


def small_evaluator(dim: int = 20, **options) -> TextMotionMatch:
    """On features of width `dim` and words of width 5, in eval mode."""
    torch.manual_seed(0)
    normaliser = Normaliser(torch.randn(dim), torch.rand(dim) + 0.5)
    return TextMotionMatch(Widths(8, 8, 8, 8, 6), normaliser, word=5, **options).eval()
