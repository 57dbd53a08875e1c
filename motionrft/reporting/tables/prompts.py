"""How many prompts win, and by how much."""

from __future__ import annotations

import pandas as pd

from motionrft.reporting.cells import command
from motionrft.reporting.columns import Column
from motionrft.reporting.compare import proportion_half
from motionrft.reporting.family import OF_PROMPT, effect, verdicts
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
    """Fine-tuned against base prompt by prompt: differences with intervals, win rate, effect size."""
    rows = []
    for entry in records.run["matrix"]:
        backbone, method = entry["backbone"], entry["method"]
        pairs = paired_prompts(records, backbone, method)
        targets = [
            f"{records.targets}/evaluate/{backbone}/{name}/seed{seed}/per_prompt.parquet"
            for name, seeds in (("base", [0]), (method, entry["seeds"]))
            for seed in seeds
        ]
        cells = {column.key: Cell() for column in PROMPT_METRICS}
        if len(pairs):
            cells = _wins(pairs)
            for metric in ("MM-Dist", "R-Precision Top-1"):
                cells[OF_PROMPT[metric]] = _difference(records, backbone, method, metric)
        rows.append(Row((backbone, method), cells, backbone, command=command(records, *targets)))
    notes = [
        "Δ: fine-tuned minus base with its 95 % interval, paired over seeds and prompts, both taken as drawn at random; * = better, "
        "† = worse after Holm's correction over the comparisons that the run declares. Prompts nearer and Cohen's d (of the paired "
        "differences in the distance to the text, positive is nearer): scores of a clip, averaged over replications and seeds.",
    ]
    return Table(("backbone", "method"), PROMPT_METRICS, rows, notes)


def _difference(records: Records, backbone: str, method: str, metric: str) -> Cell:
    found = effect(records, backbone, method, metric)
    if found is None:
        return Cell(absent="undefined")
    judged = verdicts(records).get((backbone, method, metric))
    p, word = (found.p, "") if judged is None else (judged.p, judged.word)
    half = (found.high - found.low) / 2
    return Cell(found.difference, half, found.prompts, p=p, verdict=word)


def _wins(pairs: pd.DataFrame) -> dict[str, Cell]:
    nearer = (pairs["matching_base"] - pairs["matching"]).dropna()
    wins = 100.0 * float((nearer > 0).mean() + 0.5 * (nearer == 0).mean())
    half = proportion_half(wins, len(nearer)) if len(nearer) else None
    spread = float(nearer.std(ddof=1)) if len(nearer) > 1 else 0.0
    size = Cell(float(nearer.mean()) / spread, None, len(nearer)) if spread > 0 else None
    return {"wins": Cell(wins, half, len(nearer)), "effect": size or Cell(absent="undefined")}


TABLE = TableFile(
    title="Fine-tuned against base, prompt by prompt",
    order=50,
    needs=("prompts",),
    build=prompts,
)
