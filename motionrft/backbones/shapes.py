"""A backbone of a run, its batches and its training stages as shapes, on the meta device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.io import build_backbone
from motionrft.corpus.dataset import Batch
from motionrft.counting.generator import MetaGenerator
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import representation
from motionrft.text.shapes import text_shapes, widths_of


def feature_width(run: dict[str, Any], name: str) -> int:
    """Features a frame of a representation on the skeleton of the run's corpus."""
    skeleton = "kit21" if run["corpus"]["kind"] == "kit" else "smpl22"
    return representation(name, skeleton).dim


def backbone_shapes(run: dict[str, Any], name: str) -> Backbone:
    """A backbone of a resolved run in eval mode; it takes no memory."""
    settings = run["backbones"][name]
    dim = feature_width(run, settings["representation"])
    with torch.device("meta"):
        normaliser = Normaliser(torch.zeros(dim), torch.ones(dim))
        widths = widths_of(run["text"][settings["text"]])
        backbone = build_backbone(settings, dim=dim, text=widths, normaliser=normaliser)
    # linspace stays on the CPU in a process where transformers has once loaded a model: it replaces the function meanwhile,
    # and torch looks the functions that make tensors up but once
    return backbone.eval().to("meta")


def batch_shapes(run: dict[str, Any], kind: str, rows: int, frames: int) -> Batch:
    """`rows` motions of a representation, all of `frames` frames."""
    with torch.device("meta"):
        features = torch.empty(rows, frames, feature_width(run, kind))
        lengths = torch.full((rows,), frames)
    return Batch(features, lengths, [""] * rows, [""] * rows)


def condition_shapes(run: dict[str, Any], name: str, lengths: Tensor) -> Condition:
    """What a backbone reads beside x and t, of len(lengths) captions."""
    encoder = run["text"][run["backbones"][name]["text"]]
    text = text_shapes(encoder, len(lengths))
    return Condition.of(text, text.select(slice(0, 1)), lengths)


def stage_shapes(run: dict[str, Any], name: str, stage: str) -> Backbone:
    """A backbone in train mode as it is when a stage of its training begins."""
    backbone, settings = backbone_shapes(run, name), run["backbones"][name]
    order = list(settings["pretrain"])
    teacher = settings.get("teacher")
    if order.index(stage):
        backbone.start_from(backbone_shapes(run, name).state_dict(), stage)
    elif teacher:
        backbone.start_from(backbone_shapes(run, teacher).state_dict(), stage)
    return backbone.train()


def stage_losses(
    run: dict[str, Any], name: str, stage: str, backbone: Backbone, rows: int
) -> dict[str, Tensor]:
    """The losses of one update of a stage, of `rows` motions of the greatest length."""
    batch = batch_shapes(run, backbone.representation, rows, backbone.max_frames)
    condition = condition_shapes(run, name, batch.lengths)
    return backbone.pretrain_loss(batch, condition, stage, MetaGenerator())
