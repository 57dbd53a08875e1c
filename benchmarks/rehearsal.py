"""The paper's run before anybody has a licence or a card: every stage at paper shapes, with few updates.

    OMP_NUM_THREADS=1 python -m benchmarks.rehearsal --out /tmp/rehearsal [--tiny] [--backbones mld mdm acmdm]

Makes a HumanML3D folder of the official size (29,228 names, 93,451 captions) with puppets' motions, official files
with random weights and text encoders of official widths (without layers), and runs the workflow on them on the CPU:
what is imported, what is trained for two updates, and one evaluation, with trajectories of five steps. It prints wall
and processor seconds, peak resident memory and disk by job; nothing that it computes means anything. `--tiny` takes 192
clips and leaves the rest as it is; `--targets` takes a part of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.rehearse.corpus import OFFICIAL, TINY, Size, caption, write_corpus
from benchmarks.rehearse.released import (
    write_backbone,
    write_encoder,
    write_evaluator,
    write_reward,
)
from motionrft.configuration import ROOT, dump, resolve
from motionrft.reporting.page.jobs import jobs
from motionrft.reporting.records import Records
from motionrft.workflow_text import TextFiles

NAME = "rehearsal"
UPDATES = 2
STEPS = 5  # of a trajectory
TRAINED = "mldpp"  # trained from scratch; the others are read from official files


def run_file(folder: Path, backbones: list[str]) -> dict[str, Any]:
    """The run: config/humanml3d.yaml's sizes, files of `folder`, and as few updates as show every stage."""
    few = {"steps": UPDATES, "batch_size": 4, "validate_every": 0, "warmup": 0}
    run: dict[str, Any] = {
        "name": NAME,
        "size": "paper",
        "device": "cpu",
        "corpus": {"kind": "humanml3d", "humanml3d_dir": str(folder / "HumanML3D")},
        "backbones": [*backbones, TRAINED],
        "methods": ["easytune"],
        "seeds": [0],
        "matrix": [{"backbones": backbones}],
        "reward": {
            "stages": {
                "semantic": {"train": few},
                "preference": {"data": {"clips": 96}, "train": few},
                "authenticity": {"data": {"prompts": 24}, "train": few},
                "spl": {"pool": "batch", "train": few},
            }
        },
        "evaluator": {"judge": {"train": few}},
        "finetune": {
            "updates": None, "trajectories": 1, "batch_size": 4, "validate_every": 0, "select": "last", "reward_ceiling": 0.0,
        },
        "evaluate": {"replications": 1, "limit": 32, "multimodality": {"texts": 0}},
        "override": {
            "backbones": {
                TRAINED: {"sampler": {"steps": STEPS}, "pretrain": {"vae": few, "denoiser": few}}
            }
        },
    }  # fmt: skip
    return run


def write_files(folder: Path, size: Size, backbones: list[str]) -> Path:
    """All files, and the run file that names them."""
    write_corpus(folder / "HumanML3D", size)
    run = run_file(folder, backbones)
    resolved = resolve(run, NAME)
    overrides = run["override"]["backbones"]
    for name in backbones:
        entry = resolved["backbones"][name]
        path = folder / "official" / (name if entry["family"] == "acmdm" else f"{name}.tar")
        write_backbone(path, entry, resolved["text"][entry["text"]])
        overrides[name] = {"checkpoint": str(path), "sampler": {"steps": STEPS}}
    sentences = [caption(number) for number in range(min(size.distinct, 2000))]
    words = [word for sentence in sentences for word in sentence.split()]
    run["evaluator"] |= write_evaluator(folder / "official" / "t2m", words)
    width = resolved["text"][resolved["reward"]["text"]]["widths"]["tokens"]
    write_reward(folder / "official" / "reward", resolved["reward"], width)
    run["text"] = {}
    for name in TextFiles(resolved).encoders:
        source = folder / "encoders" / name
        write_encoder(source, resolved["text"][name], sentences)
        run["text"][name] = {"source": str(source)}
    file = folder / "rehearsal.yaml"
    file.write_text(dump(run), encoding="utf-8")
    return file


def targets(backbones: list[str]) -> list[str]:
    """One file of every stage."""
    results = f"results/{NAME}"
    stages = [
        f"reward/{stage}.safetensors" for stage in ("semantic", "preference", "authenticity", "spl")
    ]
    tuned = [f"finetune/{name}/easytune/seed0/model.safetensors" for name in backbones]
    scored = [
        f"evaluate/{backbones[0]}/{what}/replications.parquet"
        for what in ("base/seed0", "easytune/seed0")
    ]
    trained = [f"backbones/{TRAINED}/denoiser.safetensors"]
    return [f"{results}/{name}" for name in (*stages, *trained, *tuned, *scored)]  # fmt: skip


def disk(path: Path) -> float:
    """Megabytes of a file, or of all files below a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def table(folder: Path) -> list[dict[str, Any]]:
    """A row a finished job: wall and processor seconds, peak megabytes, and megabytes of what it has left."""
    results = folder / "results" / NAME
    left = {
        "corpus": results / "corpus",
        "features": results / "features",
        "train_evaluator": results / "evaluator",
        "train_judge": results / "judge",
    }
    rows = []
    for entry in jobs(Records(results)).to_dict("records"):
        job, rule = str(entry["job"]), str(entry["rule"])
        stem = job.removeprefix("import/").removeprefix("pretrain/").removeprefix("sample/")
        places = {
            "text": results / f"{job}.safetensors",
            "reward_data": results / "reward" / "data" / job.removeprefix("reward/").removesuffix("-data"),
            "train_reward": results / f"{job}.safetensors",
            "sample": results / "backbones" / stem / "samples.safetensors",
            "pretrain": results / "backbones" / f"{stem.replace('-', '/')}.safetensors",
            "import_backbone": results / "backbones" / f"{stem.rpartition('-')[0]}",
            "finetune": results / "finetune" / stem.removeprefix("finetune/").replace("-", "/"),
            "evaluate": results / "evaluate" / stem.removeprefix("evaluate/").replace("-", "/"),
        }  # fmt: skip
        place = (left | places).get(rule)
        rows.append(
            {
                "job": job,
                "wall_s": entry["wall_s"],
                "cpu_s": entry["cpu_s"],
                "peak_mb": entry["peak_mb"],
                "disk_mb": disk(place) if place is not None and place.exists() else None,
            }
        )
    return rows


COLUMNS = {"wall_s": "wall s", "cpu_s": "processor s", "peak_mb": "peak MB", "disk_mb": "disk MB"}


def printed(rows: list[dict[str, Any]]) -> str:
    """The table in Markdown; – is what is not known."""
    lines = [f"| job | {' | '.join(COLUMNS.values())} |", "| --- |" + " --- |" * len(COLUMNS)]
    for row in rows:
        numbers = ["–" if row[name] is None else f"{float(row[name]):,.0f}" for name in COLUMNS]
        lines.append(f"| {row['job']} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--backbones", nargs="+", default=["mld", "mdm", "acmdm"])
    parser.add_argument(
        "--targets", nargs="+", help="files of the run (default: one of every stage)"
    )
    options = parser.parse_args(arguments)
    folder = options.out.resolve()
    file = folder / "rehearsal.yaml"
    if not file.exists():
        write_files(folder, TINY if options.tiny else OFFICIAL, options.backbones)
    wanted = options.targets or targets(options.backbones)
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--directory", str(folder), "--configfile", str(file), "--cores", "1", "--keep-going"),
        *("--quiet", "rules", "--", *wanted),
    ]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    rows = table(folder)
    (folder / "rehearsal.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(printed(rows))
    free = shutil.disk_usage(folder).free / 1e9
    print(
        f"{disk(folder / 'HumanML3D') / 1e3:.1f} GB of motions and captions; {free:.0f} GB are free"
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
