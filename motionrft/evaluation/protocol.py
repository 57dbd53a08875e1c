"""How a test set is drawn, grouped and compared: the sound rules, and those of five code bases.

The field's numbers come from protocols that differ quietly (crops, groups, which motions FID compares).
`sound` is the default; the others reproduce a paper's rules so that its own table can be read, and the
record says which one made a number.

| protocol | reproduced | not reproduced |
| t2m | shuffled batches of 32 as groups, the tail dropped; a second pass over the real motions for FID;
  lengths drawn from captions, with its estimator (`lengths.py`; without that file the reference's, and the record
  says so) | a length of no frame at all, which it can draw: one unit here |
| mdm | as t2m; 1,000 generated against all real; MultiModality on 128 texts in five replications; frames after a
  motion's length are what the model emits (MDM), and its last token sees them | |
| mld | permuted groups, FID against the same pass (Real 0), padding that is zero in the training space | |
| acmdm | as t2m with one pass (Real 0); with its 67-channel evaluator, the padding that its smoothed heading sees;
  CLIP-score, with its MotionCLIP; MultiModality on 96 texts | its NaN CLIP-scores: there padding 80 frames after a
  clip is undefined, here padding is masked and never undefined |
| hymotion | one entry a file, whole motions up to 196 frames, the first caption, in order, the short last group
  kept; embeddings drawn from their normals (`spm.py`), then of unit length; Diversity on at most half as many pairs
  as motions; Real's FID 0 by decree | a caption of a part for the whole motion, where it is a file's first;
  real motions scored as generated ones when sampling fails |

What belongs to one evaluator (67 channels, normals) shows with that evaluator only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motionrft.corpus.dataset import UNIT
from motionrft.errors import InputError
from motionrft.metrics.generation import GROUP

SAME, SECOND, NONE = "same pass", "second pass", "none"


@dataclass(frozen=True)
class MultiModalityPlan:
    """texts x repeats generations, `pairs` drawn among the repeats; in the first `replications` only."""

    texts: int = 100
    repeats: int = 30
    pairs: int = 10
    replications: int = 20


@dataclass(frozen=True)
class Protocol:
    """Rules of one replication.

    caption       "random" or "first" caption of a clip
    crop          a random crop, its length a multiple of 4 and one unit less in a third of the draws;
                  otherwise the leading frames up to 196
    grouping      "permuted": all embeddings permuted, consecutive groups of 32, the tail dropped for
                  R-Precision and MM-Dist only; "batches": a shuffled loader of batches of 32 that drops
                  the tail from everything; "in order": consecutive, the short last group kept
    lengths       "reference": a model is asked for the length of the prompt's motion; "estimated": for one
                  drawn from the caption
    limit         most motions generated (0: all), against the full set of real ones
    reference     the real motions that FID of a model compares with: those of the same draw, or of a
                  second, independent draw
    real_reference  the same for the row of real motions; "same pass" makes its FID exactly 0
    padding       "evaluator": zero in the evaluator's space; "training": zero in the training space,
                  then renormalised, which moves the last token of official evaluators; "emitted": what
                  the model made after a motion's length, real motions as "evaluator"; "joints": ACMDM's
                  joints padded with their mean before features are extracted, for its evaluator
    normalised    embeddings are scaled to unit length first
    sampled       embeddings that are distributions are drawn from, not represented by their means
    whole         clips that are a captioned part of another are left out
    diversity_share  at most this share of the motions makes pairs of Diversity
    """

    name: str
    caption: str = "random"
    crop: bool = True
    grouping: str = "permuted"
    lengths: str = "reference"
    limit: int = 0
    reference: str = SAME
    real_reference: str = SECOND
    padding: str = "evaluator"
    normalised: bool = False
    sampled: bool = False
    whole: bool = False
    min_frames: int = 40
    max_frames: int = 196
    group: int = GROUP
    diversity_pairs: int = 300
    diversity_share: float = 1.0
    multimodality: MultiModalityPlan = field(default_factory=MultiModalityPlan)


PROTOCOLS = {
    "sound": Protocol("sound"),
    # Guo et al.
    "t2m": Protocol("t2m", grouping="batches", reference=SECOND, lengths="estimated"),
    "mdm": Protocol(
        "mdm", grouping="batches", limit=1000, reference=SECOND, padding="emitted",
        multimodality=MultiModalityPlan(texts=128, replications=5),
    ),
    # MLD, MotionLCM, MotionRFT-MLD
    "mld": Protocol("mld", padding="training", real_reference=SAME),
    "acmdm": Protocol(
        "acmdm", grouping="batches", real_reference=SAME, padding="joints",
        multimodality=MultiModalityPlan(texts=96),
    ),
    # MotionRFT-HY; five replications there
    "hymotion": Protocol(
        "hymotion", caption="first", crop=False, grouping="in order", real_reference=NONE,
        normalised=True, sampled=True, whole=True, diversity_share=0.5,
    ),
}  # fmt: skip


def protocol(name: str, **changes: Any) -> Protocol:
    """A named protocol, with the run's changes (`multimodality`, `diversity_pairs`, …) laid over it."""
    if name not in PROTOCOLS:
        raise InputError(
            f"unknown protocol {name!r}",
            where="evaluate",
            field="protocol",
            fix=f"choose from {', '.join(PROTOCOLS)}",
        )
    chosen = PROTOCOLS[name]
    if "multimodality" in changes:
        changes["multimodality"] = replace(chosen.multimodality, **changes["multimodality"])
    return replace(chosen, **changes)


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
    count = len(frames)
    if count < rules.group:
        raise InputError(
            f"{count} motions make no group of {rules.group}",
            where="evaluate",
            field="group",
            fix="use a larger test split, or lower evaluate.group",
        )
    rows = np.arange(count) if rules.grouping == "in order" else rng.permutation(count)
    if rules.grouping == "batches":
        rows = rows[: count // rules.group * rules.group]
    longest = np.minimum(frames[rows], rules.max_frames)
    lengths, begins = longest, np.zeros(len(rows), dtype=np.int64)
    if rules.crop:
        lengths = longest // UNIT * UNIT
        shorter = (rng.integers(3, size=len(rows)) == 0) & (lengths > UNIT)
        lengths = lengths - UNIT * shorter
        begins = rng.integers(frames[rows] - lengths + 1)
    chosen = rng.integers(captions[rows])
    if rules.caption == "first":
        chosen = np.zeros_like(chosen)
    generated = min(len(rows), rules.limit or len(rows))
    if rules.grouping == "batches":
        generated = generated // rules.group * rules.group
    order = np.arange(generated) if rules.grouping != "permuted" else rng.permutation(generated)
    pairs = min(rules.diversity_pairs, int(rules.diversity_share * generated))
    plan = rules.multimodality
    columns = min(plan.pairs, plan.repeats)
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
        torch.from_numpy(np.stack([rng.permutation(plan.repeats)[:columns] for _ in range(2)]))
        if plan.texts
        else torch.zeros(2, 0, dtype=torch.long),
        [int(value) for value in noise.integers(2**31, size=len(rows))],
    )
