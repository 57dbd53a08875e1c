"""A small finished run on disk, made of records alone: what the reporting room reads, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from motionrft.artefacts import atomic, write_json, write_table
from motionrft.config import dump, resolve
from motionrft.corpus.samples import Samples, write_samples
from motionrft.corpus.toy import make_clip

RUN = {
    "name": "made",
    "size": "small",
    "corpus": {"kind": "toy", "clips": 20, "seed": 0},
    "backbones": ["mdm"],
    "methods": ["easytune", "draft-10"],
    "seeds": [0, 1, 2],
}
LEVEL = {
    "R-Precision Top-1": (0.30, 0.36),
    "R-Precision Top-2": (0.42, 0.5),
    "R-Precision Top-3": (0.5, 0.6),
    "FID": (2.0, 1.5),
    "MM-Dist": (3.0, 2.7),
    "Diversity": (9.0, 9.1),
}


def make_run(root: Path, *, methods: tuple[str, ...] = ("easytune",), corpus: str = "aaaa") -> Path:
    """results/made with a base model, `methods` on three seeds, and recorded motions as reference."""
    folder = root / "results" / "made"
    with atomic(folder / "config.yaml") as temporary:
        temporary.write_text(dump(resolve(RUN)), encoding="utf-8")
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.01, 8)
    evaluate(folder / "evaluate/real/real/seed0", shared, 1, corpus)
    evaluate(folder / "evaluate/mdm/base/seed0", shared, 0, corpus)
    for method in methods:
        for seed in (0, 1, 2):
            jitter = rng.normal(0, 0.002, 8)
            evaluate(folder / f"evaluate/mdm/{method}/seed{seed}", shared + jitter, 1, corpus)
            tune = folder / f"finetune/mdm/{method}/seed{seed}"
            updates = np.arange(60)
            record = [(u, "reward", 0.3 + 0.004 * u) for u in updates]
            record += [
                (u, f"val/{name}", LEVEL[name][0])
                for u in updates[::20]
                for name in ("R-Precision Top-1", "FID")
            ]
            write_table(
                tune / "record.parquet", pd.DataFrame(record, columns=["update", "name", "value"])
            )
            write_json(
                tune / "cost.json",
                {"peak_mb": 12.5, "extra_mb": 4.0, "s_per_update": 0.1, "flags": []},
            )
    benchmark = folder / "benchmarks/finetune/mdm-easytune-seed0.jsonl"
    with atomic(benchmark) as temporary:
        temporary.write_text('{"s": 12.0, "max_rss": 300.5, "cpu_time": 11.0}\n')
    return folder


def evaluate(folder: Path, noise: np.ndarray, level: int, corpus: str) -> None:
    rows = [
        (rep, metric, values[level] + noise[rep])
        for metric, values in LEVEL.items()
        for rep in range(len(noise))
    ]
    about = {"corpus_digest": corpus, "evaluator_digest": "bbbb", "evaluator_label": "self-trained"}
    write_table(
        folder / "replications.parquet",
        pd.DataFrame(rows, columns=["replication", "metric", "value"]),
        about,
    )
    clips = [make_clip(index, {"seed": 0}) for index in range(8)]
    joints = [torch.from_numpy(clip[0]) for clip in clips]
    write_samples(
        folder / "samples.safetensors",
        Samples(
            "joint",
            [motion.flatten(1) for motion in joints],
            joints,
            [clip[1][0] for clip in clips],
            [f"clip{index}" for index in range(8)],
            "mdm",
            about,
        ),
    )
