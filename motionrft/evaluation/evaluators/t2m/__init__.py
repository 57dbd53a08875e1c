"""Guo et al.'s text-motion matching networks ("T2M"), official, as ACMDM retrained them, or trained on a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from motionrft.evaluation.evaluator import Evaluator, EvaluatorKind, OfficialEvaluator
from motionrft.evaluation.evaluators.t2m import official, training
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextCache


class T2M(EvaluatorKind):
    def build(self, arguments: dict[str, Any], normaliser: Normaliser) -> Evaluator:
        options = dict(arguments)
        return TextMotionMatch(Widths(**options.pop("widths")), normaliser, **options)

    def read_official(
        self, settings: dict[str, Any], features: str | Path, text: str | Path | None, where: str
    ) -> OfficialEvaluator:
        del text  # it reads words
        return official.read_official(settings, features, where)

    def train(
        self,
        settings: dict[str, Any],
        features: str | Path,
        text: TextCache,
        checkpoint: str | Path,
        device: torch.device | str,
        seed: int = 0,
    ) -> tuple[Evaluator, dict[str, Any], pd.DataFrame]:
        return training.train_evaluator(settings, features, text, checkpoint, device, seed)


EVALUATOR = T2M()
