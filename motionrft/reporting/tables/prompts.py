"""Tests over prompts instead of seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from motionrft.metrics.statistics import paired_bootstrap
from motionrft.reporting.cells import command, correct
from motionrft.reporting.columns import Column
from motionrft.reporting.compare import proportion_half
from motionrft.reporting.prompt_pairs import paired_prompts
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table, TableFile

PROMPT_METRICS = (
    Column("matching", "Δ MM-Dist", -1, 3),
    Column("top1", "Δ R@1", 1, 3),
    Column("wins", "prompts nearer (%)", 1, 1),
    Column("effect", "effect size d", 1, 2),
)


def prompts(records: Records) -> Table:
    """Fine-tuned against base prompt by prompt: paired bootstrap over clips, win rate, effect size."""
    rows = []
    for entry in records.run["matrix"]:
        backbone, method = entry["backbone"], entry["method"]
        pairs = paired_prompts(records, backbone, method)
        targets = [
            f"{records.folder}/evaluate/{backbone}/{name}/seed{seed}/per_prompt.parquet"
            for name, seeds in (("base", [0]), (method, entry["seeds"]))
            for seed in seeds
        ]
        cells = _paired(pairs) if len(pairs) else {column.key: Cell() for column in PROMPT_METRICS}
        rows.append(Row((backbone, method), cells, backbone, command=command(records, *targets)))
    notes = [
        "The unit is the prompt: scores of the same clip, averaged over replications and seeds. Δ: fine-tuned minus "
        "base with its 95 % bootstrap interval (10,000 resamples); * = better after Holm's correction over the table. "
        "Effect size: Cohen's d of the paired differences in the distance to the text, positive is nearer.",
        "Prompts as the unit say whether the model is better on other captions; seeds as the unit (the other tables) "
        "say whether another training run would be.",
    ]
    table = Table(
        ("backbone", "method"),
        PROMPT_METRICS,
        rows,
        notes,
    )
    return correct(table)


def _paired(pairs: pd.DataFrame) -> dict[str, Cell]:
    cells = {}
    for column in PROMPT_METRICS[:2]:
        base, tuned = pairs[f"{column.key}_base"].to_numpy(), pairs[column.key].to_numpy()
        if not np.isfinite(base - tuned).any():
            cells[column.key] = Cell(absent="undefined")
            continue
        test = paired_bootstrap(base, tuned)
        cells[column.key] = Cell(
            test.difference,
            (test.high - test.low) / 2,
            test.pairs,
            p=test.p,
            favourable=column.direction * test.difference > 0,
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


TABLE = TableFile(
    title="Fine-tuned against base, prompt by prompt",
    order=50,
    needs=("prompts",),
    build=prompts,
)
