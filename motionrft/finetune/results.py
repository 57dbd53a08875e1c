"""What a fine-tuning run leaves: the model, the tidy record, and what it cost."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from motionrft.backbones import lora
from motionrft.backbones.io import base_of, save_backbone
from motionrft.files import provenance, write_json, write_table
from motionrft.finetune.batch import pieces
from motionrft.finetune.loop import REFUSED, Training
from motionrft.finetune.memory_meter import PeakMemory
from motionrft.finetune.reward_hacking import hacking
from motionrft.finetune.setup import FineTuning
from motionrft.metrics.training_record import summary, until_level, wide


def write_results(
    out: Path, training: Training, record: pd.DataFrame, section: dict[str, Any]
) -> None:
    """model.safetensors (of a LoRA run the adapters alone, with the name of their base), record.parquet, cost.json.

    section: the method's in the run's configuration.
    """
    tuning = training.tuning
    settings, seed = asdict(tuning.settings), tuning.seed
    about = {
        **tuning.about,
        "finetune": {"method": section, "settings": settings, "seed": seed},
        "provenance": provenance(settings, seed=seed, device=str(tuning.device)),
    }
    cost = cost_of(training, record)
    write_table(out / "record.parquet", record, about)
    write_json(out / "cost.json", {**cost, "provenance": about["provenance"]})
    model = out / "model.safetensors"
    if tuning.adapters is None:
        save_backbone(model, tuning.backbone, about)
        return
    assert tuning.base is not None
    about["base"] = base_of(model, tuning.base)
    lora.save_adapters(model, tuning.backbone, tuning.adapters, about)


def cost_of(training: Training, record: pd.DataFrame) -> dict[str, Any]:
    """Cost an update and a trajectory, memory beyond plain sampling, cost until reward levels, guard rails."""
    tuning, updater = training.tuning, training.updater
    costs = summary(record)
    peak = costs["memory"].get("peak_bytes", float("nan"))
    plain = plain_sampling_bytes(tuning)
    second = sum(tensor.nbytes for tensor in updater.policy) if updater.chain else 0
    name = "val/reward" if (record["name"] == "val/reward").any() else "reward"
    verdict = hacking(record)
    return {
        "peak_mb": peak / 2**20,
        "extra_mb": (peak - plain + second) / 2**20,
        "s_per_update": costs["per_update"]["seconds_median"],
        "s_per_trajectory": costs["per_trajectory"]["seconds_median"],
        "clock": tuning.sampler.meter.clock,
        "flags": flags(training, verdict),
        "method": asdict(tuning.method),
        "updates": updater.updates,
        "trajectories": training.trajectory,
        "skipped": updater.skipped,
        "ended": training.ended or "budget spent",
        "best_update": training.best.step,
        "per_update": costs["per_update"],
        "per_trajectory": costs["per_trajectory"],
        "memory": {
            "kind": PeakMemory(tuning.device).kind,
            "form": tuning.settings.activations,
            "slices": tuning.settings.slices,
            "micro_batch": tuning.settings.micro_batch,
            "plan": training.plan.record() if training.plan else None,
            **costs["memory"],
            "plain_sampling_bytes": plain,
            "extra_bytes": peak - plain,
            "second_weights_bytes": second,
        },
        "flops_per_call": asdict(training.flops) if training.flops else None,
        "levels_of": name,
        "levels": until_level(
            wide(record), name, _levels(record, name, tuning.settings.reward_steps)
        ),
        "hacking": verdict,
    }


def flags(training: Training, verdict: dict[str, Any]) -> list[str]:
    """What a reader of the report must know of the run, a line each."""
    lines = []
    if verdict["flagged"]:
        lines.append(
            f"reward climbed while {', '.join(verdict['fell'])} got worse on validation (reward hacking)"
        )
    settings = training.tuning.settings
    if settings.select == "best" and settings.validate_split == "test":
        lines.append("weights chosen on the test split (the released rule): its scores are no test")
    if training.updater.skipped:
        lines.append(
            f"{training.updater.skipped} updates refused (gradient not finite, or exploded)"
        )
    if training.ended == REFUSED:
        lines.append("ended early by refused updates; the last good weights were kept")
    return lines


def plain_sampling_bytes(tuning: FineTuning) -> int:
    """Peak of sampling one slice of a batch without gradients, by the same meter."""
    batch = tuning.batch(0)
    batch = batch.rows(pieces(len(batch), tuning.settings.slices)[0])
    with torch.no_grad(), PeakMemory(tuning.device, tuning.weights) as memory:
        tuning.sampler.sample(batch.condition, batch.noise())
        return memory.take()


def _levels(record: pd.DataFrame, name: str, spacing: float) -> list[float]:
    """Multiples of `spacing` that the run's values span."""
    table = wide(record)
    if name not in table:
        return []
    values = table[name].dropna()
    values = values[values.map(math.isfinite)]
    if values.empty:
        return []
    first, last = math.ceil(values.min() / spacing), math.floor(values.max() / spacing)
    return [round(n * spacing, 10) for n in range(first, last + 1)]
