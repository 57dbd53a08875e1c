"""Reward fine-tuning of one cell: backbone, method, seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import (
    Cell,
    CellFiles,
    Processes,
    RunFile,
    Several,
    named,
    tracking,
)

if TYPE_CHECKING:
    import torch

    from motionrft.backbones.base import Backbone


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JudgeFiles:
    """An independent judge of the validation split."""

    evaluator: Path | None = None
    """Evaluator file: an independent judge on the validation split."""

    evaluator_text: Path | None = None
    """The evaluator's text feature file, if it reads one (default: as `evaluate`)."""


@app.command
def finetune(
    *,
    run: RunFile = RunFile(),
    cell: Cell,
    files: CellFiles,
    judge: JudgeFiles = JudgeFiles(),
    out: Path,
    device: str = "auto",
    processes: Processes = Processes(),
    tuned: Annotated[list[Path] | None, Several, Parameter(show_default=False)] = None,
) -> None:
    """Fine-tune a backbone with a reward.

    A command that was killed goes on from its last checkpoint.

    For example:
        python -m motionrft finetune --backbone mdm --method easytune --seed 0 \\
            --base results/toy/backbones/mdm/denoiser.safetensors \\
            --reward results/toy/reward/semantic.safetensors \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --out results/toy/finetune/mdm/easytune/seed0
    With --processes 4, four GPUs share each batch.

    Parameters
    ----------
    out
        Folder for model.safetensors, record.parquet and cost.json.
    device
        Where to compute: auto, cpu or cuda.
    tuned
        File of `tune`, whose learning rate is taken.
    """
    from motionrft.configuration import merge
    from motionrft.device import pick_device
    from motionrft.files import read_json
    from motionrft.finetune.loop import Training
    from motionrft.finetune.prompt_data import Sources
    from motionrft.finetune.results import write_results
    from motionrft.finetune.setup import prepare
    from motionrft.training.distributed import process_group

    resolved = run.load()
    entry = named(resolved, "backbones", cell.backbone, run.config)
    for file in tuned or []:
        rate = {"lr": read_json(file)["rate"]}
        own = {f"{cell.backbone}/{cell.method}": rate}  # over a rate that the cell itself names
        resolved = merge(resolved, {"methods": {cell.method: rate}, "cells": own})
    method = named(resolved, "methods", cell.method, run.config)
    sources = Sources(files.base, files.reward, files.features, files.text, files.reward_text)
    with process_group(pick_device(device)) as (own_device, writes):
        judge_of = judge_factory(files, judge, cell.backbone, entry["sampler"], own_device)
        tuning = prepare(
            resolved, cell.backbone, cell.method, cell.seed, sources, own_device, judge_of
        )
        checkpoint = out / "checkpoint.pt"
        training = Training(tuning, checkpoint)
        with tracking(resolved, out):
            record = training.run()
        if writes:
            write_results(out, training, record, method)
            checkpoint.unlink(missing_ok=True)


def judge_factory(
    files: CellFiles,
    judge: JudgeFiles,
    name: str,
    sampler: dict[str, Any],
    device: torch.device,
) -> Callable[[Backbone], Callable[[], dict[str, float]]] | None:
    """backbone -> a judge that samples and scores it on the validation split, and diversity's gap to real;
    None without an evaluator."""
    from motionrft.cli.evaluate import evaluator_text
    from motionrft.evaluation.protocol import MultiModalityPlan, Protocol
    from motionrft.evaluation.scorer import Scorer
    from motionrft.text.features import TextCache

    if judge.evaluator is None:
        return None
    evaluator = judge.evaluator

    def of(backbone: Backbone) -> Callable[[], dict[str, float]]:
        # here, not above: a run without validations embeds no caption and scores no motion
        captions = evaluator_text(evaluator, judge.evaluator_text, files.text)
        rules = Protocol(multimodality=MultiModalityPlan(texts=0))
        scorer = Scorer(files.features, evaluator, captions, rules, split="val", device=device)
        text = TextCache(files.text, tokens=backbone.reads_tokens)
        real = scorer.score_real(0).metrics["Diversity"]

        def metrics() -> dict[str, float]:
            scores = scorer.score_backbone(backbone, sampler, text, name).metrics
            return {**scores, "Diversity gap": abs(scores["Diversity"] - real)}

        return metrics

    return of
