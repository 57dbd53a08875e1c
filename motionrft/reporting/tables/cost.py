"""What it costs to reach a reward (EasyTune table S9), and tests over prompts instead of seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from motionrft.metrics.statistics import paired_bootstrap
from motionrft.reporting import published
from motionrft.reporting.cells import command, correct
from motionrft.reporting.compare import proportion_half
from motionrft.reporting.metrics import Metric
from motionrft.reporting.records import CELL, Records
from motionrft.reporting.table import Cell, Row, Table

PAPER_LEVELS = (0.70, 0.75, 0.80, 0.85)
SHARES = (0.25, 0.50, 0.75, 1.00)
PAPER_NAMES = {"draft-50": "DRaFT", "alignprop": "AlignProp", "drtune": "DRTune", "refl-10": "ReFL", "easytune": "EasyTune"}  # fmt: skip


def curve_name(frame: pd.DataFrame) -> str:
    """The reward that levels are read from: on the validation split, or of the batches where there is none."""
    return "val/reward" if frame["name"].eq("val/reward").any() else "reward"


def levels_of(frame: pd.DataFrame, size: str) -> list[float]:
    """The paper's levels in a run of its size; else the quarters of the way from the first reward to the
    best that any method reached on this backbone."""
    if size == "paper":
        return list(PAPER_LEVELS)
    rewards = frame[frame["name"].eq(curve_name(frame))].sort_values("update")
    if rewards.empty:
        return []
    first = float(rewards.groupby(["method", "seed"])["value"].first().mean())
    best = float(rewards["value"].max())
    return [first + share * (best - first) for share in SHARES] if best > first else []


def compute_overhead(records: Records) -> Table:
    """Seconds and GFLOPs until the reward reached four levels; all seeds must reach a level."""
    from motionrft.metrics.training_record import until_level

    paper_size = records.run["size"] == "paper"
    names = [f"{level:.2f}" if paper_size else f"{share:.0%}" for level, share in zip(PAPER_LEVELS, SHARES, strict=True)]  # fmt: skip
    metrics = (
        Metric("update", "s / update", -1, 3, "update"),
        *(Metric(f"wall_s {i}", f"s to {name}", -1, 1, f"s{i}") for i, name in enumerate(names)),
        *(
            Metric(f"flops {i}", f"GFLOPs to {name}", -1, 1, f"flops{i}", 1e-9, 1e3)
            for i, name in enumerate(names)
        ),
    )
    rows: list[Row] = []
    notes: list[str] = []
    for backbone in records.run["backbones"]:
        frame = records.finetuning[records.finetuning["backbone"].eq(backbone)]
        levels = levels_of(frame, records.run["size"])
        if levels:
            shown = ", ".join(f"{level:.3f}" for level in levels)
            notes.append(f"{backbone}: levels of {curve_name(frame)} {shown}.")
        for entry in records.run["matrix"]:
            if entry["backbone"] != backbone:
                continue
            method = entry["method"]
            own = frame[frame["method"].eq(method)]
            spent = [
                until_level(record, curve_name(frame), levels) for _, record in own.groupby("seed")
            ]
            cells = _cells(spent, metrics[1:], _paper(method) if backbone == "mld" else {})
            step = records.costs[
                records.costs["backbone"].eq(backbone)
                & records.costs["method"].eq(method)
                & records.costs["name"].eq("s_per_update")
            ]["value"]
            cells["update"] = Cell(float(step.mean()), None, len(step)) if len(step) else Cell()
            targets = " ".join(
                f"{records.folder}/finetune/{backbone}/{method}/seed{seed}/record.parquet"
                for seed in entry["seeds"]
            )
            rows.append(Row((backbone, method), cells, backbone, command=command(records, targets)))
    notes.append(
        "Seconds depend on the machine, FLOPs are counted by torch. Levels in percent are of the way from the first "
        "reward to the best any method reached; “not reached” where one seed did not."
    )
    return Table(
        "compute_overhead", "Cost until a reward is reached", ("backbone", "method"), metrics, rows,
        notes, why="The paper's seconds are of one RTX A6000.",
    )  # fmt: skip


def _cells(
    spent: list[list[dict[str, Any]]], metrics: tuple[Metric, ...], paper: dict[str, float]
) -> dict[str, Cell]:
    cells = {}
    for metric in metrics:
        key, number = metric.key.split()
        shown = paper.get(metric.paper)
        values = [seed[int(number)][key] for seed in spent if int(number) < len(seed)]
        if not values:
            cells[metric.key] = Cell(paper=shown)
        elif any(value is None for value in values):
            cells[metric.key] = Cell(absent="not reached", paper=shown)
        else:
            mean = float(np.mean(values)) * metric.scale
            cells[metric.key] = Cell(mean, None, len(values), paper=shown)
    return cells


def _paper(method: str) -> dict[str, float]:
    """The published seconds and GFLOPs of a method by column."""
    name = PAPER_NAMES.get(method)
    found: dict[str, float] = {}
    for number, level in enumerate(PAPER_LEVELS):
        for title, column, scale in (("time (s)", "s", 1.0), ("TFLOPs", "flops", 1e3)):
            row = published.row("compute_overhead", group=f"reward {level:.2f}", method=title)
            if name and row.get(name) is not None:
                found[f"{column}{number}"] = row[name] * scale
    return found


PROMPT_METRICS = (
    Metric("matching", "Δ MM-Dist", -1, 3),
    Metric("top1", "Δ R@1", 1, 3),
    Metric("wins", "prompts nearer (%)", 1, 1),
    Metric("effect", "effect size d", 1, 2),
)


def per_clip(records: Records, backbone: str, method: str) -> pd.DataFrame:
    """Means by clip over replications and seeds: matching (distance to its text), top1."""
    frame = records.prompts
    own = frame[frame["backbone"].eq(backbone) & frame["method"].eq(method)]
    return own.drop(columns=CELL).groupby("clip")[["matching", "top1"]].mean()


def paired_prompts(
    records: Records, backbone: str, method: str, base: str = "base"
) -> pd.DataFrame:
    """per_clip of both models on the clips they share: columns matching_base, matching, top1_base, top1."""
    own, rival = per_clip(records, backbone, method), per_clip(records, backbone, base)
    return own.merge(rival, left_index=True, right_index=True, suffixes=("", "_base"))


def prompts(records: Records) -> Table:
    """Fine-tuned against base prompt by prompt: paired bootstrap over clips, win rate, effect size."""
    rows = []
    for entry in records.run["matrix"]:
        backbone, method = entry["backbone"], entry["method"]
        pairs = paired_prompts(records, backbone, method)
        targets = " ".join(
            f"{records.folder}/evaluate/{backbone}/{name}/seed{seed}/per_prompt.parquet"
            for name, seeds in (("base", [0]), (method, entry["seeds"]))
            for seed in seeds
        )
        cells = _paired(pairs) if len(pairs) else {metric.key: Cell() for metric in PROMPT_METRICS}
        rows.append(Row((backbone, method), cells, backbone, command=command(records, targets)))
    notes = [
        "The unit is the prompt: scores of the same clip, averaged over replications and seeds. Δ: fine-tuned minus "
        "base with its 95 % bootstrap interval (10,000 resamples); * = better after Holm's correction over the table. "
        "Effect size: Cohen's d of the paired differences in the distance to the text, positive is nearer.",
        "Prompts as the unit say whether the model is better on other captions; seeds as the unit (the other tables) "
        "say whether another training run would be.",
    ]
    table = Table(
        "prompts", "Fine-tuned against base, prompt by prompt", ("backbone", "method"),
        PROMPT_METRICS, rows, notes,
    )  # fmt: skip
    return correct(table)


def _paired(pairs: pd.DataFrame) -> dict[str, Cell]:
    cells = {}
    for metric in PROMPT_METRICS[:2]:
        base, own = pairs[f"{metric.key}_base"].to_numpy(), pairs[metric.key].to_numpy()
        if not np.isfinite(base - own).any():
            cells[metric.key] = Cell(absent="undefined")
            continue
        found = paired_bootstrap(base, own)
        cells[metric.key] = Cell(
            found.difference,
            (found.high - found.low) / 2,
            found.pairs,
            p=found.p,
            favourable=metric.direction * found.difference > 0,
        )
    nearer = (pairs["matching_base"] - pairs["matching"]).dropna()
    wins = 100.0 * float((nearer > 0).mean() + 0.5 * (nearer == 0).mean())
    half = proportion_half(wins, len(nearer)) if len(nearer) else None
    cells["wins"] = Cell(wins, half, len(nearer))
    spread = float(nearer.std(ddof=1)) if len(nearer) > 1 else 0.0
    cells["effect"] = (
        Cell(float(nearer.mean()) / spread, None, len(nearer))
        if spread > 0
        else Cell(absent="undefined")
    )
    return cells
