"""What an evaluator in bf16 does to the scores of the very same motions, recorded ones and a base model's, of a finished run.

    OMP_NUM_THREADS=1 python -m benchmarks.evaluator_precision results/toy mld [--steps 80] [--replications 3]

Twice: the run's own evaluator, and one of the official size that is trained here on the run's corpus for `--steps` updates.
Every row is a score in float32, how far bf16 moved it (mean over the replications, and the furthest), and its standard
deviation over the replications in float32, which is what another draw of crops and captions does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from motionrft.backbones.generate import generate
from motionrft.backbones.io import load_backbone
from motionrft.configuration import load_run
from motionrft.evaluation.evaluator_file import save_evaluator
from motionrft.evaluation.evaluators.t2m.model import Widths
from motionrft.evaluation.evaluators.t2m.training import train_evaluator
from motionrft.evaluation.protocol import MultiModalityPlan
from motionrft.evaluation.scorer import REAL, Result, Scorer
from motionrft.evaluation.settings import EvaluateSettings
from motionrft.options import read_options
from motionrft.text.features import TextCache
from motionrft.training.loop import Precision

METRICS = ("FID", "R-Precision Top-1", "MM-Dist")
TRAIN = {"batch_size": 64, "lr": 3e-4, "schedule": "cosine", "warmup": 10, "clip": 1.0, "precision": "bf16"}  # fmt: skip


@dataclass(frozen=True)
class Finished:
    """A run's folder and one of its base models."""

    folder: Path
    backbone: str

    @property
    def run(self) -> dict[str, Any]:
        return load_run(self.folder / "config.yaml")

    def text(self, section: dict[str, Any], *, tokens: bool = True) -> TextCache:
        return TextCache(self.folder / "text" / f"{section['text']}.safetensors", tokens=tokens)

    def samples(self) -> Callable[..., list[Tensor]]:
        """A source of motions that makes each draw's once, whoever scores them."""
        entry = self.run["backbones"][self.backbone]
        stage = list(entry["pretrain"])[-1]
        path = self.folder / "backbones" / self.backbone / f"{stage}.safetensors"
        network, _ = load_backbone(path, torch.device("cpu"), family=entry["family"])
        text, made = self.text(entry, tokens=network.reads_tokens), {}

        def source(captions: Sequence[str], lengths: Tensor, seeds: Sequence[int]) -> list[Tensor]:
            if seeds[0] not in made:
                made[seeds[0]] = generate(
                    network.eval(), entry["sampler"], captions, lengths, seeds, text
                )
            return made[seeds[0]]

        return source

    def official_size(self, steps: int, folder: Path) -> Path:
        """An evaluator file of the official widths, trained for so many updates."""
        settings = self.run["evaluator"]
        settings = {**settings, "widths": asdict(Widths()), "train": {**TRAIN, "steps": steps}}
        evaluator, about, _ = train_evaluator(
            settings, self.folder / "features", self.text(settings), folder / "checkpoint", "cpu"
        )
        save_evaluator(folder / "official.safetensors", evaluator, about)
        return folder / "official.safetensors"


def scores(
    finished: Finished, evaluator: Path, source: Callable[..., list[Tensor]], replications: int
) -> pd.DataFrame:
    """Columns motions, precision, replication, metric, value."""
    run = finished.run
    rules = read_options(EvaluateSettings, run["evaluate"], where=finished.folder).rules()
    rules = replace(rules, multimodality=MultiModalityPlan(texts=0), realism_replications=1)
    representation = run["backbones"][finished.backbone]["representation"]
    rows = []
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        scorer = Scorer(
            finished.folder / "features",
            evaluator,
            finished.text(run["evaluator"]),
            replace(rules, precision=precision),
        )
        for replication in range(replications):
            results: dict[str, Result] = {
                REAL: scorer.score_real(replication),
                finished.backbone: scorer.score(source, representation, "made", replication),
            }
            rows += [
                (motions, precision, replication, metric, result.metrics[metric])
                for motions, result in results.items()
                for metric in METRICS
            ]
    return pd.DataFrame(rows, columns=["motions", "precision", "replication", "metric", "value"])


def lines(name: str, frame: pd.DataFrame) -> list[str]:
    """The rows of one evaluator's table."""
    found = []
    for (motions, metric), group in frame.groupby(["motions", "metric"], sort=False):
        values = group.pivot(index="replication", columns="precision", values="value")
        moved = values["bf16"] - values["fp32"]
        furthest = moved[moved.abs().idxmax()]
        found.append(
            f"| {name} | {motions} | {metric} | {values['fp32'].mean():.4f} | {moved.mean():+.1e} "
            f"| {furthest:+.1e} | {values['fp32'].std():.1e} |"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, help="a finished run's folder")
    parser.add_argument("backbone", help="one of its models")
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--replications", type=int, default=3)
    arguments = parser.parse_args()
    finished = Finished(arguments.results, arguments.backbone)
    source = finished.samples()
    print("| evaluator | motions | score | fp32 | bf16 moved it | furthest | of replications |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        evaluators = {
            "the run's": lambda: arguments.results / "evaluator/model.safetensors",
            "official size": lambda: finished.official_size(arguments.steps, Path(folder)),
        }
        for name, made in evaluators.items():
            frame = scores(finished, made(), source, arguments.replications)
            print("\n".join(lines(name, frame)), flush=True)
    print(f"\n{time.process_time():.0f} processor seconds")


if __name__ == "__main__":
    main()
