"""What a run will do and needs, on one screen, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.workflow_resources import COUNTED

if TYPE_CHECKING:
    import pandas as pd

    from motionrft.counting.card import Card
    from motionrft.forecast.costs import Forecast, JobCost
    from motionrft.forecast.table import Table
    from motionrft.workflow_plan import Plan

ELSEWHERE = "H100"  # the card that is spoken of where none is here and none is named


@app.command
def plan(
    *files: Path,
    changes: Annotated[list[str] | None, Parameter(name="--set", show_default=False)] = None,
    card: str | None = None,
    cells: bool = False,
) -> None:
    """Say what a run will do: its jobs, what it lacks, GPU time, memory, disk.

    GPU hours and memory are counted from shapes, hours to a factor of two, and
    replaced by those of finished jobs. For a run that asks for no GPU, hours of
    one core of this machine are estimated, to a factor of three. The counts of
    the shipped configurations stand in config/counted.json; others are made
    now, which takes a minute.

    For example:
        python -m motionrft plan config/humanml3d.yaml my-site.yaml --card 48

    Parameters
    ----------
    files
        Run files, each laid over the one before (default: config/toy.yaml).
    changes
        A change to a key of the run, e.g. `--set seeds=[0]`; may be repeated.
    card
        The GPU to count for: a name (`H100`, `A100 40GB`), or its memory in GB
        (default: the one that is here, else an H100; this machine's processor
        for a run that asks for none).
    cells
        Only the table of all fine-tunings: what `finetune.memory: auto` makes
        of them on cards of 80, 48 and 24 GB, or on `--card`.
    """
    from motionrft.configuration import apply_set, merge, resolve
    from motionrft.configuration.files import read_yaml, run_file
    from motionrft.counting.card import card_named
    from motionrft.finetune.cells import check_cells
    from motionrft.forecast.cells import cell_lines, summary_lines
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
    if cells:
        sizes = [card] if card else ["80", "48", "24"]
        print("\n".join(cell_lines(run, counts(run), [card_named(size) for size in sizes])))
        return
    forecast = forecast_of(planned, card)
    finished = jobs(Records(Path(planned.results)))
    print("\n".join(stage_lines(planned, finished, forecast)))
    if on_card(planned, card):
        print("\n".join(summary_lines(forecast)))
    print("\n".join(disk_lines(planned, forecast)))
    print("\n".join(power_lines(planned)))
    missing = missing_inputs(run)
    for entry in missing:
        print(f"missing: {entry}")
    if not missing:
        print("Nothing is missing.")


def counts(run: dict[str, Any]) -> Table:
    """What the run's jobs cost: as it stands in config/counted.json, the rest counted now."""
    from motionrft.forecast.table import Table, lacking

    table = Table.read()
    if lacking(table, run):
        from motionrft.forecast.count import fill

        fill(table, run)
    return table


def on_card(plan: Plan, card: str | None) -> bool:
    """Whether a GPU is counted for: one is named, or the run asks for one."""
    return card is not None or any(row.get("gpu") for row in plan.run["resources"].values())


def forecast_of(plan: Plan, card: str | None) -> Forecast:
    """For the card that is named, or here; of a run that asks for no GPU, for a core of this machine."""
    from motionrft.counting.card import CARDS, card_here, card_named
    from motionrft.forecast.costs import Forecast

    if on_card(plan, card):
        chosen = card_named(card) if card else card_here() or CARDS[ELSEWHERE]
        return Forecast(plan.run, counts(plan.run), chosen)
    from motionrft.counting.processor import processor_here

    return Forecast(plan.run, counts(plan.run), processor_here())


def stage_lines(plan: Plan, finished: pd.DataFrame, forecast: Forecast) -> Iterator[str]:
    """A line a stage: its jobs and those that are done; hours of these, and of the others if they take as long;
    largest memory of the machine; hours and memory on a GPU, or hours of a core; and what is asked of a cluster for one
    job."""
    from motionrft.workflow_sharing import job_counts

    numbers = job_counts(plan)
    done = {rule: min(len(rows), numbers.get(rule, 0)) for rule, rows in finished.groupby("rule")}
    total = f"{sum(numbers.values())} jobs, {sum(done.values())} done"
    card = forecast.card
    on = f"; on {card.name}, {card.memory:g} GB"
    if card.kind == "CPU":
        on = f"; hours of {card.name} are estimated"
    yield f"{plan.run['name']} ({plan.run['size']}, corpus {plan.run['corpus']['kind']}): {total}{on}"
    heads = f"{'took h':>8}{'left h':>8}{'peak GB':>8}{card.kind + ' h':>9}{card.kind + ' GB':>8}"
    yield f"{'stage':26}{'jobs':>5}{'done':>5}{heads}   asks for a job"
    for rule, count in numbers.items():
        rows = finished[finished["rule"] == rule]
        took = left = peak = "-"
        expected = job_costs(plan, rule, forecast)
        hours, memory = device_columns(expected, count, card)
        if len(rows):
            spent = rows["wall_s"].astype(float) / 3600
            took, peak = f"{spent.sum():.2f}", f"{rows['peak_mb'].astype(float).max() / 1000:.1f}"
            left = f"{spent.mean() * (count - done[rule]):.2f}"
            hours = shown(spent.mean() * count) if expected else hours
        columns = f"{took:>8}{left:>8}{peak:>8}{hours:>9}{memory:>8}"
        yield f"{rule:26}{count:5}{done.get(rule, 0):5}{columns}   {asked(plan, rule)}"


def job_costs(plan: Plan, rule: str, forecast: Forecast) -> list[JobCost | None]:
    """The expected cost of every job of a rule; none of a rule that is not counted."""
    run = plan.run
    if rule == "finetune":
        cells = plan.trained_cells
        return [forecast.cells.get((backbone, method)) for backbone, method, _ in cells]
    if rule == "evaluate":
        bases = [(name, "base") for name in plan.backbones]
        tuned = [(name, method) for name, method, _ in plan.cells]
        return [forecast.evaluation(*sampled) for sampled in [*bases, *tuned]]
    if rule == "pretrain":
        trained = dict.fromkeys(plan.weights_of[name] for name in plan.trained)
        return [
            forecast.pretraining(name, stage) for name in trained for stage in plan.stages(name)
        ]
    if rule == "train_reward":
        return [forecast.reward_stage(stage) for stage in run["reward"]["stages"]]
    return []


def device_columns(costs: list[JobCost | None], count: int, card: Card) -> tuple[str, str]:
    """Hours of `count` jobs on a card and their largest memory there in GB; `-` where they are not known."""
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return "-", "-"
    hours = sum(cost.seconds + card.begin for cost in known) / 3600 / len(known) * count
    memory = max(cost.memory for cost in known) / 1e9
    return shown(hours), "-" if card.kind == "CPU" else f"{memory:.0f}"


def shown(hours: float) -> str:
    """Two figures of what is below ten."""
    return f"{hours:.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 0.5 else f"{hours:.2g}"


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
    counted = plan.run["resources"].get(row, {}).get("runtime") == COUNTED
    time = "as counted" if counted else f"{minutes / 60:g} h"
    return f"{card}{memory / 1000:g} GB, {time}{more}"


def disk_lines(plan: Plan, forecast: Forecast) -> Iterator[str]:
    """The models that the run keeps, the dearest backbone first: of its training stages, and of its fine-tunings, which
    are adapters alone where a run tunes by LoRA."""
    whole = {}
    for name in plan.backbones:
        bases = (plan.weights_of[name] == name) * (1 + len(plan.more_bases(name)))
        trained = len(plan.stages(name)) * bases
        tuned = sum(backbone == name for backbone, _, _ in plan.trained_cells)
        size, kept = model_bytes(plan.run, name, forecast)
        line = f"{trained} x {size / 1e9:.3f} GB + {tuned} x {kept / 1e9:.3f} GB"
        whole[name] = (trained * size + tuned * kept, line)
    total = sum(size for size, _ in whole.values())
    yield f"disk: {total / 1e9:.1f} GB of models, counted from their shapes: stages of training + fine-tunings"
    for name in sorted(whole, key=lambda name: -whole[name][0]):
        yield f"  {name:24}{whole[name][1]:36} ={whole[name][0] / 1e9:8.1f} GB"


def power_lines(plan: Plan) -> Iterator[str]:
    """Whether the gains that the run wants to show would show, in each score that it declares."""
    from motionrft.configuration.comparisons import declared
    from motionrft.reporting.expected import expected, told

    prompts = prompts_of_test(plan)
    for entry in expected(plan.run, declared(plan.run)):
        yield told(entry, prompts)


def prompts_of_test(plan: Plan) -> int | None:
    """Clips of the test split: those of the corpus that was made, or that it will have; None if not known."""
    from motionrft.files import read_table
    from motionrft.forecast.costs import clips_of_test

    clips = Path(plan.results, "features", "clips.parquet")
    if clips.exists():
        return int(read_table(clips)[0]["split"].eq("test").sum())
    return clips_of_test(plan.run["corpus"])


def model_bytes(run: dict[str, Any], name: str, forecast: Forecast) -> tuple[int, int]:
    """Bytes of a backbone's file, and of that of a fine-tuning."""
    counted = forecast.network(name)
    if counted is not None:
        return counted.file, counted.saved
    from motionrft.backbones.shapes import backbone_shapes

    size = sum(value.nbytes for value in backbone_shapes(run, name).state_dict().values())
    return size, size
