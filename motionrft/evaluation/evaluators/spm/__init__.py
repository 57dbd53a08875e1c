"""HY-Motion's evaluator: the step-aware retrieval model ("SPM") that MotionReward grew out of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motionrft.evaluation.evaluator import Evaluator, EvaluatorKind, OfficialEvaluator
from motionrft.evaluation.evaluators.spm import official
from motionrft.evaluation.evaluators.spm.model import SPM
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.network_settings import NetworkSettings


class StepAwareRetrieval(EvaluatorKind):
    def build(self, arguments: dict[str, Any], normaliser: Normaliser) -> Evaluator:
        return SPM(NetworkSettings(**arguments["spm"]), normaliser)

    def read_official(
        self, settings: dict[str, Any], features: str | Path, text: str | Path | None, where: str
    ) -> OfficialEvaluator:
        del features  # it reads no words of the corpus
        return official.read_official(settings, text, where)


EVALUATOR = StepAwareRetrieval()
