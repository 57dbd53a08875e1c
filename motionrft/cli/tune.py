"""The learning rate of one cell, chosen on the validation split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.finetune import JudgeFiles, judge_factory
from motionrft.cli.options import Cell, CellFiles, RunFile, named


@app.command
def tune(
    *,
    run: RunFile = RunFile(),
    cell: Cell,
    files: CellFiles,
    judge: JudgeFiles = JudgeFiles(),
    rates: Annotated[list[float], Parameter(consume_multiple=True)],
    out: Path,
    device: str = "auto",
) -> None:
    """Choose the learning rate of a cell on the validation split.

    Trains once with each rate and keeps the one that `select_by` prefers.
    `finetune --tuned FILE` uses it.

    For example:
        python -m motionrft tune --backbone mdm --method easytune --seed 1000 \\
            --base results/toy/backbones/mdm/denoiser.safetensors \\
            --reward results/toy/reward/semantic.safetensors \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --rates 1e-5 3e-5 1e-4 --out results/toy/tune/mdm/easytune.json

    Parameters
    ----------
    rates
        The rates to try.
    out
        File to write: the rate, every trial and what it cost.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.configuration import merge
    from motionrft.device import pick_device
    from motionrft.files import provenance, write_json
    from motionrft.finetune.prompt_data import Sources
    from motionrft.finetune.setup import FineTuning, prepare
    from motionrft.finetune.tuning import tune_rate

    resolved = run.load()
    entry = named(resolved, "backbones", cell.backbone, run.config)
    named(resolved, "methods", cell.method, run.config)
    chosen = pick_device(device)
    sources = Sources(files.base, files.reward, files.features, files.text, files.reward_text)
    judge_of = judge_factory(files, judge, cell.backbone, entry["sampler"], chosen)

    def prepared(rate: float) -> FineTuning:
        own = {f"{cell.backbone}/{cell.method}": {"lr": rate}}
        changed = merge(resolved, {"methods": {cell.method: {"lr": rate}}, "cells": own})
        return prepare(changed, cell.backbone, cell.method, cell.seed, sources, chosen, judge_of)

    result = tune_rate(prepared, rates, out.with_suffix(".checkpoints"))
    about = provenance(resolved["finetune"], seed=cell.seed, device=str(chosen))
    write_json(out, {**result, "provenance": about})
    out.with_suffix(".checkpoints").rmdir()
    for trial in result["trials"]:
        print(
            f"lr {trial['rate']:g}: score {trial['score']:.4f} after {trial['update']} updates, {trial['seconds']:.1f} s"
        )
    print(f"chosen: {result['rate']:g}")
