"""`python tests/workflow/check_results.py results/<run>`: the outputs are there and sane.

Every score is finite and in its range, fine-tuning changed the weights and the samples, every record names
its origin, and the report stands alone. Exits with status 1 and a line for each thing that is wrong.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from motionrft.configuration import load_run
from motionrft.files import read_table, read_tensors
from motionrft.workflow_plan import Plan

RANGES = {"R-Precision": (0, 1), "FID": (-1e-3, 1e6), "MM-Dist": (0, 1e4), "Diversity": (0, 1e4)}
ORIGIN = ("config_digest", "code", "device", "libraries", "wall_s", "peak_rss_mb")


def scores(path: Path) -> list[str]:
    frame, about = read_table(path)
    found = []
    for metric, low, high in ((name, *bounds) for name, bounds in RANGES.items()):
        values = frame.loc[frame["metric"].str.startswith(metric), "value"]
        if values.empty:
            found.append(f"{path}: no {metric}")
        elif not (np.isfinite(values).all() and values.between(low, high).all()):
            found.append(f"{path}: {metric} out of range: {values.tolist()}")
    missing = [key for key in ORIGIN if key not in about.get("provenance", {})]
    missing += [key for key in ("corpus_digest", "evaluator_digest", "seed") if key not in about]
    return found + [f"{path}: does not name its {key}" for key in missing]


def same_tensors(one: Path, other: Path) -> bool:
    first, second = read_tensors(one)[0], read_tensors(other)[0]
    shared = first.keys() & second.keys()
    return all(bool((first[name] == second[name]).all()) for name in shared)


def cell(plan: Plan, results: Path, backbone: str, method: str, seed: int) -> list[str]:
    base = results / Path(plan.base_model(backbone)).relative_to(plan.results)
    folder = results / "finetune" / backbone / method / f"seed{seed}"
    found = []
    if same_tensors(base, folder / "model.safetensors"):
        found.append(f"{folder}: the weights are those of the base model")
    tuned = results / "evaluate" / backbone / method / f"seed{seed}" / "samples.safetensors"
    plain = results / "evaluate" / backbone / "base" / "seed0" / "samples.safetensors"
    if same_tensors(plain, tuned):
        found.append(f"{tuned}: the samples are those of the base model")
    record, _ = read_table(folder / "record.parquet")
    if not np.isfinite(record["value"].astype(float)).all():
        found.append(f"{folder}: the record holds numbers that are not finite")
    if not json.loads((folder / "cost.json").read_text()):
        found.append(f"{folder}: no cost")
    return found


def report(results: Path) -> list[str]:
    page = (results / "report.html").read_text(encoding="utf-8")
    found = []
    if re.search(r'(src|href)="https?://', page.replace("http://www.w3.org", "")):
        found.append("report.html: loads something from elsewhere")
    for name in ("finetuning.csv", "finetuning.md", "finetuning.tex"):
        if not (results / "tables" / name).stat().st_size:
            found.append(f"tables/{name}: empty")
    table = pd.read_csv(results / "tables" / "finetuning.csv")
    if len(table) < 2:
        found.append("tables/finetuning.csv: fewer than two rows")
    if not list((results / "figures").glob("*.png")):
        found.append("figures: none")
    return found


def problems(results: Path) -> list[str]:
    plan = Plan(load_run(results / "config.yaml"))
    found = []
    for path in plan.records():
        place = results / Path(path).relative_to(plan.results)
        if not place.exists():
            found.append(f"{place}: missing")
        elif place.name == "replications.parquet":
            found += scores(place)
    for backbone, method, seed in plan.cells:
        found += cell(plan, results, backbone, method, seed)
    return found + report(results)


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]))
    print("\n".join(wrong) or f"{sys.argv[1]}: outputs are there and sane")
    sys.exit(bool(wrong))
