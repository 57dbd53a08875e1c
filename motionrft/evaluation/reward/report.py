"""Every table about the reward itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
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
from motionrft.reward import terms
from motionrft.reward.branch import TaskBranch
from motionrft.reward.branch_stage import BranchObjective, BranchStage
from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.data.labelled import LabelledMotions
from motionrft.reward.files import load_branch, load_network
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.network import RewardNetwork
from motionrft.reward.retrieval import embed
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stages import load as load_stage
from motionrft.text.features import TextCache


@dataclass(frozen=True)
class Sources:
    """The files of a scored reward. stages: by name, semantic always; data: folders of labelled motions by stage."""

    features: Path
    text: Path
    stages: Mapping[str, Path]
    data: Mapping[str, Path]
    evaluator: Path | None = None


def evaluate_reward(
    settings: RewardSettings,
    sources: Sources,
    *,
    split: str,
    seed: int,
    device: torch.device,
    only_scores: bool = False,
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """({"scores": …, "calibration": …, "faithfulness": …}, what they are of); only the first with `only_scores`.

    Everything but faithfulness reads latents by the settings' rules, one stream of draws for the whole evaluation.
    """
    rules = settings.rules
    read = rules.reading(torch.Generator().manual_seed(seed))
    text, store = TextCache(sources.text), FeatureStore(sources.features)
    network, about = load_network(sources.stages["semantic"], device)
    torch.manual_seed(seed)
    random = RewardNetwork(network.settings).to(device).eval()
    clips = AlignedClips(sources.features, network.representations, split)
    clean_token = not about["official"].get("no_clean_token", False)
    stages = {name: load_stage(name) for name in sources.stages}
    models = {"semantic": network, "random": random}
    models |= {
        name: load_network(sources.stages[name], device)[0]
        for name, stage in stages.items()
        if name != "semantic" and not isinstance(stage, BranchStage)
    }
    rows: Rows = []
    for model, entry in models.items():
        embeddings = embed(entry, clips, text, clean_token=clean_token, read=read)
        rows += retrieval_rows(model, embeddings)
    rows += caption_rows(embeddings)
    curves: list[pd.DataFrame] = []
    branches: dict[str, TaskBranch] = {}
    untrained: dict[str, TaskBranch] = {}
    labels: dict[str, str] = {}
    for name, stage in stages.items():
        if not isinstance(stage, BranchStage):
            continue
        branches[name], trained_as = load_branch(sources.stages[name], network, name)
        rules = settings.rules.with_token(not trained_as["official"].get("no_clean_token", False))
        untrained[name] = stage.new_branch(random, settings.lora).freeze()
        if name not in sources.data:
            continue
        normalisers = {kind: store.normaliser(kind) for kind in network.representations}
        data = LabelledMotions(sources.data[name], name, normalisers)
        labels[name] = str(data.about.get("labels"))
        objectives = {
            "MotionReward": BranchObjective(stage, network, branches[name], rules).eval(),
            "random": BranchObjective(stage, random, untrained[name], rules).eval(),
        }
        items = partial(stage.items, data, rules=rules)
        if stage.pairs:
            scores, reliability = preference_tables(
                objectives, stage.filled_items(data, split, rules), read
            )
        else:
            scores, reliability = authenticity_tables(objectives, items, read)
        rows, curves = rows + scores, curves + reliability
    weighed = [name for name in settings.weights if terms.branch_of(name) in (None, *branches)]
    weights = dict.fromkeys(("semantic", "m2m", *weighed), 1.0)
    reward = MotionReward(network, branches, weights, clean_token=clean_token)
    rows += real_rows("MotionReward", reward, clips, text)
    chance = MotionReward(random, untrained, weights, clean_token=clean_token)
    rows += real_rows("random", chance, clips, text)
    tables = {"scores": pd.DataFrame(rows, columns=list(COLUMNS))}
    facts: dict[str, Any] = {"split": split, "labels": labels}
    if only_scores:
        return tables, facts
    empty = pd.DataFrame(
        columns=["table", "model", "lower", "upper", "predicted", "observed", "count"]
    )
    tables["calibration"] = pd.concat(curves) if curves else empty
    tables["faithfulness"] = faithfulness(
        reward, store, text, split=split, seed=seed, evaluator=_evaluator(sources.evaluator, device)
    )
    return tables, facts


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
