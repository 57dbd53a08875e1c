"""What fine-tuning costs at full size: bytes that the graph of every row of the paper's table holds, FLOPs, time.

    OMP_NUM_THREADS=1 python benchmarks/finetuning.py [--rows draft-50 easytune …] [--frames 196] [--bf16]

Full-size MLD and MotionReward (config/*/paper.yaml) with random weights, on the CPU: bytes are counted by
saved-tensor hooks, exact and repeatable. They are linear in the batch, so that one and two samples give the
bytes of a sample; the tables quote 256 of them. Processor seconds are ratios to the plain form of the same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.io import build_backbone
from motionrft.configuration import load_run
from motionrft.diffusion.schedules import step_table
from motionrft.finetune import released
from motionrft.finetune.batch import PromptBatch, noise_seeds
from motionrft.finetune.cost import Meter, MeteredSampler
from motionrft.finetune.loop import Training
from motionrft.finetune.method_options import read_method
from motionrft.finetune.method_reward import weighted
from motionrft.finetune.settings import Settings
from motionrft.finetune.setup import FineTuning, in_motion_space, open_weights
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.lora import LoraSettings
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.stages import load
from motionrft.text.features import TextBatch

TEXT = {"pooled": 768, "tokens": 1024}
TOKENS = 16
PAPER_BATCH = 256
PUBLISHED = {
    "refl-10": 22.10, "refl-20": 22.10, "draft-10": 26.56, "draft-50": 37.32, "alignprop": 30.40, "drtune": 27.01,
    "easytune": 22.10, "easytune-chain": 24.21,
}  # fmt: skip
RELEASED = {"train_dropout": True, "reward_state": "official"}
SETTINGS: dict[str, dict[str, Any]] = {
    "sound": {},
    "as released": RELEASED,
    "checkpoint": {"activations": "checkpoint"},
    "exact": {"activations": "exact"},
    "exact, decode + reward by 32": {"activations": "exact", "micro_batch": -32},
}


def models(run: dict[str, Any]) -> tuple[Backbone, MotionReward]:
    """MLD and MotionReward of the paper's sizes, all weights random."""
    torch.manual_seed(0)
    statistics = Normaliser(torch.zeros(263), torch.ones(263))
    backbone = build_backbone(run["backbones"]["mld"], dim=263, text=TEXT, normaliser=statistics)
    section = run["reward"]
    dims = {"kinematic": 263, "joint": 66, "rotation": 135}
    network = RewardNetwork(NetworkSettings.read(section["network"], dims, TEXT["tokens"])).eval()
    adapters = LoraSettings(**section["lora"])
    branches = {
        task: load(task).new_branch(network, adapters) for task in ("preference", "authenticity")
    }
    return backbone, MotionReward(network, branches, section["weights"])


def prompts(backbone: Backbone, rows: int, frames: int) -> PromptBatch:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.full((rows,), frames)
    text = TextBatch(
        torch.randn(rows, TEXT["pooled"], generator=generator),
        torch.randn(rows, TOKENS, TEXT["tokens"], generator=generator),
        torch.ones(rows, TOKENS, dtype=torch.bool),
        torch.full((rows,), TOKENS - 1),
    )
    condition = Condition.of(text, text.select(slice(0, 1)), lengths)
    references = torch.randn(rows, frames, 263, generator=generator)
    return PromptBatch(
        condition, text, references, [frames] * rows, noise_seeds(0, 0, rows), backbone.sample_shape(frames)
    )  # fmt: skip


def prepared(
    run: dict[str, Any], row: str, rows: int, frames: int, changes: dict[str, Any]
) -> FineTuning:
    """One trajectory of a row, ready to run."""
    backbone, reward = models(run)
    section = run["methods"][row]
    changes = dict(changes)
    if changes.get("micro_batch", 0) < 0:  # of the paper's batch
        share = -changes.pop("micro_batch") / PAPER_BATCH
        changes["micro_batch"] = max(int(rows * share), 1)
    settings = Settings.read({"trajectories": 1, "batch_size": rows, **changes})
    hooks = released.hooks(settings)
    trained, _ = open_weights(backbone, settings, 0)
    hooks.network_mode(backbone, trained)
    hooks.reward_state(reward)
    reward = weighted(
        reward, section["reward_weights"], {"semantic", "preference", "authenticity"}, row
    )
    entry = run["backbones"]["mld"]
    table = step_table(entry["sampler"], backbone.prediction)
    levels = hooks.levels(table, reward.alphas, reward.max_t, in_motion_space(backbone))
    sampler = MeteredSampler(
        backbone, table, entry["sampler"]["guidance"], Meter(), settings.denoiser_precision
    )
    batch = prompts(backbone, rows, frames)
    method = read_method(section, len(table), entry["reward_form"])
    return FineTuning(
        backbone, sampler, reward, levels, method, lambda k: batch, trained, settings, seed=0, hooks=hooks
    )  # fmt: skip


def measured(
    run: dict[str, Any], row: str, rows: int, frames: int, changes: dict[str, Any]
) -> dict[str, float]:
    """Peak bytes, FLOPs and processor seconds of one trajectory."""
    training = Training(prepared(run, row, rows, frames, changes), Path("/nonexistent/checkpoint"))
    began = time.process_time()
    record = training.run()
    seconds = time.process_time() - began
    assert training.flops is not None
    found = {name: float(group["value"].max()) for name, group in record.groupby("name")}
    return {
        "bytes": found["peak_bytes"], "flops": found["flops"] / rows, "seconds": seconds,
        "forwards": found["forwards"], "backwards": found["backwards"], "scorings": found["scorings"],
        "second": sum(t.nbytes for t in training.updater.policy) if training.updater.chain else 0,
        "a_d": training.flops.forward / rows,
    }  # fmt: skip


def lines(run: dict[str, Any], wanted: list[str], frames: int, precision: str) -> Iterator[str]:
    yield "| row | form | GB at 256 | published GB | forwards / backwards / scorings | GFLOP a sample | time |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for row in wanted:
        plain = None
        for name, changes in SETTINGS.items():
            changes = {**changes, "precision": precision}
            one, two = (measured(run, row, rows, frames, changes) for rows in (1, 2))
            if (
                "micro_batch" in changes
            ):  # not linear at these sizes: 32 rows of the reward, 256 of the network
                each = measured(run, row, 1, frames, {**changes, "micro_batch": 1})["bytes"]
                gigabytes = (each * 32) / 1e9
            else:
                gigabytes = ((two["bytes"] - one["bytes"]) * PAPER_BATCH + two["second"]) / 1e9
            plain = plain or two["seconds"]
            counts = " / ".join(f"{one[key]:.0f}" for key in ("forwards", "backwards", "scorings"))
            published = f"{PUBLISHED[row]:.2f}" if row in PUBLISHED else "–"
            yield (
                f"| {row} | {name} | {gigabytes:.2f} | {published} | {counts} | {two['flops'] / 1e9:.1f} "
                f"| {two['seconds'] / plain:.2f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=Path, default=Path("config/humanml3d.yaml"))
    parser.add_argument("--rows", nargs="+", help="rows of config/methods (default: all)")
    parser.add_argument("--frames", type=int, default=196)
    parser.add_argument("--bf16", action="store_true", help="decoder and reward under autocast")
    arguments = parser.parse_args()
    run = load_run(arguments.config, ["backbones=[mld]", "methods=all"])
    rows = arguments.rows or list(run["methods"])
    for line in lines(run, rows, arguments.frames, "bf16" if arguments.bf16 else "fp32"):
        print(line, flush=True)


if __name__ == "__main__":
    main()
