"""Motions for captions: each sample depends on its caption, length and seed, and on nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.execution import Autocast, Compiled
from motionrft.diffusion.flow import flow_sampler
from motionrft.diffusion.sampler import Denoiser, Sampler, SeededNoise
from motionrft.diffusion.schedules import step_table
from motionrft.progress import progress
from motionrft.text.features import CaptionFeatures

# condition, noise and captions of B samples -> their final x [B, …]
Drawn = Callable[[Condition, SeededNoise, Sequence[str]], Tensor]


def sampler_of(backbone: Backbone, settings: dict[str, Any]) -> Sampler:
    """The sampler that a resolved `sampler:` section describes for this backbone."""
    table = step_table(settings, backbone.prediction)
    denoiser: Denoiser = Compiled(backbone) if settings.get("compile") else backbone
    if settings.get("precision", "fp32") == "bf16":
        denoiser = Autocast(denoiser)
    if settings["kind"] == "flow":
        return flow_sampler(denoiser, table, settings)
    return Sampler(denoiser, table, float(settings.get("guidance", 1.0)))


@torch.no_grad()
def generate(
    backbone: Backbone,
    settings: dict[str, Any],
    captions: Sequence[str],
    lengths: Tensor,
    seeds: Sequence[int],
    text: CaptionFeatures,
    batch_size: int = 128,
    beyond: int = 0,
) -> list[Tensor]:
    """Raw (de-normalised) features [T_i, dim] of each caption, in the backbone's representation, on the CPU.

    Captions are batched by length, which changes speed and not results. `beyond`: so many frames more,
    as the network emits them after the length, from backbones that do (`emits_padding`).
    """
    sampler = sampler_of(backbone, settings)

    def plain(condition: Condition, noise: SeededNoise, captions: Sequence[str]) -> Tensor:
        del captions
        return sampler.sample(condition, noise)

    return generate_with(plain, backbone, captions, lengths, seeds, text, batch_size, beyond)


@torch.no_grad()
def generate_with(
    drawn: Drawn,
    backbone: Backbone,
    captions: Sequence[str],
    lengths: Tensor,
    seeds: Sequence[int],
    text: CaptionFeatures,
    batch_size: int = 128,
    beyond: int = 0,
) -> list[Tensor]:
    """`generate` with the final samples that `drawn` makes of a batch."""
    beyond = beyond if backbone.emits_padding else 0
    device = next(backbone.parameters()).device
    empty = text.empty().to(device)
    order = torch.argsort(lengths, descending=True, stable=True)
    results: list[Tensor | None] = [None] * len(captions)
    starts = range(0, len(order), batch_size)
    for begin in progress(starts, total=len(starts), label="sample", unit="batches"):
        rows = order[begin : begin + batch_size].tolist()
        batch_lengths = lengths[rows].to(device)
        spoken = [captions[row] for row in rows]
        condition = Condition.of(text(spoken).to(device), empty, batch_lengths)
        frames = min(int(batch_lengths.max()) + beyond, backbone.max_frames)
        shape = backbone.sample_shape(frames)
        noise = SeededNoise([seeds[row] for row in rows], shape, device)
        x = drawn(condition, noise, spoken)
        decoded = torch.full_like(batch_lengths, frames) if beyond else batch_lengths
        features = backbone.normaliser.denormalise(backbone.to_features(x, decoded)).cpu()
        for index, row in enumerate(rows):
            results[row] = features[index, : int(lengths[row]) + beyond].clone()
    return [result for result in results if result is not None]
