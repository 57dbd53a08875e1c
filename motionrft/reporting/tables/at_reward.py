"""What each method spends to reach one and the same validation reward, and what the model is worth there."""

from __future__ import annotations

from motionrft.metrics.training_record import until_level
from motionrft.reporting.columns import Column
from motionrft.reporting.records import Records
from motionrft.reporting.seeds import unequal_seeds
from motionrft.reporting.spending import (
    CLOCK,
    FID,
    REWARD,
    SHARES,
    TOP1,
    Runs,
    memory,
    over_seeds,
    reward_levels,
    row,
    runs_of,
)
from motionrft.reporting.table import Cell, Table, TableFile

SPENT = (("seconds", "s", 1.0, 1), ("flops", "GFLOP", 1e-9, 1))
SCORES = ((TOP1, "R@1", 1), (FID, "FID", -1))


def at_reward(records: Records) -> Table:
    """Seconds, memory and GFLOP until a fixed validation reward, R@1 and FID at it."""
    columns = [Column("extra", "extra MiB", -1, 1)]
    for share in SHARES:
        columns += [
            Column(f"{key} {share}", f"{title} to {share:.0%}", -1, digits)
            for key, title, _, digits in SPENT
        ]
        columns += [
            Column(f"{key} {share}", f"{title} at {share:.0%}", way, 3)
            for key, title, way in SCORES
        ]
    keys = [column.key for column in columns]
    rows, notes = [], []
    for backbone in records.run["backbones"]:
        methods = runs_of(records, backbone)
        levels = reward_levels(methods)
        if levels:
            named = ", ".join(f"{share:.0%} is {level:.3f}" for share, level in levels.items())
            notes.append(f"{backbone}: a validation reward of {named}.")
        for cell in records.trained_cells():
            if cell["backbone"] == backbone:
                runs = methods.get(cell["method"], {})
                cells = _cells(runs, levels) if levels and runs else {}
                cells["extra"] = memory(records, backbone, cell["method"], cell["seeds"])
                rows.append(row(records, backbone, cell["method"], cells, keys))
    notes.append(
        "Levels are shares of the way from the base model's validation reward to the best that any method reached on the "
        "backbone; R@1 and FID are the validation judge's at the first validation at or above the level. mean ± 95 % "
        f"interval over seeds; where some seeds never got there, how many did. {CLOCK} Extra: memory beyond plain sampling."
    )
    return Table(("backbone", "method"), tuple(columns), rows, notes + unequal_seeds(records.run))


def _cells(runs: Runs, levels: dict[float, float]) -> dict[str, Cell]:
    names = [key for key, *_ in (*SPENT, *SCORES)]
    reached = {
        seed: until_level(record, REWARD, list(levels.values()), names)
        for seed, record in runs.items()
    }
    scales = {key: scale for key, _, scale, _ in SPENT}
    return {
        f"{name} {share}": over_seeds(
            {seed: rows[place][name] for seed, rows in reached.items()}, scales.get(name, 1.0)
        )
        for place, share in enumerate(levels)
        for name in names
    }


TABLE = TableFile(
    title="Methods at a fixed validation reward",
    question="cost",
    order=61,
    needs=("finetuning", "costs"),
    build=at_reward,
)
