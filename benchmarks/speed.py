"""How much faster than plain: fine-tuning, sampling, the reward's first stage and an evaluation, at the paper's sizes.

    OMP_NUM_THREADS=1 python -m benchmarks.speed [--only easytune semantic …] [--pairs 5] [--tiny]

Each row runs the plain form (`plain.py`) and ours in turn, `--pairs` times, and prints the median and the range of the
ratio of their processor seconds, whether their numbers agree, and what share of the time the matrix products alone
would take at the rate measured in the same run. Random weights; float32 unless a row says bf16.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.finetuning import TEXT, models, prepared, prompts
from benchmarks.plain import PlainSemanticLoss, embed_motions, plainly
from motionrft.backbones.generate import sampler_of
from motionrft.configuration import load_run
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.finetune.cost import Flops
from motionrft.finetune.loop import Training
from motionrft.finetune.memory_meter import SavedBytes
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.noise_schedule import NoiseLaw
from motionrft.reward.semantic_objective import SemanticLoss, SemanticObjective
from motionrft.text.features import TextBatch
from motionrft.training.loop import Precision, autocast

DIMS = {"kinematic": 263, "joint": 66, "rotation": 135}
HALF = {"precision": "bf16"}


@dataclass(frozen=True)
class Size:
    """frames of the longest motion; prompts of a trajectory and of sampling; clips of a step of the semantic stage;
    motions of an evaluation, and its evaluator's widths."""

    frames: int = 196
    rows: int = 4
    prompts: int = 32
    clips: int = 32
    motions: int = 256
    widths: Widths = field(default_factory=Widths)


PAPER = Size()
TINY = Size(48, 2, 2, 17, 12, Widths(16, 16, 16, 16, 16))


@dataclass(frozen=True)
class Pair:
    """Two ways to one number, which may differ by `tolerance` of it. `plain` and `ours` prepare, without being timed, what
    then runs once."""

    plain: Callable[[], Callable[[], Tensor]]
    ours: Callable[[], Callable[[], Tensor]]
    tolerance: float = 1e-3
    precision: str = "fp32"


def again(run: Callable[[], Tensor]) -> Callable[[], Callable[[], Tensor]]:
    """Of what needs no preparation."""
    return lambda: run


def finetuning(run: dict[str, Any], size: Size, row: str, changes: dict[str, Any]) -> Pair:
    """One trajectory: how far the weights moved."""

    def trajectory(changes: dict[str, Any], *, plain: bool) -> Callable[[], Tensor]:
        tuning = prepared(run, row, size.rows, size.frames, {"lr": 1e-4, **changes})
        before = torch.cat([weight.detach().flatten() for weight in tuning.trained])
        training = Training(tuning, Path("/nonexistent/checkpoint"))
        training.flops = Flops(0, 0, 0)  # counted once a run, not in every trajectory

        def walk() -> Tensor:
            with plainly() if plain else nullcontext():
                training.run()
            return torch.cat([weight.detach().flatten() for weight in tuning.trained]) - before

        return walk

    # AdamW turns the rounding of gradients near zero into steps of either sign
    return Pair(
        lambda: trajectory({}, plain=True),
        lambda: trajectory(changes, plain=False),
        1.0 if changes else 0.2,
        changes.get("precision", "fp32"),
    )


def sampling(run: dict[str, Any], size: Size, precision: str = "fp32") -> Pair:
    """Guided DDIM steps: the latents. The plain form is in float32."""
    backbone, _ = models(run)
    batch = prompts(backbone.eval(), size.prompts, size.frames)
    settings = run["backbones"]["mld"]["sampler"]

    def sample(precision: str) -> Tensor:
        sampler = sampler_of(backbone, {**settings, "precision": precision})
        return sampler.sample(batch.condition, batch.noise())

    def plain() -> Tensor:
        with plainly():
            return sample("fp32")

    tolerance = 0.1 if precision == "bf16" else 1e-3
    return Pair(again(plain), again(lambda: sample(precision)), tolerance, precision)


def semantic(
    run: dict[str, Any], size: Size, precision: str = "fp32", *, recompute: bool = False
) -> Pair:
    """One step of the semantic stage on motions of mixed lengths, without dropout: the gradient."""
    network = semantic_network(run)
    inputs = semantic_batch(size.clips, size.frames)

    def step(kind: type[SemanticLoss], *, recompute: bool) -> Tensor:
        objective = SemanticObjective(kind(network), NoiseLaw(), recompute=recompute)
        network.zero_grad()
        with autocast(precision, "cpu"):
            loss = objective(*inputs, torch.Generator().manual_seed(2))["loss"]
        loss.backward()
        gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        return torch.cat(gradients)

    def plain() -> Tensor:
        with plainly():
            return step(PlainSemanticLoss, recompute=False)

    def ours() -> Tensor:
        return step(SemanticLoss, recompute=recompute)

    return Pair(again(plain), again(ours), 0.1 if precision == "bf16" else 1e-3, precision)


def semantic_network(run: dict[str, Any]) -> RewardNetwork:
    torch.manual_seed(0)
    settings = NetworkSettings.read(run["reward"]["network"], DIMS, TEXT["tokens"])
    return RewardNetwork(settings).eval()


def semantic_batch(rows: int, frames: int) -> tuple[dict[str, Tensor], Tensor, TextBatch]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(frames // 5, frames + 1, (rows,), generator=generator)
    lengths[0] = frames
    valid = (torch.arange(frames)[None] < lengths[:, None])[..., None]
    features = {
        name: torch.randn(rows, frames, dim, generator=generator) * valid
        for name, dim in DIMS.items()
    }
    tokens = torch.randn(rows, 16, TEXT["tokens"], generator=generator)
    mask = torch.ones(rows, 16, dtype=torch.bool)
    return features, lengths, TextBatch(tokens[:, 0, :768], tokens, mask, torch.full((rows,), 15))


def evaluating(run: dict[str, Any], size: Size, precision: Precision = "fp32") -> Pair:
    """Embeddings of motions of mixed lengths. The plain form is in float32."""
    del run
    torch.manual_seed(0)
    statistics = Normaliser(torch.randn(263), torch.rand(263) + 0.5)
    evaluator = TextMotionMatch(size.widths, statistics, word=300, pos=15).eval()
    lengths = (
        torch.randint(size.frames // 20, size.frames // 4 + 1, (size.motions,)).mul(4).tolist()
    )
    motions = [torch.randn(length, 263) for length in lengths]
    return Pair(
        again(lambda: embed_motions(evaluator, motions)),
        again(lambda: evaluator.embed_motions(motions, precision=precision)),
        0.1 if precision == "bf16" else 1e-3,
        precision,
    )


PAIRS: dict[str, Callable[[dict[str, Any], Size], Pair]] = {
    "easytune": lambda run, size: finetuning(run, size, "easytune", {}),
    "easytune, bf16": lambda run, size: finetuning(run, size, "easytune", HALF),
    "draft-10": lambda run, size: finetuning(run, size, "draft-10", {}),
    "draft-50": lambda run, size: finetuning(run, size, "draft-50", {}),
    "sampling": sampling,
    "sampling, bf16": lambda run, size: sampling(run, size, "bf16"),
    "semantic": semantic,
    "semantic, recomputed": lambda run, size: semantic(run, size, recompute=True),
    "semantic, bf16": lambda run, size: semantic(run, size, "bf16"),
    "evaluation": evaluating,
    "evaluation, bf16": lambda run, size: evaluating(run, size, "bf16"),
}


def seconds(way: Callable[[], Tensor]) -> tuple[float, Tensor]:
    began = time.process_time()
    number = way()
    return time.process_time() - began, number


def product_rate(precision: str) -> float:
    """FLOP/s of products of the reward's shapes, [784, 256] x [256, 1024], best of five."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = torch.randn(784, 256, dtype=dtype), torch.randn(256, 1024, dtype=dtype)
    best = min(seconds(lambda: [a @ b for _ in range(100)][-1])[0] for _ in range(5))
    return 100 * 2 * 784 * 256 * 1024 / max(best, 1e-9)


def line(name: str, pair: Pair, pairs: int) -> str:
    """One row of the table. bf16 is compared with the plain form in bf16 where both have it, else in float32."""
    counter = FlopCounterMode(display=False)
    run = pair.ours()
    with counter:
        run()
    ratios, ours = [], []
    worst = 0.0
    for _ in range(pairs):
        (plain_s, expected), (ours_s, found) = seconds(pair.plain()), seconds(pair.ours())
        ratios.append(plain_s / ours_s)
        ours.append(ours_s)
        worst = max(worst, float((found - expected).norm() / expected.norm()))
    agrees = "" if worst <= pair.tolerance else " (!)"
    share = counter.get_total_flops() / product_rate(pair.precision) / statistics.median(ours)
    return (
        f"| {name} | {statistics.median(ratios):.2f} | {min(ratios):.2f}–{max(ratios):.2f} | {statistics.median(ours):.2f} "
        f"| {share:.0%} | {worst:.1e}{agrees} |"
    )


def memory(run: dict[str, Any], size: Size) -> list[str]:
    """MB of saved tensors a clip of the semantic stage, and a sample of EasyTune."""
    rows = []
    network, inputs = semantic_network(run), semantic_batch(size.clips, size.frames)
    forms = (
        ("plain", PlainSemanticLoss, False),
        ("ours", SemanticLoss, False),
        ("recomputed", SemanticLoss, True),
    )
    for name, kind, recompute in forms:
        objective = SemanticObjective(kind(network), NoiseLaw(), recompute=recompute)
        form = plainly() if name == "plain" else nullcontext()
        with SavedBytes(list(network.parameters())) as saved, form:
            objective(*inputs, torch.Generator().manual_seed(2))["loss"].backward()
        rows.append(f"| semantic stage, {name} | {saved.peak / size.clips / 1e6:.1f} |")
    for name, changes in (("plain", {}), ("ours", {}), ("micro-batches of 1", {"micro_batch": 1})):
        tuning = prepared(run, "easytune", size.rows, size.frames, changes)
        form = plainly() if name == "plain" else nullcontext()
        with form:
            record = Training(tuning, Path("/nonexistent/checkpoint")).run()
        peak = record.loc[record["name"] == "peak_bytes", "value"].max()
        rows.append(f"| EasyTune, {name} | {peak / size.rows / 1e6:.1f} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[*PAIRS, "memory"], help="rows (default: all)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="small networks, to see it run")
    arguments = parser.parse_args()
    size, named = (TINY, "small") if arguments.tiny else (PAPER, "paper")
    run = load_run(
        Path("config/humanml3d.yaml"), ["backbones=[mld]", "methods=all", f"size={named}"]
    )
    wanted = arguments.only or [*PAIRS, "memory"]
    print("| work | plain / ours | range | s | share of the products' floor | difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in wanted:
        if name in PAIRS:
            print(line(name, PAIRS[name](run, size), arguments.pairs), flush=True)
    if "memory" in wanted:
        print("\n| graph | MB a sample |\n| --- | --- |")
        print("\n".join(memory(run, size)), flush=True)


if __name__ == "__main__":
    main()
