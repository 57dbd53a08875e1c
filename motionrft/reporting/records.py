"""What is on disk of a run: the evaluations, fine-tuning records, costs and jobs that have finished."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from motionrft.artefacts import read_json, read_table
from motionrft.config import load_run
from motionrft.errors import InputError

SAME = ("corpus_digest", "evaluator_digest")  # what all rows of a table must share


@dataclass
class Records:
    """The finished records below `results/<run>`; whatever has not been run is simply absent."""

    folder: Path

    @cached_property
    def run(self) -> dict[str, Any]:
        return load_run(self.folder / "config.yaml")

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """Columns backbone, method, seed, replication, metric, value. `real` stands in for the backbone of
        recorded motions. Refuses to mix corpora or evaluators."""
        frames: list[pd.DataFrame] = []
        origin: dict[str, tuple[Path, Any]] = {}
        for path in sorted(self.folder.glob("evaluate/*/*/seed*/replications.parquet")):
            frame, about = read_table(path)
            backbone, method, seed = (
                path.parts[-4],
                path.parts[-3],
                int(path.parts[-2].removeprefix("seed")),
            )
            for key in SAME:
                first_path, first = origin.setdefault(key, (path, _find(about, key)))
                if _find(about, key) != first:
                    raise InputError(
                        f"{key} differs from that of {first_path}",
                        where=path,
                        field=key,
                        fix="delete the older results and run them again: a table cannot mix them",
                    )
            frames.append(frame.assign(backbone=backbone, method=method, seed=seed))
        columns = ["backbone", "method", "seed", "replication", "metric", "value"]
        return pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)

    @cached_property
    def finetuning(self) -> pd.DataFrame:
        """Columns backbone, method, seed, update, name, value of every fine-tuning record."""
        return self._gather("finetune/*/*/seed*/record.parquet", ["update", "name", "value"])

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Columns backbone, method, seed, name, value: the numbers of every cost.json."""
        rows = []
        for path in sorted(self.folder.glob("finetune/*/*/seed*/cost.json")):
            backbone, method, seed = (
                path.parts[-4],
                path.parts[-3],
                int(path.parts[-2].removeprefix("seed")),
            )
            for name, value in read_json(path).items():
                if isinstance(value, (int, float)):
                    rows.append(
                        {
                            "backbone": backbone,
                            "method": method,
                            "seed": seed,
                            "name": name,
                            "value": value,
                        }
                    )
        return pd.DataFrame(rows, columns=["backbone", "method", "seed", "name", "value"])

    @cached_property
    def jobs(self) -> pd.DataFrame:
        """One row a finished job: rule, wall seconds, peak memory, from Snakemake's benchmark files."""
        import json

        rows = []
        for path in sorted(self.folder.glob("benchmarks/**/*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                rows.append(
                    {
                        "job": str(path.with_suffix("").name),
                        "stage": path.parent.name,
                        "wall_s": entry.get("s"),
                        "peak_mb": entry.get("max_rss"),
                        "cpu_s": entry.get("cpu_time"),
                    }
                )
        return pd.DataFrame(rows, columns=["stage", "job", "wall_s", "peak_mb", "cpu_s"])

    def _gather(self, pattern: str, columns: list[str]) -> pd.DataFrame:
        frames = []
        for path in sorted(self.folder.glob(pattern)):
            frame, _ = read_table(path)
            backbone, method, seed = (
                path.parts[-4],
                path.parts[-3],
                int(path.parts[-2].removeprefix("seed")),
            )
            frames.append(frame[columns].assign(backbone=backbone, method=method, seed=seed))
        every = ["backbone", "method", "seed", *columns]
        return pd.concat(frames)[every] if frames else pd.DataFrame(columns=every)


def _find(about: dict[str, Any], key: str) -> Any:
    return about.get(key, about.get("provenance", {}).get(key))
