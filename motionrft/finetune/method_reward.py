"""The reward that a method trains on, and the common one that validates every method, from the stages' files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from motionrft.errors import InputError
from motionrft.finetune.method import Method
from motionrft.reward import terms
from motionrft.reward.motion_reward import MotionReward


def load_reward(
    stages: Mapping[str, Path], weights: Mapping[str, float], device: torch.device
) -> MotionReward:
    """The reward of the given stages; dimensions whose stage is not among the files count nothing here."""
    known = {
        name: weight for name, weight in weights.items() if terms.branch_of(name) in (None, *stages)
    }
    return MotionReward.load(stages, known, device=device)


def method_reward(
    section: Mapping[str, Any],
    stages: Mapping[str, Path],
    weights: Mapping[str, float],
    device: torch.device,
    where: str,
) -> tuple[MotionReward, MotionReward]:
    """(what the method trains on, the common one). weights: the run's `reward.weights`; section: the method's."""
    reward = common = load_reward(stages, weights, device)
    if section.get("semantic_stage") == "spl":
        stages = refined(stages, where)
        reward = load_reward(stages, weights, device)
    return weighted(reward, section.get("reward_weights", weights), stages, where), common


def check_gradient(method: Method, reward: object, where: str = "") -> None:
    """Raises `InputError` for a method that back-propagates a reward that has no gradient."""
    if method.differentiates and not getattr(reward, "differentiable", True):
        raise InputError(
            f"{type(method).__name__} needs the reward's gradient, and this reward has none",
            where=where,
            field="reward",
            fix="use a method that needs its value alone (ddpo, flow-grpo, dpo, sopo, best-of-4), "
            "or a differentiable reward",
        )


def validating(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights, out of the run's `reward.weights`, of the reward that validates every method.

    They are of the terms that read the semantic stage alone, so that one number compares all methods though each
    reads no stage but its own; where none of these counts, of all terms, which every method then reads.
    """
    alone = {name: weights[name] for name in weights if terms.branch_of(name) is None}
    return alone if any(weight > 0 for weight in alone.values()) else dict(weights)


def refined(stages: Mapping[str, Path], where: str) -> dict[str, Path]:
    """The self-refined network alone: the judged stages' adapters stand on the one before it."""
    if "spl" not in stages:
        raise InputError(
            "its file is not among the reward files",
            where=where,
            field="semantic_stage",
            fix="pass spl.safetensors with --reward, or set it to semantic",
        )
    return {"semantic": stages["spl"]}


def weighted(
    reward: MotionReward, weights: Mapping[str, float] | None, stages: Iterable[str], where: str
) -> MotionReward:
    """The same networks with a method's own weights."""
    if weights is None:
        return reward
    missing = sorted(
        name
        for name, weight in weights.items()
        if weight > 0 and terms.branch_of(name) not in (None, *stages)
    )
    if missing:
        raise InputError(
            "a weight, but its stage is not among the reward files",
            where=where,
            field=f"reward_weights.{missing[0]}",
            fix="pass that stage's file with --reward, or set the weight to 0",
        )
    return reward.view(weights=weights)
