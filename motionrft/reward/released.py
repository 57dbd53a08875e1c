"""What the released code of MotionReward does where this suite does otherwise: one override of `Rules` a switch.

`reward.official.<switch>` turns an override on; all are off by default, and any of them go together. Paths are those
of the MotionRFT repository under `motionreward/`, or of the EasyTune repository where it says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import JOINT, KINEMATIC
from motionrft.options import refuse_unknown
from motionrft.reward.data.labelled import LabelledMotions
from motionrft.reward.data.views import MAX_FRAMES, MotionViews, View
from motionrft.reward.latent import Reading, draws
from motionrft.reward.noise_schedule import NoiseLaw
from motionrft.reward.rules import Rules
from motionrft.reward.self_refinement import divergence_from_targets
from motionrft.training.loop import DivergenceError


@dataclass(frozen=True)
class ReleasedNoiseLaw(NoiseLaw):
    """trainers/lora_trainer.py:339-348, training/train_retrieval_lora_new.py:123-137."""

    def weights(self) -> Tensor:
        """Not normalised: the first fifty steps hold 26 % of the draws, not the intended 80 %."""
        weights = torch.empty(self.max_t)
        weights[: self.low_steps] = self.low_share / self.max_t
        weights[self.low_steps :] = (1 - self.low_share) / 399  # the released constant
        return weights

    def noisy(self, coins: Tensor) -> Tensor:
        """One coin for the whole batch."""
        return (coins[:1] < self.probability).expand(len(coins))

    def token_steps(self, steps: Tensor, noisy: Tensor) -> Tensor:
        """Clean motions too carry the token of a random step."""
        return steps

    def noised_frames(self, lengths: Tensor, frames: int) -> Tensor | None:
        """Noise falls on padding too."""
        return None

    def target(self, clean: Tensor, corrupted: Tensor) -> Tensor:
        """The noised motion is what is reconstructed."""
        return corrupted


class Noise(Rules):
    """Stage 1: `ReleasedNoiseLaw`."""

    noise_law = ReleasedNoiseLaw


class Reconstruction(Rules):
    """Stage 1: the mean of L_rec counts padding, so that short clips weigh less (models/lora_retrieval.py)."""

    def counted_frames(self, lengths: Tensor, frames: int) -> Tensor | None:
        """All of them."""
        return None


class Alignment(Rules):
    """Stage 1 aligns kinematic and joint features only (trainers/lora_trainer.py:359-369); stage 3 knows no
    rotations (utils/data_utils.py:474)."""

    authenticity_representations = (KINEMATIC, JOINT)

    def aligned_pairs(self, representations: Sequence[str]) -> list[tuple[str, str]]:
        """One pair, or none."""
        return [(KINEMATIC, JOINT)] if {KINEMATIC, JOINT} <= set(representations) else []


class Selection(Rules):
    """The test split selects the weights of stages 1 and 3 (utils/data_utils.py:85, 495-507)."""

    selection_split = "test"


class Sampled(Rules):
    """Every embedding is a random draw: retrieval, heads and rewards (models/lora_retrieval.py)."""

    def reading(self, generator: torch.Generator) -> Reading:
        """Draws."""
        return draws(generator)


def padded_item(
    motion: Tensor, normaliser: Normaliser, max_frames: int, *, generated: bool
) -> tuple[Tensor, int]:
    """A released data-set item [max_frames, dim] and the length it is marked with.

    Z-scored, then cut or zero-padded, and marked full length; `generated`: padded before z-scoring and marked
    with its true length (datasets/ai_detection_datasets.py:308-316, 323-340).
    """
    kept = motion[:max_frames]
    padding = (0, 0, 0, max_frames - len(kept))
    if generated:
        return normaliser.normalise(F.pad(kept, padding)), len(kept)
    return F.pad(normaliser.normalise(kept), padding), max_frames


class PaddedPairViews(MotionViews):
    """Motions at the longest frame count, attended throughout, without time token or noise."""

    def batch(
        self, data: LabelledMotions, rows: Sequence[int], seeds: Sequence[Sequence[int]] | None
    ) -> tuple[Tensor, Tensor]:
        """`padded_item` of each."""
        items = [
            padded_item(
                data.raw(row),
                data.normaliser(row),
                MAX_FRAMES,
                generated=self.told_apart(data, row),
            )
            for row in rows
        ]
        return torch.stack([item[0] for item in items]), torch.tensor([item[1] for item in items])

    def told_apart(self, data: LabelledMotions, row: int) -> bool:
        """Whether the item is laid out as a generated one."""
        return False

    def clean(self, features: Tensor, lengths: Tensor, *, token: bool) -> View:
        """Neither lengths nor token."""
        return View(features, None, None)

    def noised(
        self, batches: list[tuple[Tensor, Tensor]], law: NoiseLaw, generator: torch.Generator
    ) -> list[View]:
        """Never noised."""
        return [self.clean(*batch, token=False) for batch in batches]


class LeakingViews(PaddedPairViews):
    """Real clips marked full length behind zero padding, generated ones with their true lengths: the mask tells
    the classes apart."""

    def told_apart(self, data: LabelledMotions, row: int) -> bool:
        """Generated ones are."""
        return data.generated(row)

    def marked_lengths(self, frames: np.ndarray, generated: np.ndarray) -> np.ndarray:
        """Full where real."""
        return np.where(generated, frames.clip(max=MAX_FRAMES), MAX_FRAMES)

    def clean(self, features: Tensor, lengths: Tensor, *, token: bool) -> View:
        """The lengths as marked, no token."""
        return View(features, lengths, None)


class PaddedPairs(Rules):
    """Stage 2 sees `PaddedPairViews` (models/lora_retrieval.py:957, datasets/critic_datasets.py)."""

    pair_views = PaddedPairViews()


class LeakingMask(Rules):
    """Stage 3 sees `LeakingViews` (datasets/ai_detection_datasets.py:308-316, 323-340)."""

    authenticity_views = LeakingViews()


class Unbalanced(Rules):
    """Stage 3: every motion weighs the same, however many generators stand against the real clips."""

    def class_weights(self, generated: float) -> tuple[float, float]:
        """Equal."""
        return 1.0, 1.0


def spl_softmax_loss(true: Tensor, best: Tensor, solved: Tensor, temperature: float) -> Tensor:
    """L_SPL as the logarithm of a soft-max, which is infinite once it underflows; logits are divided by the
    temperature twice, and only once here (EasyTune train_spm.py, `compute_finetune_loss`)."""
    logits = torch.stack([true, best], dim=1) / temperature
    return divergence_from_targets(logits.softmax(dim=1).log(), solved)


class SplSoftmax(Rules):
    """Self-refinement: `spl_softmax_loss` at the temperature's square."""

    def spl_loss(self, true: Tensor, best: Tensor, solved: Tensor, temperature: float) -> Tensor:
        """Two divisions by the temperature."""
        return spl_softmax_loss(true, best, solved, temperature**2)

    def diverged(self, problem: DivergenceError) -> pd.DataFrame:
        """This formula may diverge: the history says at which step."""
        return pd.DataFrame([{"step": problem.step, "name": "diverged", "value": 1.0}])


class NoCleanToken(Rules):
    """Retrieval and reward give a clean motion no time token (evaluation/tmr_eval.py:74-75)."""

    clean_token = False


SWITCHES: dict[str, type[Rules]] = {
    "noise": Noise,
    "reconstruction": Reconstruction,
    "alignment": Alignment,
    "selection": Selection,
    "sampled": Sampled,
    "padded_pairs": PaddedPairs,
    "leaking_mask": LeakingMask,
    "unbalanced": Unbalanced,
    "spl_softmax": SplSoftmax,
    "no_clean_token": NoCleanToken,
}


def rules_of(switches: Mapping[str, bool], where: str = "config") -> Rules:
    """The sound rules, except those whose switch is on. An unknown switch is an `InputError`."""
    refuse_unknown(switches, SWITCHES, where=where, field="reward.official")
    overrides = [kind for name, kind in SWITCHES.items() if switches.get(name, False)]
    rules: Rules = type("Rules", (*overrides, Rules), {})()
    return rules
