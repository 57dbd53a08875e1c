"""What a reward is blind to: its rank correlation with damage, realism and an independent evaluator.

Real test clips are damaged in every way and grade; each clip is compared with itself, so that
correlations are of changes (value at grade g minus value at grade 0), not of clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import Tensor

from motionrft.corpus.store import FeatureStore
from motionrft.evaluation.evaluator import Evaluator
from motionrft.motion.realism import realism
from motionrft.motion.representation import KINEMATIC
from motionrft.reward.data.corruptions import GRADES, KINDS, corrupt
from motionrft.reward.data.features import features_of, real_joints
from motionrft.reward.data.labelled import stack_padded
from motionrft.reward.motion_reward import MotionReward
from motionrft.text.features import TextCache

MAX_FRAMES = 197  # one more than a reward sees: features lose a frame


@dataclass(frozen=True)
class Ladder:
    """Clips at grades 0 … 3 of one kind, clip after clip: features of each, and joints."""

    kind: str
    features: list[dict[str, np.ndarray]]
    joints: list[np.ndarray]


def ladder(store: FeatureStore, rows: list[int], kind: str, seed: int) -> Ladder:
    """Real clips of the store, each at every grade."""
    levels = (0, *GRADES)
    joints = [
        corrupt(real_joints(store, row)[:MAX_FRAMES], kind, grade, [seed, 21, row])
        for row in rows
        for grade in levels
    ]
    return Ladder(kind, features_of(store, joints), joints)


def reward_scores(
    reward: MotionReward,
    steps: Ladder,
    captions: list[str],
    store: FeatureStore,
    text: TextCache,
    name: str,
) -> dict[str, Tensor]:
    """Scores [clips x 4] by dimension in one representation; the reference of a clip is its grade 0."""
    normaliser = store.normaliser(name)
    device = next(reward.parameters()).device
    parts = [normaliser.normalise(torch.from_numpy(entry[name])) for entry in steps.features]
    features, lengths = stack_padded(parts, max(map(len, parts)))
    levels = len(GRADES) + 1
    first = torch.arange(len(parts)) // levels * levels
    words = text([caption for caption in captions for _ in range(levels)]).to(device)
    with torch.no_grad():
        context = reward.context(words, features[first].to(device), lengths[first].to(device), name)
        scores = reward(features.to(device), lengths.to(device), context)
    return {key: value.cpu().reshape(-1, levels) for key, value in scores.items()}


def other_measures(
    steps: Ladder, evaluator: Evaluator | None, store: FeatureStore
) -> dict[str, Tensor]:
    """The grade itself, realism of the joints, and the evaluator's distance to the undamaged motion, [clips, 4]."""
    levels = len(GRADES) + 1
    clips = len(steps.joints) // levels
    flat, lengths = stack_padded(
        [torch.from_numpy(motion.reshape(len(motion), -1)) for motion in steps.joints],
        max(map(len, steps.joints)),
    )
    joints = flat.reshape(*flat.shape[:2], -1, 3)
    fps = float(store.about.get("fps", 20.0))
    skeleton = store.representation(KINEMATIC).skeleton
    measures = {
        key: value.reshape(clips, levels)
        for key, value in realism(joints, lengths, fps, skeleton).items()
    }
    measures["grade"] = torch.arange(levels, dtype=torch.float32).expand(clips, -1)
    if evaluator is not None:
        motions = [torch.from_numpy(entry[KINEMATIC]) for entry in steps.features]
        embedded = evaluator.embed_motions(motions).reshape(clips, levels, -1)
        measures["evaluator_distance"] = (embedded - embedded[:, :1]).norm(dim=-1)
    return measures


def correlations(
    kind: str, name: str, scores: dict[str, Tensor], measures: dict[str, Tensor]
) -> list[dict[str, Any]]:
    """Spearman correlation of changes from grade 0, each dimension against each measure. A reward that
    sees the damage has a negative one (every measure grows with damage); NaN where nothing changes."""
    rows = []
    for dimension, values in scores.items():
        change = (values - values[:, :1])[:, 1:].flatten().double().numpy()
        for measure, other in measures.items():
            difference = (other - other[:, :1])[:, 1:].flatten().double().numpy()
            usable = np.isfinite(change) & np.isfinite(difference)
            constant = np.ptp(change[usable], axis=0) == 0 or np.ptp(difference[usable]) == 0
            value = (
                float("nan")
                if constant
                else float(spearmanr(change[usable], difference[usable]).statistic)
            )
            rows.append(
                {
                    "kind": kind,
                    "representation": name,
                    "dimension": dimension,
                    "against": measure,
                    "spearman": value,
                    "mean_change": float(np.mean(change[usable])),
                    "count": int(usable.sum()),
                }
            )
    return rows


def faithfulness(
    reward: MotionReward,
    store: FeatureStore,
    text: TextCache,
    *,
    split: str = "test",
    clips: int = 48,
    seed: int = 0,
    evaluator: Evaluator | None = None,
) -> pd.DataFrame:
    """Tidy: kind, representation, dimension, against, spearman, mean_change, count."""
    table = store.clips
    usable = np.flatnonzero(((table["split"] == split) & (table["frames"] >= 41)).to_numpy())
    rows = np.sort(np.random.default_rng([seed, 22]).permutation(usable)[:clips]).tolist()
    captions = [table["captions"].iloc[row][0] for row in rows]
    table_rows: list[dict[str, Any]] = []
    for kind in KINDS:
        steps = ladder(store, rows, kind, seed)
        measures = other_measures(steps, evaluator, store)
        for name in reward.representations:
            scores = reward_scores(reward, steps, captions, store, text, name)
            table_rows += correlations(kind, name, scores, measures)
    return pd.DataFrame(table_rows)
