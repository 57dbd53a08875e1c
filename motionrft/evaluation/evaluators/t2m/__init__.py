"""Guo et al.'s text-motion matching networks ("T2M"), official, as ACMDM retrained them, or trained on a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motionrft.evaluation.evaluator import Evaluator, EvaluatorKind, OfficialEvaluator
from motionrft.evaluation.evaluators.t2m import official, training
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.motion.normaliser import Normaliser


class T2M(EvaluatorKind):
    def build(self, arguments: dict[str, Any], normaliser: Normaliser) -> Evaluator:
        options = dict(arguments)
        return TextMotionMatch(Widths(**options.pop("widths")), normaliser, **options)

    def read_official(
        self, settings: dict[str, Any], features: str | Path, text: str | Path | None, where: str
    ) -> OfficialEvaluator:
        del text  # it reads words
        return official.read_official(settings, features, where)

    train = staticmethod(training.train_evaluator)


EVALUATOR = T2M()
