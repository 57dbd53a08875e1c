"""The order of a run, the time each part of it gets, and its record."""

from __future__ import annotations

import platform
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.card.cells import SOUND, Card, Cell, attempt, measure_cell, release
from benchmarks.card.gradients import gradient_rows
from benchmarks.card.jobs import (
    Files,
    OutOfTimeError,
    Update,
    configuration,
    matrix_products,
    write_json,
)
from benchmarks.card.rates import PRECISIONS, network_rate, seconds_of, square_rate
from benchmarks.card.table import lines

# shares of the time that is left when a backbone's turn comes; 1 for those not named
WEIGHTS = {"mld": 1.5, "mdm": 2.0, "motiondiffuse": 1.5, "acmdm": 1.5, "motionlcm-4step": 0.5}
# how the authors' code fine-tunes: dropout on, the reward in train mode with trainable weights
RELEASED = {"train_dropout": True, "reward_state": "official"}
# beside the published memory: MLD as released, and the longest graph without keeping one
EXTRA = {
    "mld": [
        Cell("mld", "easytune", "fp32", "as released", RELEASED),
        Cell("mld", "draft-10", "fp32", "as released", RELEASED),
        Cell("mld", "draft-50", "fp32", "as released", RELEASED),
        Cell("mld", "draft-50", "fp32", "exact", {"activations": "exact"}),
    ]
}
GRADIENT_BATCH = 16
SQUARE = 4096
GRADIENT_CELLS = 2  # the gradients get the time of so many cells
SHORTEST = 2.0  # seconds; less is not worth a start


@dataclass(frozen=True)
class Plan:
    """backbones, methods, precisions in the order of what matters most; batch: prompts an update; out: path without ending."""

    backbones: list[str]
    methods: list[str]
    precisions: list[str]
    batch: int
    minutes: float
    device: str
    tiny: bool
    out: Path


def run(plan: Plan) -> int:
    """0 if every cell that was started ended in a number or a reason."""
    with tempfile.TemporaryDirectory() as folder:
        measurement = Measurement(plan, Path(folder))
        measurement.everything()
    return 1 if measurement.record["errors"] else 0


class Measurement:
    """record: what OUT.json holds."""

    def __init__(self, plan: Plan, folder: Path):
        self.plan, self.began = plan, time.monotonic()
        self.ends = self.began + 60 * plan.minutes
        self.device = torch.device(plan.device)
        # room to draw other batches than the first, and other crops
        self.files = Files(
            folder, configuration(plan.tiny, plan.backbones, plan.methods), plan.batch + plan.batch // 8 + 4,
            40 if plan.tiny else 196,
        )  # fmt: skip
        self.record: dict[str, Any] = {
            "device": describe(self.device),
            "options": {**asdict(plan), "out": str(plan.out)},
            "seconds": 0.0, "rates": {}, "cells": [], "network_rates": [], "inputs": [], "gradients": [],
            "unfinished": [], "errors": [],
        }  # fmt: skip

    def everything(self) -> None:
        self.files.write()
        for precision in PRECISIONS:
            matrix_products(precision)
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            size = SQUARE if self.device.type == "cuda" else 256
            self.record["rates"][precision] = square_rate(size, dtype, self.device)
        self.card = Card(self.device, self.record["rates"])
        self.save()
        for place, backbone in enumerate(self.plan.backbones):
            weights = [WEIGHTS.get(name, 1.0) for name in self.plan.backbones[place:]]
            share = (self.ends - time.monotonic()) * weights[0] / sum(weights)
            self.backbone(backbone, time.monotonic() + share)
        self.save()

    def backbone(self, name: str, ends: float) -> None:
        """Methods in their order, gradients after the second, then the extra cells; all before `ends`."""
        plain = [
            [Cell(name, method, precision) for precision in self.plan.precisions]
            for method in self.plan.methods
        ]
        extra = [[cell] for cell in EXTRA.get(name, []) if cell.method in self.plan.methods]
        waiting = sum(map(len, plain + extra)) + GRADIENT_CELLS
        for place, cells in enumerate(plain + extra):
            update = self.prepared(cells[0], ends)
            if place == 0 and update is not None:
                self.guarded(f"{name} inputs", partial(self.inputs, name, update))
            for cell in cells:
                self.cell(update, cell, ends, waiting)
                waiting -= 1
            if place == min(1, len(plain) - 1):
                if update is not None:
                    self.guarded(f"{name} gradients", partial(self.gradients, name, update, ends))
                waiting -= GRADIENT_CELLS
            del update
            release()

    def prepared(self, cell: Cell, ends: float) -> Update | None:
        """The job of a cell; None without time for it, or with an error, which goes into the record."""
        jobs: list[Update] = []

        def make() -> None:
            jobs.append(Update(self.files, cell.backbone, cell.method, cell.changes, self.device))

        if ends - time.monotonic() > SHORTEST:
            self.guarded(f"{cell} prepare", make)
        return jobs[0] if jobs else None

    def guarded(self, what: str, work: Callable[[], object]) -> None:
        """Runs `work`; an error goes into the record and the next part follows."""
        try:
            work()
        except OutOfTimeError:
            self.record["unfinished"].append(what)
        except Exception as error:
            text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            self.record["errors"].append(
                {"what": what, "error": text, "traceback": traceback.format_exc()[-2000:]}
            )
            print(f"{what}: {text}", flush=True)
        release()
        self.save()

    def cell(self, update: Update | None, cell: Cell, ends: float, waiting: int) -> None:
        """A cell may take twice its even part of the backbone's time, so that short ones leave room for long."""
        room = ends - time.monotonic()
        seconds = min(room, 2 * room / waiting)
        if update is None or seconds < SHORTEST:
            status = "no time left" if seconds < SHORTEST else "no job (see the errors)"
            self.record["cells"].append({**cell.about(), "status": status})
            return
        self.guarded(str(cell), partial(self.measured, update, cell, seconds))

    def measured(self, update: Update, cell: Cell, seconds: float) -> None:
        row = measure_cell(update, cell, self.plan.batch, self.card, seconds)
        self.record["cells"].append(row)
        took = f"{row['seconds']:.3f} s a trajectory of {row['batch']}" if "seconds" in row else ""
        print(f"{self.clock():6.1f} s  {cell}  {row['status']}  {took}", flush=True)
        if cell.method == self.plan.methods[0] and "batch" in row and cell.form == SOUND:
            release()
            self.network_rate(update, cell, row["batch"])

    def network_rate(self, update: Update, cell: Cell, batch: int) -> None:
        def work() -> dict[str, Any]:
            return network_rate(update.call(batch, cell.precision), self.device)

        rate, _ = attempt(work)
        if rate is not None:
            self.record["network_rates"].append(
                {"backbone": cell.backbone, "precision": cell.precision, "batch": batch, **rate}
            )

    def inputs(self, backbone: str, update: Update) -> None:
        """Noise and data of a batch, and whether noise is the same everywhere."""
        draw, draws, shape = update.noise(self.plan.batch)
        self.record["inputs"].append(
            {
                "backbone": backbone, "batch": self.plan.batch, "shape": list(shape), "draws": draws,
                "noise_ms": 1e3 * seconds_of(draw, self.device, 3),
                "data_ms": 1e3 * seconds_of(update.loading(self.plan.batch), self.device, 3),
                **update.noise_agreement(min(self.plan.batch, 8)),
            }
        )  # fmt: skip

    def gradients(self, backbone: str, update: Update, ends: float) -> None:
        batch = min(GRADIENT_BATCH, self.plan.batch)
        while batch >= 1:
            _, reason = attempt(partial(self._gradients, backbone, update, batch, ends))
            if reason == "time":
                raise OutOfTimeError
            if not reason:
                return
            batch //= 2

    def _gradients(self, backbone: str, update: Update, batch: int, ends: float) -> dict[str, Any]:
        for row in gradient_rows(update, backbone, batch, ends):
            self.record["gradients"].append(row)
        return {}

    def clock(self) -> float:
        return time.monotonic() - self.began

    def save(self) -> None:
        self.record["seconds"] = round(self.clock(), 1)
        write_json(self.plan.out.with_suffix(".json"), self.record)
        text = "\n".join(lines(self.record)) + "\n"
        self.plan.out.with_suffix(".md").write_text(text, encoding="utf-8")


def describe(device: torch.device) -> dict[str, Any]:
    facts: dict[str, Any] = {"torch": torch.__version__, "python": platform.python_version()}
    if device.type != "cuda":
        return {"name": f"CPU ({platform.processor() or platform.machine()})", **facts}
    card = torch.cuda.get_device_properties(device)
    return {
        "name": card.name, **facts, "cuda": torch.version.cuda, "memory_bytes": card.total_memory,
        "multiprocessors": card.multi_processor_count,
    }  # fmt: skip
