"""What the run can show, expected and measured."""

from __future__ import annotations

from dataclasses import replace

from motionrft.configuration.comparisons import declared
from motionrft.metrics.crossed import Effect, Spread
from motionrft.reporting.cells import base_values, command
from motionrft.reporting.columns import Column, Fact
from motionrft.reporting.expected import Expected, expected
from motionrft.reporting.family import COLUMNS, effect
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table, TableFile

POWER = (
    Fact("gain", "gain that should show", 0, 3),
    Fact("seed", "sd over seeds", 0, 3),
    Fact("prompt", "sd over prompts", 0, 3),
    Fact("rest", "sd of the rest", 0, 3),
    Fact("prompts", "prompts", 0, 0),
    Column("power", "power (%)", 1, 0),
    Column("needed", "prompts for 80 %", -1, 0),
    Column("seeds", "seeds for 80 %", -1, 0),
)


def power(records: Records) -> Table:
    """Power of the declared comparisons: under the spread that was expected, and under the one that was measured."""
    rows = []
    members = declared(records.run)
    for entry in expected(records.run, members):
        title = COLUMNS[entry.metric].title
        unknown = dict.fromkeys(("prompts", "power", "seeds"), Cell(absent="–"))
        cells = _cells(entry, None) | unknown
        rows.append(Row((title, "expected", "–"), cells, title, reference=True))
        for backbone, method, metric in members:
            if metric != entry.metric:
                continue
            found = effect(records, backbone, method, metric)
            base = base_values(records, backbone, method, metric)["value"].mean()
            measured = None
            if found is not None:
                scale = float(base) if entry.of_base else 1.0
                measured = _measured(entry, found, scale)
            cells = {column.key: Cell() for column in POWER}
            if found is not None and measured is not None:
                cells = _cells(measured, found.prompts)
                if found.seeds < 2:
                    cells |= {name: Cell(absent="one seed") for name in ("seed", "rest", "seeds")}
            target = f"{records.targets}/evaluate/{backbone}/{method}/seed0/per_prompt.parquet"
            labels = (title, backbone, method)
            rows.append(Row(labels, cells, title, command=command(records, target)))
    notes = [
        "The gain that the run should show (`compare.gains`; of FID, shares of the base model's), and the standard deviations of "
        "the differences between fine-tuned and base over training seeds, over prompts, and of what is left. Power: the probability "
        "that a true gain of this size is found at 5 % divided by the number of declared comparisons, as Holm's first step asks. "
        "Prompts for 80 %: with the run's seeds; seeds: with its prompts. First row: as expected before the run.",
    ]
    return Table(("score", "backbone", "method"), POWER, rows, notes, ranked=False)


def _measured(entry: Expected, found: Effect, scale: float) -> Expected:
    """With the spread of the run's own differences."""
    spread = found.spread
    if found.seeds < 2:  # nothing is known of seeds
        spread = Spread(0.0, spread.prompt, 0.0)
    shares = Spread(spread.seed / scale, spread.prompt / scale, spread.rest / scale)
    return replace(entry, spread=shares, seeds=found.seeds)


def _cells(entry: Expected, prompts: int | None) -> dict[str, Cell]:
    spread, needed = entry.spread, entry.prompts
    seeds = None if prompts is None else entry.seeds_for(prompts)
    return {
        "gain": Cell(entry.gain),
        "seed": Cell(spread.seed),
        "prompt": Cell(spread.prompt),
        "rest": Cell(spread.rest),
        "prompts": Cell() if prompts is None else Cell(prompts),
        "power": Cell() if prompts is None else Cell(100 * entry.power(prompts)),
        "needed": Cell(absent="none") if needed is None else Cell(needed),
        "seeds": Cell(absent="none") if seeds is None else Cell(seeds),
    }


TABLE = TableFile(
    title="What the run can show",
    question="run",
    order=55,
    needs=("evaluations", "prompts"),
    build=power,
)
