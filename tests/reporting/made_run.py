"""A small finished run on disk, made of records alone: what the reporting room reads, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from motionrft.configuration import dump, resolve
from motionrft.corpus.kinds.toy import make_clip
from motionrft.corpus.samples import Samples, write_samples
from motionrft.files import atomic, write_json, write_table
from motionrft.reporting.table import Row, Table

RUN = {
    "name": "made",
    "size": "small",
    "corpus": {"kind": "toy", "clips": 20, "seed": 0},
    "backbones": ["mdm"],
    "methods": ["easytune", "draft-10", "best-of-4"],
    "seeds": [0, 1, 2],
}
# the same with a variant of easytune, whose records are those of draft-10
VARIED = RUN | {
    "methods": ["easytune", "draft-10", "wide"],
    "variants": {"methods": {"wide": {"of": "easytune", "options": {"window": {"k": 20}}}}},
}
LEVEL = {
    "R-Precision Top-1": (0.30, 0.36),
    "R-Precision Top-2": (0.42, 0.5),
    "R-Precision Top-3": (0.5, 0.6),
    "FID": (2.0, 1.5),
    "MM-Dist": (3.0, 2.7),
    "Diversity": (9.0, 9.1),
}


WINS = {"base": 3.0, "easytune": 2.7, "draft-10": 2.9}


def make_run(root: Path, *, methods: tuple[str, ...] = ("easytune",), corpus: str = "aaaa") -> Path:
    """results/made with a base model, `methods` on three seeds, recorded motions, a scored reward, analyses."""
    folder = root / "results" / "made"
    with atomic(folder / "config.yaml") as temporary:
        temporary.write_text(dump(resolve(RUN)), encoding="utf-8")
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.01, 8)
    evaluate(folder / "evaluate/real/base/seed0", shared, 1, corpus, "real")
    evaluate(folder / "evaluate/mdm/base/seed0", shared, 0, corpus, "base")
    # four samples of a prompt, picked from by the reward: nothing is trained
    evaluate(folder / "evaluate/mdm/best-of-4/seed0", shared, 1, corpus, "best-of-4")
    for method in methods:
        for seed in (0, 1, 2):
            jitter = rng.normal(0, 0.002, 8)
            evaluate(
                folder / f"evaluate/mdm/{method}/seed{seed}", shared + jitter, 1, corpus, method
            )
            finetune(folder / f"finetune/mdm/{method}/seed{seed}", seed)
    score_reward(folder / "reward")
    analyse(folder / "analyse")
    benchmark(folder)
    return folder


def labelled_row(table: Table, *labels: str) -> Row:
    """The row of a table with these labels."""
    return next(row for row in table.rows if row.labels == labels)


def finetune(folder: Path, seed: int) -> None:
    """The names of finetune's record and the nesting of its cost.json."""
    record = []
    for update in range(61):
        counts = {
            "seconds": 0.5 * update,
            "wall_s": 0.6 * update,
            "flops": 2e9 * update,
            "denoiser_calls": 3.0 * update,
        }
        record += [(update, name, value) for name, value in counts.items()]
        if update:
            record.append((update, "reward", 0.3 + 0.004 * update + 0.02 * np.sin(update + seed)))
            rewards = {
                "preference": -2 + 0.01 * update,
                "authenticity": 0.4 + 0.002 * update,
            }
            record += [(update, f"reward/{name}", value) for name, value in rewards.items()]
            record.append((update, "peak_bytes", 12.5 * 2**20))
        if update % 12 == 0:
            validated = {"reward": 0.3 + 0.004 * update, "R-Precision Top-1": 0.3 + 0.001 * update}
            validated["FID"] = 2 - 0.005 * update
            record += [(update, f"val/{name}", value) for name, value in validated.items()]
    frame = pd.DataFrame(record, columns=["update", "name", "value"])
    write_table(folder / "record.parquet", frame)
    hacking = {
        "flagged": seed == 2,
        "judged": True,
        "reward_change": 0.2,
        "fell": ["FID"] * (seed == 2),
    }
    write_json(
        folder / "cost.json",
        {
            "peak_mb": 12.5,
            "extra_mb": 4.0,
            "s_per_update": 0.5,
            "flags": ["reward climbed while FID got worse on validation"] * (seed == 2),
            "method": {"steps": 10},
            "updates": 60,
            "skipped": 0,
            "ended": "budget spent",
            "clock": "processor",
            "per_update": {"seconds_median": 0.5, "flops_mean": 2e9, "backwards_mean": 1.0},
            "memory": {
                "kind": "saved_tensors",
                "form": "exact",
                "slices": 2,
                "plan": {"activations": "exact", "plain_bytes": 73 * 2**30} if seed else None,
                "peak_bytes": 12.5 * 2**20,
                "plain_sampling_bytes": 0,
                "extra_bytes": 4.0 * 2**20,
            },
            "levels_of": "val/reward",
            "hacking": hacking,
            "provenance": {"device": "cpu", "code": "0.1.0"},
        },
    )


def evaluate(folder: Path, noise: np.ndarray, level: int, corpus: str, method: str) -> None:
    rows = [
        (rep, metric, values[level] + noise[rep])
        for metric, values in LEVEL.items()
        for rep in range(len(noise))
    ]
    about = {
        "corpus_digest": corpus,
        "evaluator_digest": "bbbb",
        "evaluator": "self-trained",
        "protocol": "sound",
        "split": "test",
        "provenance": {"device": "cpu"},
    }
    frame = pd.DataFrame(rows, columns=["replication", "metric", "value"])
    write_table(folder / "replications.parquet", frame, about)
    write_table(folder / "per_prompt.parquet", per_prompt(method, level, noise), about)
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


def per_prompt(method: str, level: int, noise: np.ndarray) -> pd.DataFrame:
    """Forty clips in each replication. The distance of clip i differs by what the method gains, and a ripple; the other
    scores have the means of the replication, and ripples that the base model does not share."""
    clips = np.arange(40)
    ripple = np.sin(clips * (1 + len(method)))
    ripple -= ripple.mean()
    frame = pd.DataFrame(
        {
            "clip": [f"clip{clip}" for clip in clips],
            "caption": "a person walks",
            "matching": WINS.get(method, 2.5) + 0.05 * clips + 0.1 * np.sin(clips * len(method)),
            "rank": 1.0,
        }
    )
    scores = {f"top{k}": LEVEL[f"R-Precision Top-{k}"][level] + 0.05 * ripple for k in (1, 2, 3)}
    scores["fid"] = LEVEL["FID"][level] + 0.5 * ripple
    return pd.concat(
        [
            frame.assign(replication=rep, **{key: value + shift for key, value in scores.items()})
            for rep, shift in enumerate(noise)
        ],
        ignore_index=True,
    )


def score_reward(folder: Path) -> None:
    """What `evaluate-reward` writes: scores, calibration, faithfulness."""
    rows = []
    names = ("kinematic", "joint", "rotation")
    for model, start in (
        ("semantic", 40.0),
        ("spl", 44.0),
        ("random", 3.0),
        ("perfect", 60.0),
    ):
        for way in ("t2m", "m2t"):
            for place, name in enumerate((*names, "mean")):
                rows += [
                    ("retrieval", model, name, way, f"R@{k}", min(start + 4 * k - place, 99), 100)
                    for k in (1, 2, 3, 5, 10)
                ]
    shares = {"accuracy": 0.8, "precision": 0.81, "recall": 0.79, "f1": 0.8}
    for model, offset in (("MotionReward", 0.0), ("random", -0.3)):
        for place, name in enumerate(("all", *names)):
            here = {key: value + offset - 0.01 * place for key, value in shares.items()}
            rows += [("preference", model, name, "all", *item, 50) for item in here.items()]
            here |= {"balanced_accuracy": 0.75 + offset, "auroc": 0.85 + offset}
            here |= {"specificity": 0.7 + offset}
            for setting in ("test", "held_out"):
                rows += [("authenticity", model, name, setting, *item, 50) for item in here.items()]
        for kind in ("jitter", "limb_swap"):
            here = {key: value + offset for key, value in shares.items()}
            rows += [("preference", model, "all", kind, *item, 20) for item in here.items()]
    columns = ["table", "model", "representation", "setting", "metric", "value", "count"]
    about = {"labels": {"preference": "made, not human", "authenticity": "made, not human"}}
    for model, captions in (("MotionReward", (0.8, 0.4)), ("random", (0.0, 0.0))):
        for setting, value in zip(("own caption", "another caption"), captions, strict=True):
            values = {"semantic": value, "m2m": value, "preference": 3.0, "authenticity": 0.7}
            rows += [
                ("reward", model, name, setting, *item, 50)
                for name in names
                for item in values.items()
            ]
    shown = ("authenticity", "length only", "all", "test", "auroc", 0.5, 50)
    scores = pd.DataFrame([*rows, shown], columns=columns)
    write_table(folder / "scores.parquet", scores, about)
    # a mask that leaks: everything is seen through as released, and less than before as used
    for reading, value in (("released", 1.0), ("used", 0.6)):
        changed = scores.assign(value=scores["value"].where(scores["metric"].ne("auroc"), value))
        write_table(folder / f"switches/leaking_mask/authenticity.{reading}.parquet", changed)
    curve = [
        (table, model, low, low + 0.1, low + 0.05, (low + 0.05) ** power, 30)
        for table in ("preference", "authenticity test")
        for model, power in (("MotionReward", 1.2), ("random", 0.5))
        for low in np.arange(0, 1, 0.1)
    ]
    columns = ["table", "model", "lower", "upper", "predicted", "observed", "count"]
    write_table(folder / "scores.calibration.parquet", pd.DataFrame(curve, columns=columns), about)
    rng = np.random.default_rng(5)
    blind = [
        (kind, name, dimension, against, rng.uniform(-1, 0.2), -0.1, 100)
        for kind in ("jitter", "foot_sliding", "limb_swap", "time_reversal")
        for name in names
        for dimension in ("semantic", "m2m", "preference", "authenticity", "total")
        for against in ("grade", "evaluator_distance", "jerk", "skating_mm")
    ]
    columns = ["kind", "representation", "dimension", "against", "spearman", "mean_change", "count"]
    frame = pd.DataFrame(blind, columns=columns)
    frame.loc[0, "spearman"] = np.nan  # nothing changed
    write_table(folder / "scores.faithfulness.parquet", frame, about)


def analyse(folder: Path) -> None:
    """The tidy records of `analyse`."""
    steps, rows = range(10), range(4)
    gradients = [
        (t, name, row, value * (1 + 0.1 * row), guidance)
        for guidance in (1.0, 2.5)
        for t in steps
        for row in rows
        for name, value in (("jacobian", 1.0 - 0.05 * t), ("product_reward", 0.5 ** (9 - t)))
    ]
    similarity = [
        (t, t / 10, 1 - t / 10, what, name, row, 1 - (1 - t / 10) ** power)
        for t in range(11)
        for row in rows
        for what, power in (("noised", 1), ("one_step", 3))
        for name in ("cosine", "embedding")
    ]
    columns = {
        "gradients": ["step", "name", "row", "value", "guidance"],
        "similarity": ["step", "signal", "noise", "what", "name", "row", "value"],
        "memory": ["order", "step", "phase", "bytes", "activations"],
    }
    records = {"gradients": gradients, "similarity": similarity}
    for name, content in records.items():
        frame = pd.DataFrame(content, columns=columns[name])
        write_table(
            folder / name / "mdm-easytune.parquet", frame, {"backbone": "mdm", "method": "easytune"}
        )
    for method, slope in (("easytune", 0), ("draft-10", 2**20)):
        memory = [
            (t, t, "denoise", 2**21 + slope * t, form) for t in steps for form in ("plain", "exact")
        ]
        memory += [(10, 9, "backward", 2**23, form) for form in ("plain", "exact")]
        frame = pd.DataFrame(memory, columns=columns["memory"])
        place = folder / "memory" / f"mdm-{method}.parquet"
        write_table(place, frame, {"backbone": "mdm", "method": method})
    for method, flops in (("easytune", 1e9), ("draft-10", 1e9), ("best-of-4", 5e9)):
        frame = pd.DataFrame([("flops", flops), ("s", flops / 1e11)], columns=["name", "value"])
        place = folder / "sampling_cost" / f"mdm-{method}.parquet"
        write_table(place, frame, {"backbone": "mdm", "method": method})


def benchmark(folder: Path) -> None:
    """Two of Snakemake's benchmark files, and the log of one of the jobs."""
    line = (
        '{{"s": 12.0, "max_rss": 300.5, "cpu_time": 11.0, "threads": 1, "rule_name": "{rule}", "wildcards": {cell}, '
        '"resources": {{"device": "auto"}}, "params": {{"settings": "69ff77a9a521"}}}}\n'
    )
    cell = '{"backbone": "mdm", "method": "easytune", "seed": "0"}'
    files = {
        "benchmarks/finetune/mdm-easytune-seed0.jsonl": line.format(rule="finetune", cell=cell),
        "benchmarks/corpus.jsonl": line.format(rule="corpus", cell="{}"),
        "logs/corpus.log": "done\n",
    }
    for name, text in files.items():
        with atomic(folder / name) as temporary:
            temporary.write_text(text)
