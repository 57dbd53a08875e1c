"""Pre-training of one stage of one backbone: the same loop for every family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.header import corpus_facts, text_facts
from motionrft.backbones.io import STATISTICS, build_backbone
from motionrft.corpus.dataset import Batch, MotionDataset
from motionrft.errors import InputError
from motionrft.files import read_tensors
from motionrft.text.features import TextCache, UnreadText
from motionrft.training.loop import TrainSettings, fit, step_generator
from motionrft.training.prefetch import Prefetched

VALIDATION_BATCHES = 4


def pretrain(
    settings: dict[str, Any],
    stage: str,
    features: str | Path,
    text: TextCache | UnreadText,
    sources: Sequence[str | Path],
    checkpoint: str | Path,
    device: torch.device,
    seed: int = 0,
) -> tuple[Backbone, dict[str, Any], pd.DataFrame]:
    """Trains `stage` and returns the backbone, the header of its file, and the tidy history.

    `sources` are the files the stage starts from (an earlier stage, a teacher). The loss on the
    validation split, with the same draws every time, is logged and chooses the weights if
    `validate_every` is set. Stages that learn from motions alone (`Backbone.textless`) need no `text` but its widths.
    """
    where = f"backbones.{settings['name']}.pretrain.{stage}"
    if stage not in settings["pretrain"]:
        raise InputError(
            "no such stage", where=where, fix=f"choose from {', '.join(settings['pretrain'])}"
        )
    training = MotionDataset(features, settings["representation"], "train")
    validation = MotionDataset(features, settings["representation"], "val")
    widths = {"pooled": text.pooled_dim, "tokens": text.token_dim}
    dim = training.array.shape[1]
    # the weights a stage starts from are drawn before anything else uses the generator
    torch.manual_seed(seed)
    backbone = build_backbone(settings, dim=dim, text=widths, normaliser=training.normaliser)
    backbone.to(device)
    text = text_of(backbone, stage, text)
    for source in sources:
        tensors, _ = read_tensors(source)
        weights = {name: tensor for name, tensor in tensors.items() if name not in STATISTICS}
        backbone.start_from(weights, stage, source)
    empty = text.empty().to(device)
    options = TrainSettings.read(settings["pretrain"][stage], where, seed=seed)

    def prepared(batch: Batch) -> tuple[Batch, Condition]:
        batch = batch.to(device)
        return batch, Condition.of(text(batch.captions).to(device), empty, batch.lengths)

    batches = Prefetched(
        lambda step: prepared(
            training.batch_at(step, options.batch_size, seed, motions=backbone.reads_motions(stage))
        ),
        device,
    )

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        return backbone.pretrain_loss(*batches(step), stage, generator)

    @torch.no_grad()
    def validate(step: int) -> dict[str, float]:
        losses = []
        for index in range(VALIDATION_BATCHES):
            batch, condition = prepared(validation.batch_at(index, options.batch_size, seed))
            generator = step_generator(seed + 1, index, device)
            losses.append(backbone.pretrain_loss(batch, condition, stage, generator)["loss"])
        mean = float(torch.stack(losses).mean())
        return {"loss": mean, "score": -mean}

    backbone.start_stage(stage, _once(training, device))
    history = fit(
        backbone,
        backbone.stage_parameters(stage),
        loss,
        options,
        checkpoint,
        label=f"{settings['name']} {stage}",
        validation=validate,
        target=backbone.ema_target(),
    )
    backbone.finish_stage(stage, _once(training, device))
    about = {
        "backbone": settings,
        "dim": dim,
        "text": widths,
        "stage": stage,
        "text_encoder": text_facts(
            settings["text"],
            text.about.get("encoder", {}),
            text if isinstance(text, TextCache) else None,
        ),
        "corpus": corpus_facts(training.store),
    }
    return backbone, about, history


def text_of(backbone: Backbone, stage: str, text: TextCache | UnreadText) -> TextCache | UnreadText:
    """What a stage reads of `text`: nothing, pooled vectors, or token states too. An `InputError` where it lacks them."""
    if stage in backbone.textless:
        widths = {"pooled": text.pooled_dim, "tokens": text.token_dim}
        return UnreadText(widths, text.about)
    if isinstance(text, UnreadText):
        raise InputError(
            "missing: this stage reads captions",
            where="pretrain",
            field="--text",
            fix="name the text feature file of the backbone's encoder",
        )
    if backbone.reads_tokens:
        text.require_tokens()
    return text


def _once(dataset: MotionDataset, device: torch.device) -> Iterator[Batch]:
    """Every training motion once."""
    for batch in dataset.epoch(64):
        yield batch.to(device)
