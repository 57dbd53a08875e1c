"""What a run will do and needs, on one screen, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from motionrft.cli.app import app

if TYPE_CHECKING:
    import pandas as pd

    from motionrft.workflow_plan import Plan

# widths of the published encoders' pooled and token states: their features do not exist yet when a run is planned
WIDTHS = {
    "sentence-t5-large": (768, 1024),
    "clip-vit-large-patch14": (768, 768),
    "clip-vit-base-patch32": (512, 512),
    "distilbert-base-uncased": (768, 768),
    "Qwen3-8B": (768, 4096),
}


@app.command
def plan(
    *files: Path,
    changes: Annotated[list[str] | None, Parameter(name="--set", show_default=False)] = None,
) -> None:
    """Say what a run will do: its jobs, what it lacks, its disk.

    Time and memory are those of finished jobs, and what is asked of a cluster
    until there are any. Sizes of models are counted from their shapes.

    For example:
        python -m motionrft plan config/humanml3d.yaml my-site.yaml

    Parameters
    ----------
    files
        Run files, each laid over the one before (default: config/toy.yaml).
    changes
        A change to a key of the run, e.g. `--set seeds=[0]`; may be repeated.
    """
    from motionrft.configuration import apply_set, merge, resolve
    from motionrft.configuration.files import read_yaml, run_file
    from motionrft.finetune.cells import check_cells
    from motionrft.reporting.page.jobs import jobs
    from motionrft.reporting.records import Records
    from motionrft.workflow_inputs import missing_inputs
    from motionrft.workflow_plan import Plan

    chosen = files or (Path("config/toy.yaml"),)
    where = ", ".join(map(str, chosen))
    run: dict[str, Any] = {}
    for file in chosen:
        run = merge(run, read_yaml(run_file(file)))
    run = resolve(apply_set(run, changes or []), where)
    check_cells(run, where)
    planned = Plan(run)
    print("\n".join(stage_lines(planned, jobs(Records(Path(planned.results))))))
    print("\n".join(disk_lines(planned)))
    print("\n".join(power_lines(planned)))
    missing = missing_inputs(run)
    for entry in missing:
        print(f"missing: {entry}")
    if not missing:
        print("Nothing is missing.")


def stage_lines(plan: Plan, finished: pd.DataFrame) -> Iterator[str]:
    """A line a stage: its jobs and those that are done; hours of these, and of the others if they take as long;
    largest memory; and what is asked of a cluster for one job."""
    from motionrft.workflow_sharing import job_counts

    counts = job_counts(plan)
    done = {rule: min(len(rows), counts.get(rule, 0)) for rule, rows in finished.groupby("rule")}
    total = f"{sum(counts.values())} jobs, {sum(done.values())} done"
    yield f"{plan.run['name']} ({plan.run['size']}, corpus {plan.run['corpus']['kind']}): {total}"
    yield f"{'stage':26}{'jobs':>6}{'done':>6}{'took h':>9}{'left h':>9}{'peak GB':>9}   asks for a job"
    for rule, count in counts.items():
        rows = finished[finished["rule"] == rule]
        took = left = peak = "-"
        if len(rows):
            hours = rows["wall_s"].astype(float) / 3600
            took, peak = f"{hours.sum():.2f}", f"{rows['peak_mb'].astype(float).max() / 1000:.1f}"
            left = f"{hours.mean() * (count - done[rule]):.2f}"
        yield f"{rule:26}{count:6}{done.get(rule, 0):6}{took:>9}{left:>9}{peak:>9}   {asked(plan, rule)}"


def asked(plan: Plan, rule: str) -> str:
    """GPUs, memory and hours that the resources table asks for, its exceptions left out."""
    rows = {
        "train_evaluator": plan.evaluator_rule,
        "train_judge": "train_evaluator",
        "evaluate_real": "evaluate",
        "pretrain_again": "pretrain",
    }
    row = rows.get(rule, rule.removesuffix("_switched"))
    gpu, memory, minutes = (plan.asked(row, key, {}) for key in ("gpu", "mem_mb", "runtime"))
    card = f"{gpu} GPU, " if gpu else ""
    exceptions = {"encoders", "backbones", "methods", "cells"} & set(
        plan.run["resources"].get(row, {})
    )
    more = f" (others by {' and '.join(sorted(exceptions))})" if exceptions else ""
    return f"{card}{memory / 1000:g} GB, {minutes / 60:g} h{more}"


def disk_lines(plan: Plan) -> Iterator[str]:
    """The models that the run keeps, counted from their shapes, the dearest backbone first."""
    sizes = {name: counted_bytes(plan.run, name) for name in plan.backbones}
    copies = {
        name: len(plan.stages(name))
        * (plan.weights_of[name] == name)
        * (1 + len(plan.more_bases(name)))
        + sum(backbone == name for backbone, _, _ in plan.cells)
        for name in plan.backbones
    }
    whole = {name: copies[name] * size for name, size in sizes.items()}
    yield f"disk: {sum(whole.values()) / 1e9:.1f} GB of models, counted from their shapes"
    for name in sorted(whole, key=lambda name: -whole[name]):
        yield f"  {name:24}{copies[name]:4} x {sizes[name] / 1e9:6.3f} GB ={whole[name] / 1e9:8.1f} GB"


def power_lines(plan: Plan) -> Iterator[str]:
    """Whether the gains that the run wants to show would show, in each score that it declares."""
    from motionrft.reporting.expected import expected, told
    from motionrft.reporting.family import declared

    prompts = prompts_of_test(plan)
    for entry in expected(plan.run, declared(plan.run)):
        yield told(entry, prompts)


def prompts_of_test(plan: Plan) -> int | None:
    """Clips of the test split: those of the corpus that was made, or that a toy corpus will have; None if not known."""
    from motionrft.files import read_table

    clips = Path(plan.results, "features", "clips.parquet")
    if clips.exists():
        return int(read_table(clips)[0]["split"].eq("test").sum())
    corpus = plan.run["corpus"]
    return round(corpus["clips"] * corpus["splits"]["test"]) if corpus["kind"] == "toy" else None


def counted_bytes(run: dict[str, Any], name: str) -> int:
    """Bytes of a backbone's weights in its file."""
    import torch

    from motionrft.backbones.io import build_backbone
    from motionrft.motion.normaliser import Normaliser
    from motionrft.motion.representation import representation

    settings = run["backbones"][name]
    skeleton = "kit21" if run["corpus"]["kind"] == "kit" else "smpl22"
    dim = representation(settings["representation"], skeleton).dim
    pooled, tokens = text_widths(run["text"][settings["text"]])
    with torch.device("meta"):
        normaliser = Normaliser(torch.zeros(dim), torch.ones(dim))
        widths = {"pooled": pooled, "tokens": tokens}
        backbone = build_backbone(settings, dim=dim, text=widths, normaliser=normaliser)
    return sum(value.nbytes for value in backbone.state_dict().values())


def text_widths(encoder: dict[str, Any]) -> tuple[int, int]:
    """Pooled and token widths of a section of `text`; of an encoder that is not known, those of CLIP ViT-L."""
    if "width" in encoder:
        return encoder["width"], encoder["width"]
    source = encoder.get("source") or encoder.get("sources", {}).get("qwen", "")
    return WIDTHS.get(Path(source).name, WIDTHS["clip-vit-large-patch14"])
