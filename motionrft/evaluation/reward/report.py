"""Every table about the reward itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from motionrft.corpus.store import FeatureStore
from motionrft.evaluation.evaluator import Evaluator
from motionrft.evaluation.evaluator_file import load_evaluator
from motionrft.evaluation.reward.faithfulness import faithfulness
from motionrft.evaluation.reward.scores import (
    COLUMNS,
    Rows,
    authenticity_tables,
    caption_rows,
    preference_tables,
    retrieval_rows,
    row,
)
from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.data.judged import JudgedMotions
from motionrft.reward.files import TaskBranch, load_branch, load_network, new_branch
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.network import RewardNetwork
from motionrft.reward.retrieval import embed
from motionrft.reward.settings import OfficialBehaviour, RewardSettings
from motionrft.reward.stages.judged import TaskData, TaskObjective
from motionrft.text.features import TextCache

TASKS = ("preference", "authenticity")


@dataclass(frozen=True)
class Sources:
    """The files of a scored reward. stages: by name, semantic always; data: judged motions by stage."""

    features: Path
    text: Path
    stages: Mapping[str, Path]
    data: Mapping[str, Path]
    evaluator: Path | None = None


def evaluate_reward(
    settings: RewardSettings,
    files: Sources,
    *,
    split: str,
    seed: int,
    device: torch.device,
    only_scores: bool = False,
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """({"scores": …, "calibration": …, "faithfulness": …}, what they are of); only the first with `only_scores`.

    With `official.sampled` everything but faithfulness reads draws, one stream for the whole evaluation.
    """
    official = settings.official
    draws = torch.Generator().manual_seed(seed) if official.sampled else None
    text, store = TextCache(files.text), FeatureStore(files.features)
    network, about = load_network(files.stages["semantic"], device)
    torch.manual_seed(seed)
    random = RewardNetwork(network.settings).to(device).eval()
    clips = AlignedClips(files.features, network.representations, split)
    clean_token = not about["official"].get("no_clean_token", False)
    rows: Rows = []
    models = {"semantic": network, "random": random}
    if "spl" in files.stages:
        models["spl"] = load_network(files.stages["spl"], device)[0]
    for model, entry in models.items():
        found = embed(entry, clips, text, clean_token=clean_token, generator=draws)
        rows += retrieval_rows(model, found)
    rows += caption_rows(found)
    curves: list[pd.DataFrame] = []
    branches: dict[str, TaskBranch] = {}
    untrained: dict[str, TaskBranch] = {}
    data: dict[str, str] = {}
    for task in TASKS:
        path, folder = files.stages.get(task), files.data.get(task)
        if path is None:
            continue
        branches[task], _ = load_branch(path, network, task)
        untrained[task] = new_branch(random, task, settings.lora)
        if folder is None:
            continue
        judged = JudgedMotions(
            folder, task, {name: store.normaliser(name) for name in network.representations}
        )
        data[task] = str(judged.about.get("labels"))
        objectives = {
            "MotionReward": _objective(network, branches[task], official),
            "random": _objective(random, untrained[task], official),
        }
        scores, reliability = _task_tables(task, objectives, judged, official, split, draws)
        rows, curves = rows + scores, curves + reliability
    weights = dict.fromkeys(("semantic", "m2m", *branches), 1.0)
    reward = MotionReward(network, branches, weights, clean_token=clean_token)
    rows += real_rows("MotionReward", reward, clips, text)
    chance = MotionReward(random, untrained, weights, clean_token=clean_token)
    rows += real_rows("random", chance, clips, text)
    tables = {"scores": pd.DataFrame(rows, columns=list(COLUMNS))}
    facts: dict[str, Any] = {"split": split, "labels": data}
    if only_scores:
        return tables, facts
    empty = pd.DataFrame(
        columns=["table", "model", "lower", "upper", "predicted", "observed", "count"]
    )
    tables["calibration"] = pd.concat(curves) if curves else empty
    tables["faithfulness"] = faithfulness(
        reward, store, text, split=split, seed=seed, evaluator=_evaluator(files.evaluator, device)
    )
    return tables, facts


def _objective(
    network: RewardNetwork, branch: TaskBranch, official: OfficialBehaviour
) -> TaskObjective:
    return TaskObjective(network, branch.freeze(), official).eval()


def _task_tables(
    task: str,
    objectives: dict[str, TaskObjective],
    judged: JudgedMotions,
    official: OfficialBehaviour,
    split: str,
    draws: torch.Generator | None,
) -> tuple[Rows, list[pd.DataFrame]]:
    if task == "preference":
        return preference_tables(objectives, TaskData(judged, task, split, official), draws)
    return authenticity_tables(
        objectives, lambda name: TaskData(judged, task, name, official, empty_ok=True), draws
    )


@torch.no_grad()
def real_rows(model: str, reward: MotionReward, clips: AlignedClips, text: TextCache) -> Rows:
    """What real motions score: with their own caption and motion, and with another clip's (a reward's floor)."""
    device = next(reward.parameters()).device
    scores: dict[tuple[str, str, str], list[torch.Tensor]] = {}
    for batch in clips.epoch(128):
        words, moved = text(batch.captions).to(device), batch.to(device)
        wrong = torch.arange(len(batch.captions), device=device).roll(1)
        for name, features in moved.features.items():
            context = reward.context(words, features, moved.lengths, name)
            for setting, other in (
                ("own caption", context),
                ("another caption", context.select(wrong)),
            ):
                for dimension, value in reward(features, moved.lengths, other).items():
                    scores.setdefault((name, setting, dimension), []).append(value.cpu())
    rows: Rows = []
    for (name, setting, dimension), parts in scores.items():
        values = torch.cat(parts).double()
        rows.append(
            row("reward", model, name, setting, dimension, float(values.mean()), len(values))
        )
    return rows


def _evaluator(path: Path | None, device: torch.device) -> Evaluator | None:
    return None if path is None else load_evaluator(path, device=device)[0]
