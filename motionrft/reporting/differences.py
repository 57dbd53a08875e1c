"""Two runs, or two cells, against each other: what differs in their configurations, and in their scores in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from motionrft.configuration import load_run
from motionrft.errors import InputError
from motionrft.files import read_table
from motionrft.metrics.crossed import crossed_effect
from motionrft.reporting.columns import GENERATION
from motionrft.reporting.compare import differences as by_prompt
from motionrft.reporting.compare import holm
from motionrft.reporting.family import OF_PROMPT
from motionrft.reporting.paired import over_seeds, paired
from motionrft.reporting.records import shared_facts

# of an evaluation's settings, what changes no score of a pair
FREE = ("replications", "samples", "batch_size")
# of a run's configuration, what says nothing of a result
NAMES = ("name", "command", "resolved")
# of a backbone or method, what is only read by people
WORDS = ("source", "open", "label")
LEVEL = 0.05
DIRECTIONS = {column.key: column.direction for column in GENERATION}


@dataclass(frozen=True)
class Cell:
    """Evaluations of one backbone and method. seed: only this one's."""

    run: Path
    backbone: str
    method: str
    seed: int | None = None

    def __str__(self) -> str:
        seed = "" if self.seed is None else f" seed {self.seed}"
        return f"{self.run} {self.backbone} {self.method}{seed}"

    @cached_property
    def folders(self) -> dict[int, Path]:
        """By seed."""
        pattern = f"evaluate/{self.backbone}/{self.method}/seed*/replications.parquet"
        found = {
            int(path.parent.name.removeprefix("seed")): path.parent
            for path in sorted(self.run.glob(pattern))
        }
        return {seed: path for seed, path in found.items() if self.seed in (None, seed)}

    def table(self, name: str) -> pd.DataFrame:
        """A file of every seed, with the column seed."""
        tables = [
            read_table(path / name)[0].assign(seed=seed) for seed, path in self.folders.items()
        ]
        return pd.concat(tables, ignore_index=True)

    def facts(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """What must be equal where scores are paired, of each seed's file."""
        for folder in self.folders.values():
            path = folder / "replications.parquet"
            about = read_table(path)[1]
            settings = {k: v for k, v in about.get("settings", {}).items() if k not in FREE}
            facts = {**shared_facts(about), "seed": about.get("seed")}
            yield path, {**facts, **flat({"evaluate": settings})}

    def configuration(self) -> dict[str, Any]:
        """Of the run's configuration, what is the cell's: one backbone, one method."""
        run = load_run(self.run / "config.yaml")
        own = {
            "backbone": run["backbones"].get(self.backbone, {}),
            "method": run["methods"].get(self.method, {}),
        }
        own = {
            name: {k: v for k, v in section.items() if k not in WORDS}
            for name, section in own.items()
        }
        left = {*NAMES, "backbones", "methods", "matrix", "override", "seeds"}
        return flat({**{key: value for key, value in run.items() if key not in left}, **own})


def cells_at(path: Path) -> list[Cell]:
    """All cells of a run's folder; or the one of …/evaluate/<backbone>/<method>, or of its seed<k> (the folder of
    its fine-tuning names it as well)."""
    path = Path(path)
    if (path / "config.yaml").is_file():
        names = sorted(
            (folder.parts[-2], folder.parts[-1])
            for folder in path.glob("evaluate/*/*")
            if folder.is_dir()
        )
        cells = [Cell(path, backbone, method) for backbone, method in names]
        cells = [cell for cell in cells if cell.folders]
    else:
        cells = _one_cell(path)
    if not cells:
        raise InputError(
            "no evaluation", where=path, fix="name a run's folder, or evaluate/<backbone>/<method> in it"
        )  # fmt: skip
    return cells


def _one_cell(path: Path) -> list[Cell]:
    seed = path.name.removeprefix("seed") if path.name.startswith("seed") else ""
    cell = path.parent if seed else path
    run = cell.parent.parent.parent
    if not (run / "config.yaml").is_file() or cell.parent.parent.name not in (
        "evaluate",
        "finetune",
    ):
        return []
    chosen = Cell(run, cell.parent.name, cell.name, int(seed) if seed.isdecimal() else None)
    return [chosen] if chosen.folders else []


def matched(first: list[Cell], second: list[Cell]) -> list[tuple[Cell, Cell]]:
    """The pairs to compare: the two cells, or the cells that two runs have in common."""
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    other = {(cell.backbone, cell.method): cell for cell in second}
    pairs = [(cell, other[key]) for cell in first if (key := (cell.backbone, cell.method)) in other]
    if not pairs:
        raise InputError(
            "no cell in common", where=second[0].run, fix="name two cells instead of two runs"
        )
    return pairs


def configurations(first: list[Cell], second: list[Cell]) -> pd.DataFrame:
    """Columns key, a, b: the keys whose values differ; of two runs every section, of two cells their own."""
    a, b = (
        cells[0].configuration()
        if len(first) == len(second) == 1
        else flat(
            {k: v for k, v in load_run(cells[0].run / "config.yaml").items() if k not in NAMES}
        )
        for cells in (first, second)
    )
    keys = [key for key in sorted(a.keys() | b.keys()) if a.get(key, "-") != b.get(key, "-")]
    return pd.DataFrame({"key": keys, "a": [a.get(key, "-") for key in keys], "b": [b.get(key, "-") for key in keys]})  # fmt: skip


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Nested mappings by dotted keys, values as text."""
    if isinstance(value, Mapping):
        return {
            key: text
            for entry, inner in value.items()
            for key, text in flat(inner, f"{name}.{entry}" if name else str(entry)).items()
        }
    return {name: str(value)}


def differences(pairs: list[tuple[Cell, Cell]]) -> pd.DataFrame:
    """b - a of every metric of every pair: columns cell, metric, a, b, difference, low, high (95 %), p (Holm over
    the metrics of which it is known which way is better; NaN for others), pairs, unit, better ("a", "b", or "" where p
    is not below 0.05). Refuses pairs that other evaluators, corpora or settings scored."""
    check_same(pairs)
    rows = [row for a, b in pairs for row in (*_of_metrics(a, b), *_of_prompts(a, b))]
    table = pd.DataFrame(rows)
    way = table.pop("direction")
    table["p"] = table["p"].where(way != 0)
    table.loc[way != 0, "p"] = holm(table.loc[way != 0, "p"].tolist())
    better = (table["difference"] * way > 0).map({True: "b", False: "a"})
    table["better"] = better.where(table["p"] < LEVEL, "")
    return table


def check_same(pairs: list[tuple[Cell, Cell]]) -> None:
    """An `InputError` unless one evaluator scored all of it by one protocol on the same draws."""
    files = [fact for pair in pairs for cell in pair for fact in cell.facts()]
    first, expected = files[0]
    for path, facts in files[1:]:
        for key in expected.keys() | facts.keys():
            if facts.get(key) != expected.get(key):
                raise InputError(
                    f"{facts.get(key)}, but {expected.get(key)} in {first}: their scores are no pairs",
                    where=path,
                    field=key,
                    fix="evaluate both with the same evaluator, corpus and settings",
                )


def _of_metrics(a: Cell, b: Cell) -> Iterator[dict[str, Any]]:
    first, second = a.table("replications.parquet"), b.table("replications.parquet")
    other = dict(list(second.groupby("metric")))
    for metric, frame in first.groupby("metric", sort=False):
        if metric not in other:
            continue
        found = paired(frame, other[metric])
        if not found:
            continue
        test = over_seeds(found)
        yield {
            "cell": f"{b.backbone} {b.method}", "metric": metric, "a": frame["value"].mean(), "b": other[metric]["value"].mean(),
            "difference": test.difference, "low": test.low, "high": test.high, "p": test.p,
            "pairs": test.units, "unit": test.unit, "direction": DIRECTIONS.get(str(metric), 0),
        }  # fmt: skip


def _of_prompts(a: Cell, b: Cell) -> Iterator[dict[str, Any]]:
    """Of each clip the mean over replications; seeds and clips both vary (`crossed_effect`)."""
    first, second = (cell.table("per_prompt.parquet") for cell in (a, b))
    for metric, column in OF_PROMPT.items():
        if column not in first or column not in second:
            continue
        pairs = by_prompt(
            *(f.pivot_table(index="seed", columns="clip", values=column) for f in (first, second))
        )
        if not pairs.size:
            continue
        test = crossed_effect(pairs)
        yield {
            "cell": f"{b.backbone} {b.method}", "metric": f"{metric} by prompt", "a": first[column].mean(), "b": second[column].mean(),
            "difference": test.difference, "low": test.low, "high": test.high, "p": test.p,
            "pairs": test.prompts, "unit": f"prompts of {test.seeds} seed{'s' * (test.seeds > 1)}", "direction": DIRECTIONS[metric],
        }  # fmt: skip
