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
    from torch import Tensor

    from motionrft.backbones.base import Backbone
    from motionrft.evaluation.protocol import Protocol
    from motionrft.finetune.setup import FineTuning
    from motionrft.finetune.value_reward import Points
    from motionrft.text.features import TextBatch


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
            --evaluator results/toy/judge/model.safetensors \\
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
    from motionrft.finetune.results import write_results
    from motionrft.training.distributed import process_group

    resolved = run.load()
    named(resolved, "backbones", cell.backbone, run.config)
    for file in tuned or []:
        rate = {"lr": read_json(file)["rate"]}
        own = {f"{cell.backbone}/{cell.method}": rate}  # over a rate that the cell itself names
        resolved = merge(resolved, {"methods": {cell.method: rate}, "cells": own})
    method = named(resolved, "methods", cell.method, run.config)
    with process_group(pick_device(device)) as (own_device, writes):
        tuning = prepared(resolved, cell, files, judge, own_device)
        checkpoint = out / "checkpoint.pt"
        training = Training(tuning, checkpoint)
        with tracking(resolved, out):
            record = training.run()
        if writes:
            write_results(out, training, record, method)
            checkpoint.unlink(missing_ok=True)


def prepared(
    run: dict[str, Any], cell: Cell, files: CellFiles, judge: JudgeFiles, device: torch.device
) -> FineTuning:
    """The cell of a run, judged on the split of its validations; its method may ask for the evaluator's space."""
    from motionrft.configuration import trains
    from motionrft.errors import InputError
    from motionrft.evaluation.settings import validation_rules
    from motionrft.finetune.prompt_data import Sources
    from motionrft.finetune.settings import cell_settings
    from motionrft.finetune.setup import prepare

    if not trains(run["methods"][cell.method]):
        raise InputError(
            "trains nothing",
            where=f"config/methods/{cell.method}.yaml",
            field="training",
            fix=f"sample with it: motionrft evaluate --method {cell.method} --reward …",
        )
    sampler = run["backbones"][cell.backbone]["sampler"]
    rules = validation_rules(run["evaluate"])
    split = cell_settings(run, cell.backbone, cell.method).validate_split
    return prepare(
        run,
        cell.backbone,
        cell.method,
        cell.seed,
        Sources(files.base, files.reward, files.features, files.text, files.reward_text),
        device,
        judge_factory(files, judge, cell.backbone, sampler, device, rules, split),
        evaluator_points(files, judge, device),
    )


def judge_factory(
    files: CellFiles,
    judge: JudgeFiles,
    name: str,
    sampler: dict[str, Any],
    device: torch.device,
    rules: Protocol,
    split: str,
) -> Callable[[Backbone], Callable[[], dict[str, float]]] | None:
    """backbone -> a judge that samples and scores it by the rules of validations, on their split, with the standard errors
    of scores that are means over prompts, and diversity's gap to real; None without an evaluator."""
    from motionrft.cli.evaluate import evaluator_text
    from motionrft.evaluation.scorer import Scorer
    from motionrft.finetune.selection import standard_errors
    from motionrft.reporting.family import OF_PROMPT
    from motionrft.text.features import TextCache

    if judge.evaluator is None:
        return None
    evaluator = judge.evaluator

    def of(backbone: Backbone) -> Callable[[], dict[str, float]]:
        # here, not above: a run without validations embeds no caption and scores no motion
        captions = evaluator_text(evaluator, judge.evaluator_text, files.text)
        scorer = Scorer(files.features, evaluator, captions, rules, split=split, device=device)
        text = TextCache(files.text, tokens=backbone.reads_tokens)
        real = scorer.score_real(0).metrics["Diversity"]

        def metrics() -> dict[str, float]:
            result = scorer.score_backbone(backbone, sampler, text, name)
            rows = {key: result.prompts[column].tolist() for key, column in OF_PROMPT.items()}
            gap = abs(result.metrics["Diversity"] - real)
            return {**result.metrics, **standard_errors(rows), "Diversity gap": gap}

        return metrics

    return of


def evaluator_points(
    files: CellFiles, judge: JudgeFiles, device: torch.device
) -> Callable[[Backbone], Points] | None:
    """backbone -> its motions, and captions as the reward reads them, in the evaluator's space; None without one."""
    import torch

    from motionrft.corpus.store import FeatureStore
    from motionrft.errors import InputError
    from motionrft.evaluation.convert import Converter
    from motionrft.evaluation.evaluator_file import corpus_digest, load_evaluator

    if judge.evaluator is None:
        return None
    path = judge.evaluator

    def of(backbone: Backbone) -> Points:
        # here, not above: few methods ask for it, and an evaluator with words of its own serves all the others
        store = FeatureStore(files.features)
        evaluator, _, extra = load_evaluator(path, corpus=corpus_digest(store), device=device)
        if "words.text" in extra:
            raise InputError(
                "this evaluator reads words of its own, not the captions' features",
                where=path,
                field="values.retrieval_rank",
                fix="name an evaluator of this suite",
            )
        converter = Converter(backbone.representation, store.about)

        def points(raw: Tensor, lengths: Tensor, captions: TextBatch) -> tuple[Tensor, Tensor]:
            rows = zip(raw.cpu(), lengths.tolist(), strict=True)
            motions = [motion[:frames] for motion, frames in rows]
            seen = evaluator.embed_motions(evaluator.inputs(motions, converter)).to(device)
            last = torch.arange(1, captions.mask.shape[1] + 1, device=device) * captions.mask
            texts = evaluator.encode_texts(captions.tokens, None, last.max(dim=1).values)
            return evaluator.points(seen), evaluator.points(texts)

        return points

    return of
