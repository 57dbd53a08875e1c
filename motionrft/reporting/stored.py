"""A run's records as they are kept under docs/results/<run>: small, and the very tables come out of them again.

about.json                the run, digest of its configuration, command, code, machine, processor seconds by rule
config.yaml               the configuration, without the paths of the machine it ran on
costs.json                ({backbone, method, seed}, content of cost.json) of every fine-tuning
records/<name>.parquet    the properties of `Records` in single precision; of fine-tuning, what stood at validations
tables/<name>.csv         what the tables' code makes of these
figures/<name>.png        and the figures'
report.html               the report with fewer motions and figures (`page.contents.kept`), of the run itself
"""

from __future__ import annotations

import re
import shlex
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from motionrft.configuration import dump
from motionrft.files import (
    atomic,
    atomic_folder,
    code_version,
    digest,
    read_json,
    read_table,
    write_json,
    write_table,
)
from motionrft.reporting import figures, style, tables
from motionrft.reporting.page.jobs import jobs
from motionrft.reporting.records import CELL, Records
from motionrft.reporting.render import to_csv
from motionrft.reporting.spending import REWARD
from motionrft.reporting.table import Table

FRAMES = ("evaluations", "prompts", "finetuning", "tuning", "reward", "calibration", "faithfulness")
ALSO = ("evaluator", "costs", "cost_files", "reward_labels")
ANALYSES = ("sampling_cost",)
FIGURES = ("fid_memory", "validation_curves", "win_rates", "rivals")
# corpora of a folder of one's own: neither names of its clips nor sentences nor motions that were learned from it are kept
OWN = ("bvh", "amass")
# an absolute path in a list or section of YAML on one line
NESTED = re.compile(r"(?<=[:\[,] )/[^,\]}]+|(?<=[\[,])/[^,\]}]+")
# of a fine-tuning record
CURVES = ("seconds", "wall_s", "flops", "denoiser_calls", "peak_bytes")
# of cost.json: `method` and `provenance` stand in the configuration and in about.json
COST = (
    "peak_mb",
    "extra_mb",
    "s_per_update",
    "updates",
    "best_update",
    "ended",
    "clock",
    "flags",
    "hacking",
    "memory",
)


class StoredRecords(Records):
    """The records below docs/results/<run>, read as those of a run are: all at once, in place of the properties of `Records`."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        for name in FRAMES:
            self.__dict__[name] = read_table(self.folder / "records" / f"{name}.parquet")[0]
        self.about: dict[str, Any] = read_json(self.folder / "about.json")
        costs = read_json(self.folder / "costs.json")
        self.__dict__["cost_files"] = [(cell, content) for cell, content in costs]
        for name in ("evaluator", "reward_labels"):
            self.__dict__[name] = self.about[name]

    @property
    def evaluator_precision(self) -> str:
        return str(self.about.get("evaluator_precision", "fp32"))

    def analysis(self, name: str) -> pd.DataFrame:
        if name in ANALYSES:
            return read_table(self.folder / "records" / f"{name}.parquet")[0]
        return super().analysis(name)


def store(records: Records, out: Path) -> StoredRecords:
    """Writes a finished run's records, and the tables made of them, below `out`."""
    for name in FRAMES:
        frame = records.frame(name)
        frame = validations(frame) if name == "finetuning" else frame
        if name == "prompts" and records.run["corpus"]["kind"] in OWN:
            frame = frame.assign(clip=pd.factorize(frame["clip"])[0].astype(str))
        write_table(out / "records" / f"{name}.parquet", single(frame))
    for name in ANALYSES:
        write_table(out / "records" / f"{name}.parquet", single(records.analysis(name)))
    thin = [
        (cell, {key: short(content[key]) for key in COST if key in content})
        for cell, content in records.cost_files
    ]
    write_json(out / "costs.json", thin)
    write_json(out / "about.json", about(records))
    with atomic(out / "config.yaml") as temporary:
        temporary.write_text(dump(without_paths(records.run)), encoding="utf-8")
    stored = StoredRecords(out)
    # in place of all that an earlier run of the name had
    with atomic_folder(out / "tables", owned=["*.csv"]) as temporary:
        for name, table in kept_tables(stored).items():
            (temporary / f"{name}.csv").write_text(to_csv(table), encoding="utf-8")
    with atomic_folder(out / "figures", owned=["*.png"]) as temporary:
        draw(stored, temporary)
    return stored


def draw(records: StoredRecords, folder: Path) -> list[Path]:
    """Draws the figures that are kept, as png alone, and of those with one a backbone that of the backbone with most
    methods; returns them in order."""
    kept = []
    for name in FIGURES:
        names = {name, f"{name}_{records.most_compared()}"}
        for stem, drawing in figures.load(name).drawings(name, records).items():
            if stem in names:
                kept += style.save(drawing, folder, stem, suffixes=("png",))
            else:
                style.pyplot().close(drawing)
    return kept


@lru_cache(maxsize=32)
def kept_tables(records: StoredRecords) -> dict[str, Table]:
    """By name, the tables that the kept records are enough for and say something in, without the rows that were not run."""
    kept = {}
    for name in tables.in_order():
        if set(tables.load(name).needs) <= {*FRAMES, *ALSO}:
            table = tables.build(name, records)
            missing = table.missing()
            table.rows = [row for row in table.rows if row not in missing]
            if table.rows:
                kept[name] = table
    return kept


def validations(frame: pd.DataFrame) -> pd.DataFrame:
    """Of fine-tuning records: validations and what had been spent by then, and the end of each run."""
    end = frame.groupby(CELL)["update"].transform("max")
    validated = frame[frame["name"].eq(REWARD)][[*CELL, "update"]].drop_duplicates()
    marks = frame[[*CELL, "update"]].merge(validated, how="left", indicator=True)["_merge"]
    at_validation = marks.eq("both").to_numpy() | frame["update"].eq(end).to_numpy()
    kept = frame["name"].str.startswith("val/") | frame["name"].isin(CURVES)
    return frame[at_validation & kept.to_numpy()].reset_index(drop=True)


def single(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers in single precision: a file half as large, and far more than a table shows."""
    numbers = frame.select_dtypes("float64").columns
    return frame.astype(dict.fromkeys(numbers, "float32")).reset_index(drop=True)


def short(value: Any) -> Any:
    """Numbers inside with seven digits, as single precision has them."""
    if isinstance(value, dict):
        return {key: short(entry) for key, entry in value.items()}
    return float(f"{value:.7g}") if isinstance(value, float) else value


def about(records: Records) -> dict[str, Any]:
    """What a reader must know to run it again, and on what it ran; neither host nor paths."""
    finished = jobs(records)
    origins = records.origins
    seconds = finished.groupby("rule", sort=False)["cpu_s"].sum().round(1)
    return {
        "run": records.run["name"],
        "configuration": digest({k: v for k, v in records.run.items() if k != "command"}),
        "command": without_paths_in(records.run.get("command", "")),
        "evaluator": records.evaluator,
        "evaluator_precision": records.evaluator_precision,
        "reward_labels": records.reward_labels,
        "code": sorted({origin["code"] for origin in origins if "code" in origin})
        or [code_version()],
        "machine": [
            dict(machine)
            for machine in sorted({tuple(sorted(machine_of(origin).items())) for origin in origins})
        ],
        "finished": max((origin.get("finished", "") for origin in origins), default=""),
        "processor_seconds": {rule: float(value) for rule, value in seconds.items()},
    }


def machine_of(origin: dict[str, Any]) -> dict[str, str]:
    """Processor, cores, device and libraries of one record's provenance."""
    versions = {"python": origin.get("python", ""), **origin.get("libraries", {})}
    return {
        "device": str(origin.get("device", "")),
        "processor": str(origin.get("processor", "")),
        "cores": str(origin.get("cores", "")),
        "libraries": ", ".join(
            f"{name} {version}" for name, version in versions.items() if version
        ),
    }


def without_paths(value: Any) -> Any:
    """Absolute paths in a configuration by their last part: they name the machine of the run, not the run."""
    if isinstance(value, dict):
        return {key: without_paths(entry) for key, entry in value.items() if key != "command"}
    if isinstance(value, list):
        return [without_paths(entry) for entry in value]
    return _last_part(value) if isinstance(value, str) else value


def without_paths_in(command: str) -> str:
    """The same of a command's words, and of the lists and sections in them."""
    return " ".join(map(_last_part, shlex.split(command)))


def _last_part(word: str) -> str:
    before, equals, path = word.rpartition("=")
    if path.startswith("/"):
        return f"{before}{equals}…/{Path(path).name}"
    if path.startswith(("{", "[")):
        return NESTED.sub(lambda found: f"…/{Path(found[0]).name}", word)
    return word
