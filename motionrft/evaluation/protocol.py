"""How a test set is drawn, grouped and compared: the sound rules.

The field's numbers come from protocols that differ quietly (crops, groups, which motions FID compares). Those of five
code bases stand in `released.py`, each overriding the rules that it changes; a record says which one made a number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from motionrft.corpus.dataset import UNIT
from motionrft.errors import InputError
from motionrft.metrics.generation import GROUP
from motionrft.training.loop import Precision


@dataclass(frozen=True)
class MultiModalityPlan:
    """texts x repeats generations, `pairs` drawn among the repeats; in the first `replications` only."""

    texts: int = 100
    repeats: int = 30
    pairs: int = 10
    replications: int = 20


@dataclass(frozen=True)
class Protocol:
    """Rules of one replication, after Guo et al. 2022, section 5.1.

    limit: most motions generated (0: all), against the full set of real ones; min_frames, max_frames: clips that
    take part, and what longer ones are cut to; group: motions a retrieval group; diversity_pairs: pairs of Diversity;
    realism_replications: replications that compute realism and the full gallery (0: all); precision: of the products of
    the evaluator's text and motion networks. What they read, embeddings, scores and CLIP-score are float32 in either.

    Class attributes. keeps_tail: the short last group counts; estimates_lengths: a model is asked for a length drawn
    from the caption, not for the one of the prompt's motion; frames_beyond: frames that a backbone returns after a
    motion's length.
    """

    name: str = "sound"
    limit: int = 0
    min_frames: int = 40
    max_frames: int = 196
    group: int = GROUP
    diversity_pairs: int = 300
    multimodality: MultiModalityPlan = field(default_factory=MultiModalityPlan)
    realism_replications: int = 0
    precision: Precision = "fp32"

    keeps_tail: ClassVar[bool] = False
    estimates_lengths: ClassVar[bool] = False
    frames_beyond: ClassVar[int] = 0

    def measures_realism(self, replication: int) -> bool:
        """Whether this replication computes realism and the full gallery."""
        return not self.realism_replications or replication < self.realism_replications

    def clips(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of the split's clips table that take part."""
        return table

    def rows(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Which of `count` clips are drawn, in order."""
        return rng.permutation(count)

    def crops(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """First frame and length [N] of each clip of `frames` [N]: a random crop, its length a multiple of four
        and one unit less in a third of the draws."""
        lengths = np.minimum(frames, self.max_frames) // UNIT * UNIT
        shorter = (rng.integers(3, size=len(frames)) == 0) & (lengths > UNIT)
        lengths = lengths - UNIT * shorter
        return rng.integers(frames - lengths + 1), lengths

    def captions(self, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Which of its captions each clip is drawn with. counts [N]: how many it has."""
        return rng.integers(counts)

    def generated(self, count: int) -> int:
        """How many motions are generated for `count` prompts."""
        return min(count, self.limit or count)

    def groups(self, generated: int, rng: np.random.Generator) -> np.ndarray:
        """Positions of the generated motions in the order of their groups: all permuted, consecutive groups of
        `group`, the short last one left out of R-Precision and MM-Dist only."""
        return rng.permutation(generated)

    def pairs(self, generated: int) -> int:
        """How many pairs of motions Diversity takes."""
        return min(self.diversity_pairs, generated)

    def reference(self, drawn: Draw, second: Callable[[], Draw], real: bool) -> Draw | None:
        """The draw whose real motions FID compares with; None: FID is 0 by definition.

        A model is compared with the motions of its own prompts, the row of real motions (`real`) with those of
        `second`, an independent draw, since FID of a set and itself is 0.
        """
        return second() if real else drawn

    def joint_frames(self) -> int:
        """Frames that joints are padded to before an evaluator's features are extracted of them; 0: none."""
        return 0

    def padding(self, reads: str, training_mean: Tensor) -> Tensor | None:
        """Raw features of padded frames for an evaluator that reads `reads`; None: its own mean, zero after
        its normalisation."""
        del reads, training_mean
        return None

    def after_length(
        self, inputs: list[Tensor], emitted: list[Tensor], comparable: bool
    ) -> list[Tensor]:
        """What the evaluator sees of motions and, possibly, of the frames after them. inputs: its features of the
        motions alone; emitted: all that the model made; comparable: both are the same features."""
        del emitted, comparable
        return inputs

    def embedding_noise(self, seed: int, replication: int) -> torch.Generator | None:
        """The draws from embeddings that are distributions, the same for every model compared; None: their means."""
        del seed, replication
        return None

    def scaled(self, embeddings: Tensor) -> Tensor:
        """Embeddings [..., E] as distances are taken of them."""
        return embeddings


@dataclass(frozen=True)
class Draw:
    """Everything random about one replication, the same for every model compared.

    rows [N] of the split's clips, their captions (index), first frame and length; order [N'] positions
    in groups of 32 as R-Precision takes them; diversity [2, P] positions; multimodality texts
    (positions) and columns [2, pairs]; seeds [N] of the samplers' noise.
    """

    replication: int
    rows: np.ndarray
    captions: np.ndarray
    begins: np.ndarray
    lengths: np.ndarray
    generated: int
    order: Tensor
    diversity: Tensor
    texts: np.ndarray
    columns: Tensor
    seeds: list[int]

    def repeat_seeds(self, position: int, repeats: int) -> list[int]:
        """Noise seeds of further generations for the prompt at `position`."""
        state = np.random.SeedSequence([self.seeds[position], 7]).generate_state(repeats)
        return [int(value) for value in state]


def draw(
    frames: np.ndarray,
    captions: np.ndarray,
    rules: Protocol,
    seed: int,
    replication: int,
    second: bool = False,
) -> Draw:
    """The draw of a replication. frames, captions [M]: length and number of captions of each clip.

    second: the independent second pass over the same set.
    """
    rng = np.random.default_rng([seed, replication, int(second)])
    noise = np.random.default_rng([seed, replication, int(second), 1])
    if len(frames) < rules.group:
        raise InputError(
            f"{len(frames)} motions make no group of {rules.group}",
            where="evaluate",
            field="group",
            fix="use a larger test split, or lower evaluate.group",
        )
    rows = rules.rows(len(frames), rng)
    begins, lengths = rules.crops(frames[rows], rng)
    chosen = rules.captions(captions[rows], rng)
    generated = rules.generated(len(rows))
    order = rules.groups(generated, rng)
    pairs = rules.pairs(generated)
    plan = rules.multimodality
    return Draw(
        replication,
        rows,
        chosen,
        begins,
        lengths,
        generated,
        torch.from_numpy(order),
        torch.from_numpy(np.stack([rng.permutation(generated)[:pairs] for _ in range(2)])),
        rng.permutation(generated)[: plan.texts],
        torch.from_numpy(_repeats(plan, rng))
        if plan.texts
        else torch.zeros(2, 0, dtype=torch.long),
        [int(value) for value in noise.integers(2**31, size=len(rows))],
    )


def _repeats(plan: MultiModalityPlan, rng: np.random.Generator) -> np.ndarray:
    """Columns [2, pairs] of MultiModality: two subsets of the repeats (Guo et al. 2022). One and the same subset, which
    plans of few pairs draw now and then, would say that a model always makes the same motion: it is drawn again."""
    size = min(plan.pairs, plan.repeats)
    first, second = (rng.permutation(plan.repeats)[:size] for _ in range(2))
    while plan.repeats > 1 and np.array_equal(first, second):
        second = rng.permutation(plan.repeats)[:size]
    return np.stack([first, second])
