"""Every finished job: what it took, where it ran, and where its log is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from motionrft.files import read_json, read_table
from motionrft.reporting.records import Records

COLUMNS = ["rule", "job", "wall_s", "peak_mb", "cpu_s", "threads", "device", "settings", "log"]


def jobs(records: Records) -> pd.DataFrame:
    """One row a job, from Snakemake's benchmark files: rule, job, wall seconds, peak memory (MB), CPU seconds,
    threads, device, the digest of its own sections of the configuration, log (relative to the run)."""
    folder = records.folder
    rows = []
    for path in sorted((folder / "benchmarks").glob("**/*.jsonl")):
        name = path.relative_to(folder / "benchmarks").with_suffix("")
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines[-1:]:  # the last run of the job
            entry = json.loads(line)
            log = Path("logs") / name.with_suffix(".log")
            rows.append(
                {
                    "rule": entry.get("rule_name", name.parts[0]),
                    "job": str(name),
                    "wall_s": entry.get("s"),
                    "peak_mb": entry.get("max_rss"),
                    "cpu_s": entry.get("cpu_time"),
                    "threads": entry.get("threads"),
                    "device": device(folder, entry),
                    "settings": entry.get("params", {}).get("settings", ""),
                    "log": str(log) if (folder / log).exists() else "",
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def device(folder: Path, entry: dict[str, Any]) -> str:
    """Where a job ran, as its own record says; what was asked for where it left no such record."""
    names = entry.get("wildcards", {})
    cell = "{backbone}/{method}/seed{seed}"
    records = {
        "finetune": f"finetune/{cell}/cost.json",
        "evaluate": f"evaluate/{cell}/replications.parquet",
        "evaluate_real": "evaluate/real/base/seed0/replications.parquet",
        "evaluate_reward": "reward/scores.parquet",
        "pretrain": "backbones/{backbone}/{stage}.history.parquet",
    }
    asked = str(entry.get("resources", {}).get("device", ""))
    template = records.get(entry.get("rule_name", ""))
    if template is None:
        return asked
    try:
        path = folder / template.format(**names)
    except KeyError:
        return asked
    if not path.exists():
        return asked
    about = read_json(path) if path.suffix == ".json" else read_table(path)[1]
    return str(about.get("provenance", {}).get("device", asked))


def flagged(records: Records) -> list[dict[str, Any]]:
    """What fine-tuning found that a reader must know (reward hacking, refused steps): {run, lines}."""
    return [
        {"run": "{backbone} / {method} / seed {seed}".format(**cell), "lines": content["flags"]}
        for cell, content in records.cost_files
        if content.get("flags")
    ]


def unchecked(records: Records) -> list[str]:
    """Fine-tunings with too few validations to be checked for reward hacking."""
    return [
        "{backbone} / {method} / seed {seed}".format(**cell)
        for cell, content in records.cost_files
        if not content.get("hacking", {}).get("judged")
    ]


def worth_reading(
    records: Records, finished: pd.DataFrame, slow: int = 3, lines: int = 40
) -> list[dict[str, str]]:
    """{job, why, text}: the last lines of the logs of jobs that left a log and no benchmark (they failed, or still run)
    and of the slowest ones."""
    folder = records.folder / "logs"
    slowest = finished.nlargest(slow, "wall_s")
    reasons = {
        log: f"{wall:.0f} s" for log, wall in zip(slowest["log"], slowest["wall_s"], strict=True)
    }
    done = set(finished["log"])
    for path in sorted(folder.glob("**/*.log")):
        name = str(path.relative_to(records.folder))
        if name not in done and path.stem != "page":
            reasons[name] = "not finished"
    texts = []
    for name, why in sorted(reasons.items(), key=lambda pair: pair[1] != "not finished"):
        path = records.folder / name
        if name and path.exists():
            tail = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
            texts.append({"job": name, "why": why, "text": "\n".join(tail)})
    return texts
