"""All that this benchmark asks of motionrft: files with random contents, and fine-tuning jobs made from them.

The jobs are those of `finetune` (the same `prepare`, `Training`, files and data loading); only the weights,
features and captions are random. Nothing else of the benchmark imports the package.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from motionrft.backbones.io import build_backbone, save_backbone
from motionrft.configuration import resolve
from motionrft.configuration.encoders import text_widths
from motionrft.files import write_json, write_table, write_tensors
from motionrft.finetune.batch import PromptBatch
from motionrft.finetune.cost import Meter
from motionrft.finetune.loop import Training
from motionrft.finetune.memory_meter import out_of_memory, release
from motionrft.finetune.prompt_data import Sources
from motionrft.finetune.settings import Budget
from motionrft.finetune.setup import FineTuning, prepare
from motionrft.metrics.training_record import wide
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.files import save_network
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings
from motionrft.text.cache_writer import write_cache
from motionrft.text.features import TextBatch
from motionrft.training.loop import autocast

__all__ = [
    "Files",
    "OutOfTimeError",
    "Update",
    "configuration",
    "out_of_memory",
    "release",
    "write_json",
]

DIMENSIONS = {"kinematic": 263, "joint": 66, "rotation": 135}
TOKENS = 16  # of a caption
SEED = 0


class OutOfTimeError(Exception):
    """The time given to a measurement is over."""


def configuration(tiny: bool, backbones: list[str], methods: list[str]) -> dict[str, Any]:
    """The resolved run: paper sizes, or small ones."""
    finetune = {
        "updates": None, "trajectories": 1, "validate_every": 0, "select": "last",
        "reward_ceiling": 0.0, "memory": "fixed",
    }  # fmt: skip
    run = {
        "name": "gpu", "size": "small" if tiny else "paper", "corpus": {"kind": "toy" if tiny else "humanml3d"},
        "backbones": backbones, "methods": methods, "finetune": finetune,
    }  # fmt: skip
    return resolve(run, "benchmarks/gpu.py")


@dataclass(frozen=True)
class Files:
    """Features, captions, text features, a semantic reward and base networks under `folder`, contents random.

    clips: training clips, each with a caption of its own, `frames` + 4 frames long, so that crops are drawn.
    """

    folder: Path
    run: dict[str, Any]
    clips: int
    frames: int

    def write(self) -> None:
        """All but the base networks."""
        generator = torch.Generator().manual_seed(SEED)
        rows = self.frames + 4
        features = self.folder / "features"
        features.mkdir(parents=True, exist_ok=True)
        statistics: dict[str, Tensor] = {}
        for name, dim in DIMENSIONS.items():
            values = torch.randn(self.clips * rows, dim, generator=generator)
            np.save(features / f"{name}.npy", values.numpy())
            statistics |= {f"{name}.mean": torch.zeros(dim), f"{name}.std": torch.ones(dim)}
        write_tensors(features / "stats.safetensors", statistics, {})
        captions = [f"motion {k}" for k in range(self.clips)]
        table = pd.DataFrame(
            {
                "clip": captions, "split": ["train"] * (self.clips - 2) + ["val"] * 2, "frames": rows,
                "start": np.arange(self.clips) * rows, "captions": [[caption] for caption in captions],
            }
        )  # fmt: skip
        write_table(features / "clips.parquet", table, {})
        entries = self.run["backbones"].values()
        for name in {self.run["reward"]["text"], *(entry["text"] for entry in entries)}:
            self._write_text(name, ["", *captions], generator)
        settings = NetworkSettings.read(
            self.run["reward"]["network"],
            DIMENSIONS,
            self._widths(self.run["reward"]["text"])["tokens"],
        )
        torch.manual_seed(SEED)
        about = {"noise": self.run["reward"]["noise"], "official": {"no_clean_token": False}}
        save_network(self.folder / "semantic.safetensors", RewardNetwork(settings), about)

    def _write_text(self, name: str, captions: list[str], generator: torch.Generator) -> None:
        widths, count = self._widths(name), len(captions)
        batch = TextBatch(
            torch.randn(count, widths["pooled"], generator=generator),
            torch.randn(count, TOKENS, widths["tokens"], generator=generator),
            torch.ones(count, TOKENS, dtype=torch.bool),
            torch.full((count,), TOKENS - 1),
        )
        write_cache(self._text(name), captions, [batch], {})

    def _widths(self, name: str) -> dict[str, int]:
        widths = text_widths(self.run["text"][name])
        assert widths is not None
        return widths

    def _text(self, name: str) -> Path:
        return self.folder / f"text-{name}.safetensors"

    def sources(self, backbone: str) -> Sources:
        """The files of one job; the base network is made when it is first asked for."""
        entry = self.run["backbones"][backbone]
        base = self.folder / f"{backbone}.safetensors"
        if not base.exists():
            dim, text = DIMENSIONS[entry["representation"]], self._widths(entry["text"])
            torch.manual_seed(SEED)
            network = build_backbone(
                entry, dim=dim, text=text, normaliser=Normaliser(torch.zeros(dim), torch.ones(dim))
            )
            # layers that begin at zero would hide everything before them from gradients
            for parameter in network.parameters():
                if not parameter.any():
                    torch.nn.init.normal_(parameter, std=0.02)
            save_backbone(base, network, {"backbone": entry, "dim": dim, "text": text})
        return Sources(
            base, [self.folder / "semantic.safetensors"], self.folder / "features",
            self._text(entry["text"]), self._text(self.run["reward"]["text"]),
        )  # fmt: skip


def matrix_products(precision: str) -> None:
    """Tensor cores for float32 products and convolutions (TF32), except in `fp32`."""
    allowed = precision != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


@contextlib.contextmanager
def counted_waits(device: torch.device) -> Iterator[list[str]]:
    """What made the program wait for a GPU inside the block, a line each; on a CPU nothing does."""
    if device.type != "cuda":
        yield []
        return
    found: list[str] = []
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(mode)
            found += [
                f"{entry.filename}:{entry.lineno}"
                for entry in caught
                if "synchroniz" in str(entry.message)
            ]


class Update:
    """One backbone under one method. changes: keys of `finetune` laid over the run's."""

    def __init__(
        self,
        files: Files,
        backbone: str,
        method: str,
        changes: dict[str, Any],
        device: torch.device,
    ):
        run = {**files.run, "finetune": {**files.run["finetune"], **changes}}
        self.device, self.folder = device, files.folder
        self.tuning: FineTuning = prepare(
            run, backbone, method, SEED, files.sources(backbone), device
        )
        self.sampler = self.tuning.sampler
        self._network: Callable[..., Tensor] = self.sampler.output
        self.sampler.output = self._output  # type: ignore[method-assign, assignment]
        self.deadline = math.inf
        self.weights = sum(parameter.nbytes for parameter in self.tuning.trained)

    def _output(self, *arguments: Any) -> Tensor:
        if time.monotonic() > self.deadline:
            raise OutOfTimeError
        return self._network(*arguments)

    @contextlib.contextmanager
    def _until(self, deadline: float) -> Iterator[None]:
        self.deadline = deadline
        try:
            yield
        finally:
            self.deadline = math.inf
            for parameter in self.tuning.trained:
                parameter.grad = None

    def measure(
        self, batch: int, precision: str, trajectories: int, deadline: float
    ) -> dict[str, Any]:
        """Trains `trajectories` trajectories; what the last one cost (seconds: the median).

        precision: fp32, tf32 (all float32 products), or bf16 (decoder and reward under autocast, the rest TF32).
        Raises `OutOfTimeError` after `deadline`, and torch's own error when memory is short.
        """
        settings = replace(
            self.tuning.settings,
            batch_size=batch,
            precision="bf16" if precision == "bf16" else "fp32",
            budget=Budget("trajectories", trajectories),
        )
        matrix_products(precision)
        self.sampler.meter, self.sampler.precision = Meter(), settings.denoiser_precision
        before = 0

        def batches(k: int) -> PromptBatch:
            nonlocal before
            drawn = self.batch(batch, k)
            before = self._allocated()
            return drawn

        tuning = replace(self.tuning, settings=settings, batch=batches)
        with self._until(deadline), counted_waits(self.device) as waits:
            record = wide(Training(tuning, self.folder / "checkpoint").run())
        if torch.backends.cuda.matmul.allow_tf32 == (precision == "fp32"):
            raise RuntimeError(
                f"the run changed how float32 is multiplied: this is not {precision}"
            )
        names = ["wall_s", "flops", "forwards", "backwards", "scorings"]
        ends = record.groupby("trajectory")[names].last()
        spent = ends.diff().fillna(ends)
        last = record[record["trajectory"] == trajectories - 1]
        peak = int(last["peak_bytes"].max())
        return {
            "batch": batch, "trajectories": trajectories, "seconds": float(spent["wall_s"].median()),
            "waits": len(waits) / max(len(record), 1), "updates": len(last), "refused": int(record["skipped"].max()), "peak_bytes": peak,
            "total_bytes": before + peak, "reserved_bytes": self._reserved(),
            **{name: float(spent[name].iloc[-1]) for name in names[1:]},
        }  # fmt: skip

    def _allocated(self) -> int:
        return torch.cuda.memory_allocated() if self.device.type == "cuda" else 0

    def _reserved(self) -> int:
        return torch.cuda.memory_reserved() if self.device.type == "cuda" else 0

    def batch(self, size: int, k: int = 0) -> PromptBatch:
        """Training batch k of `size` prompts."""
        assert self.tuning.data is not None
        return self.tuning.data.batch(k, size, SEED)

    def call(self, batch: int, precision: str) -> Callable[[], Tensor]:
        """One guided call of the denoiser, its graph kept."""
        matrix_products(precision)
        self.sampler.precision = "fp32"
        prompts = self.batch(batch)
        x = prompts.noise().start
        return lambda: self._network(0, x, prompts.condition)

    def loading(self, batch: int) -> Callable[[], object]:
        """Gathers, copies and encodes one training batch."""
        return lambda: self.batch(batch)

    def noise(self, batch: int) -> tuple[Callable[[], Tensor], int, tuple[int, ...]]:
        """Draws the noise of one step; draws a trajectory; shape of a draw."""
        noise = self.batch(batch).noise()
        draws = 1 + int((self.sampler.table.C != 0).sum())
        return lambda: noise(0), draws, tuple(noise.start.shape)

    def noise_agreement(self, batch: int) -> dict[str, Any]:
        """Numbers that differ between this device and the CPU, and between a batch and its halves."""
        prompts = self.batch(batch)
        here, there = prompts.noise(), prompts.noise(torch.device("cpu"))
        halves = [prompts.rows(slice(0, batch // 2)), prompts.rows(slice(batch // 2, batch))]
        parts = [half.noise() for half in halves]
        devices = batches = numbers = 0
        for step in range(-1, 3):
            values = here(step)
            numbers += values.numel()
            devices += int((values.cpu() != there(step)).sum())
            batches += int((values != torch.cat([part(step) for part in parts])).sum())
        return {"numbers": numbers, "unequal_devices": devices, "unequal_batches": batches}

    def gradient(self, batch: int, live: int, modes: dict[str, str], deadline: float) -> Gradient:
        """The update's gradient through the last `live` steps, each part in the precision that `modes` names.

        sampling: the steps before, without graph; denoiser: the live steps; decoder; reward.
        """
        tuning, table, prompts = self.tuning, self.sampler.table, self.batch(batch)
        matrix_products("fp32")
        objective = tuning.objective(prompts)
        with torch.no_grad():
            # new weights to all who keep results of the old ones: those may be of another precision
            for parameter in tuning.trained:
                parameter.mul_(1.0)
        walk, first, lengths = tuning.walk(prompts, 0), len(table) - live, prompts.lengths
        with self._until(deadline):
            x = walk.noise.start
            with self._part(modes["sampling"]), torch.no_grad():
                for step in self.sampler.walk(walk.condition, walk.noise, stop=first):
                    x = step.next
            with self._part(modes["denoiser"]):
                last = len(table) - 1
                sample = walk.run(last, range(first, last + 1), start=first, x=x)
            with self._part(modes["decoder"]) as cast:
                z = sample.z.detach().requires_grad_()
                with cast, torch.enable_grad():
                    motion = tuning.backbone.to_features(z, lengths, max(prompts.frames))
            with self._part(modes["reward"]) as cast:
                scored = motion.detach().float().requires_grad_()
                with cast, torch.enable_grad():
                    total = objective.reward(scored, lengths, objective.contexts[0], None)["total"]
                (towards,) = torch.autograd.grad(-total.float().mean(), scored)
            with self._part(modes["decoder"]):
                (towards,) = torch.autograd.grad(motion, z, towards.to(motion.dtype))
            with self._part(modes["denoiser"]):
                sample.backward(towards)
            rows = [
                torch.zeros(parameter.numel(), device=self.device)
                if parameter.grad is None
                else parameter.grad.flatten().float()
                for parameter in tuning.trained
            ]
            return Gradient(torch.cat(rows).cpu(), float(total.detach().float().mean()))

    @contextlib.contextmanager
    def _part(self, precision: str) -> Iterator[contextlib.AbstractContextManager[Any]]:
        """The precision of what runs inside, backward passes too; yields the autocast of what is no denoiser."""
        matrix_products("tf32" if precision == "tf32" else "fp32")
        self.sampler.precision = "bf16" if precision == "bf16" else "fp32"
        try:
            yield autocast(precision, self.device)
        finally:
            matrix_products("fp32")
            self.sampler.precision = "fp32"


@dataclass(frozen=True)
class Gradient:
    """value [parameters], on the CPU; reward: the batch's mean, in the precision asked for."""

    value: Tensor
    reward: float
