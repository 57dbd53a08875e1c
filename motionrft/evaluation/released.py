"""The protocols of five released code bases, each so that its own table can be read.

A class overrides the rules of `Protocol` that its code changes, and says what of the code is not reproduced. What
belongs to one evaluator (ACMDM's 67 channels, normals) shows with that evaluator only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.corpus.dataset import UNIT
from motionrft.evaluation.protocol import Draw, MultiModalityPlan, Protocol
from motionrft.motion.representation import KINEMATIC


@dataclass(frozen=True)
class ShuffledBatches(Protocol):
    """Guo et al.'s loader, which MDM and ACMDM took over: batches of 32 are the groups of R-Precision, and the
    incomplete last batch is dropped from everything (`drop_last`)."""

    def rows(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return super().rows(count, rng)[: count // self.group * self.group]

    def generated(self, count: int) -> int:
        return super().generated(count) // self.group * self.group

    def groups(self, generated: int, rng: np.random.Generator) -> np.ndarray:
        return np.arange(generated)


@dataclass(frozen=True)
class T2M(ShuffledBatches):
    """Guo et al. 2022 (text-to-motion, `final_evaluations.py`): FID against a second pass over the real motions, for
    models as for the row of real motions; lengths drawn from captions with the released estimator (`lengths.py`;
    without that file the reference's, and the record says so).

    Not reproduced: a length of no frame at all, which that code can draw; one unit here.
    """

    name: str = "t2m"
    estimates_lengths = True

    def reference(self, drawn: Draw, second: Callable[[], Draw], real: bool) -> Draw | None:
        return second()


@dataclass(frozen=True)
class MDM(ShuffledBatches):
    """MDM (motion-diffusion-model, `eval/eval_humanml.py`): FID against a second pass; 1,000 generated against all
    real motions; MultiModality on 128 texts in five replications; frames after a motion's length are what the model
    emits, and the last token of the evaluator sees them."""

    name: str = "mdm"
    limit: int = 1000
    multimodality: MultiModalityPlan = field(
        default_factory=lambda: MultiModalityPlan(texts=128, replications=5)
    )
    frames_beyond = UNIT

    def reference(self, drawn: Draw, second: Callable[[], Draw], real: bool) -> Draw | None:
        return second()

    def after_length(
        self, inputs: list[Tensor], emitted: list[Tensor], comparable: bool
    ) -> list[Tensor]:
        return emitted if comparable else inputs


@dataclass(frozen=True)
class MLD(Protocol):
    """MLD, MotionLCM and MotionRFT on MLD (`mld/models/metrics/tm2t.py`): FID against the same pass, so that Real's
    is 0; padding that is zero in the training space and then renormalised, which moves the last token of official
    evaluators."""

    name: str = "mld"

    def reference(self, drawn: Draw, second: Callable[[], Draw], real: bool) -> Draw | None:
        return drawn

    def padding(self, reads: str, training_mean: Tensor) -> Tensor | None:
        return training_mean if reads == KINEMATIC else None


@dataclass(frozen=True)
class ACMDM(ShuffledBatches):
    """ACMDM (`utils/eval_utils.py`): as T2M's loader with one pass, so that Real's FID is 0; MultiModality on 96
    texts; with its 67-channel evaluator joints are padded with their mean before features are extracted, and the
    smoothed heading sees the padding; CLIP-score with its MotionCLIP.

    Not reproduced: its NaN CLIP-scores. There padding 80 frames after a clip is undefined, here padding is masked.
    """

    name: str = "acmdm"
    multimodality: MultiModalityPlan = field(default_factory=lambda: MultiModalityPlan(texts=96))

    def reference(self, drawn: Draw, second: Callable[[], Draw], real: bool) -> Draw | None:
        return drawn

    def joint_frames(self) -> int:
        return self.max_frames


@dataclass(frozen=True)
class HYMotion(Protocol):
    """MotionRFT on HY-Motion (`eval_hy.py`): one entry a file (no captioned parts of others), whole motions up to 196 frames, the
    first caption, in order, the short last group kept; embeddings drawn from their normals
    (`evaluators/spm/model.py`), then of unit length; Diversity on at most half as many pairs as motions; Real's FID
    is written as 0. Five replications there.

    Not reproduced: a caption of a part for the whole motion, where it is a file's first; real motions scored as
    generated ones when sampling fails.
    """

    name: str = "hymotion"
    keeps_tail = True

    def clips(self, table: pd.DataFrame) -> pd.DataFrame:
        part = [
            bool(source) and name != source and name.endswith(f"_{source}")
            for name, source in zip(table["clip"], table["source"], strict=True)
        ]
        return table[~np.array(part)].reset_index(drop=True)

    def rows(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return np.arange(count)

    def crops(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(frames), dtype=np.int64), np.minimum(frames, self.max_frames)

    def captions(self, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # drawn all the same, so that later draws do not depend on this rule
        return np.zeros_like(super().captions(counts, rng))

    def groups(self, generated: int, rng: np.random.Generator) -> np.ndarray:
        return np.arange(generated)

    def pairs(self, generated: int) -> int:
        return min(self.diversity_pairs, generated // 2)

    def reference(self, drawn: Draw, second: Callable[[], Draw], real: bool) -> Draw | None:
        return None if real else drawn

    def embedding_noise(self, seed: int, replication: int) -> torch.Generator | None:
        state = np.random.SeedSequence([seed, replication, 5]).generate_state(1)
        return torch.Generator().manual_seed(int(state[0]))

    def scaled(self, embeddings: Tensor) -> Tensor:
        return F.normalize(embeddings, dim=-1)


RELEASED: dict[str, Protocol] = {
    rules.name: rules for rules in (T2M(), MDM(), MLD(), ACMDM(), HYMotion())
}
