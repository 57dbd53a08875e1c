"""A fine-tuning run as shapes: the same parts as `prepare` loads from files, on the meta device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from motionrft.backbones.base import Backbone
from motionrft.backbones.shapes import backbone_shapes, batch_shapes, condition_shapes
from motionrft.finetune.batch import PromptBatch, noise_seeds
from motionrft.finetune.setup import FineTuning, assemble
from motionrft.reward.shapes import reward_shapes
from motionrft.text.shapes import text_shapes


def prompt_shapes(run: dict[str, Any], name: str, backbone: Backbone, rows: int) -> PromptBatch:
    """`rows` prompts for motions of the backbone's greatest length, with their true motions."""
    frames = backbone.max_frames
    batch = batch_shapes(run, backbone.representation, rows, frames)
    return PromptBatch(
        condition=condition_shapes(run, name, batch.lengths),
        captions=text_shapes(run["text"][run["reward"]["text"]], rows),
        references=batch.features,
        frames=[frames] * rows,
        seeds=noise_seeds(0, 0, rows),
        shape=backbone.sample_shape(frames),
    )


def tuning_shapes(
    run: dict[str, Any], backbone_name: str, method_name: str, rows: int
) -> FineTuning:
    """One cell of a resolved run; its batches have `rows` prompts."""
    section = run["methods"][method_name]
    weights = section.get("reward_weights", run["reward"]["weights"])
    backbone = backbone_shapes(run, backbone_name)
    reward = reward_shapes(run, weights)
    tuning = assemble(run, backbone_name, method_name, 0, backbone, reward)
    tuning.hooks.reward_state(reward)
    return replace(tuning, batch=lambda k: prompt_shapes(run, backbone_name, backbone, rows))
