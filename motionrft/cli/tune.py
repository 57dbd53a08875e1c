"""The learning rate of one cell, chosen on the validation split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.finetune import JudgeFiles, prepared
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
    from motionrft.finetune.setup import FineTuning
    from motionrft.finetune.tuning import tune_rate

    resolved = run.load()
    named(resolved, "backbones", cell.backbone, run.config)
    named(resolved, "methods", cell.method, run.config)
    chosen = pick_device(device)

    def with_rate(rate: float) -> FineTuning:
        own = {f"{cell.backbone}/{cell.method}": {"lr": rate}}
        changed = merge(resolved, {"methods": {cell.method: {"lr": rate}}, "cells": own})
        return prepared(changed, cell, files, judge, chosen)

    checkpoints = out.with_suffix(".checkpoints")
    result = tune_rate(with_rate, rates, checkpoints)
    about = provenance(resolved["finetune"], seed=cell.seed, device=str(chosen))
    write_json(out, {**result, "provenance": about})
    if checkpoints.is_dir():  # short trials write none
        checkpoints.rmdir()
    for trial in result["trials"]:
        print(
            f"lr {trial['rate']:g}: score {trial['score']:.4f} after {trial['update']} updates, {trial['seconds']:.1f} s"
        )
    print(f"chosen: {result['rate']:g}")
