"""benchmarks/gpu.py: the whole run at small sizes on the CPU, and its decisions about batches and time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.card.cells import Card, Cell, halved, measure_cell
from benchmarks.card.gradients import PARTS
from benchmarks.card.jobs import Files, OutOfTimeError, Update, configuration
from benchmarks.card.rates import MatrixProducts, network_rate
from benchmarks.gpu import main

CPU = torch.device("cpu")


def run(out: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    status = main(["--device", "cpu", "--tiny", "--out", str(out), "--backbones", "mld", *options])
    return (
        status,
        json.loads(out.with_suffix(".json").read_text()),
        out.with_suffix(".md").read_text(),
    )


def test_the_whole_run_at_small_sizes(tmp_path: Path) -> None:
    options = ["--methods", "easytune", "draft-10", "--precisions", "fp32", "bf16"]
    status, record, table = run(tmp_path / "gpu", *options)
    assert status == 0
    assert not record["errors"]
    assert not record["unfinished"]
    # two methods in two precisions, and both as released
    assert len(record["cells"]) == 6
    for cell in record["cells"]:
        assert cell["status"] == "ok"
        assert cell["batch"] == cell["asked"] == 4
        assert cell["refused"] == 0
        assert cell["seconds"] > 0
        assert cell["peak_bytes"] > 0
        # ten of fifty steps, on a sampler of ten: two
        easytune = cell["method"] == "easytune"
        assert cell["updates"] == (2 if easytune else 1)
        assert (cell["forwards"], cell["backwards"], cell["scorings"]) == (
            10,
            2,
            2 if easytune else 1,
        )
    assert {row["precision"] for row in record["network_rates"]} == {"fp32", "bf16"}
    (inputs,) = record["inputs"]
    assert inputs["numbers"] == 4 * 4 * 64
    assert inputs["unequal_devices"] == inputs["unequal_batches"] == 0
    gradients = {(row["part"], row["precision"]): row for row in record["gradients"]}
    assert len(gradients) == 1 + 2 * (len(PARTS) + 1)
    assert gradients["none, again", "fp32"]["relative"] == 0.0
    assert 1e-4 < gradients["all", "bf16"]["relative"] < 0.3
    assert 0.95 < gradients["all", "bf16"]["cosine"] < 1.0
    assert "| mld | draft-10 | bf16 | sound | 4 |" in table
    assert "26.56" in table


def test_a_run_without_time_says_so_and_leaves_its_record(tmp_path: Path) -> None:
    status, record, table = run(tmp_path / "gpu", "--minutes", "0.001", "--methods", "easytune")
    assert status == 0
    assert {cell["status"] for cell in record["cells"]} == {"no time left"}
    assert "no time left" in table


def test_missing_packages_are_named_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "yaml" else name)
    assert main(["--out", str(tmp_path / "gpu")]) == 2
    assert "PyYAML" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_halving_ends_at_what_fits_and_gives_the_reasons() -> None:
    def work(batch: int) -> int:
        if batch > 4:
            raise OutOfTimeError if batch > 8 else torch.OutOfMemoryError("CUDA out of memory")
        return batch

    assert halved(work, 16) == (4, ["time", "memory"])
    with pytest.raises(RuntimeError, match="shape"):
        halved(lambda batch: (_ for _ in ()).throw(RuntimeError("shape")), 2)


class FakeUpdate:
    """A card on which a sample takes `sample` bytes and `seconds`, and more than `most` do not fit."""

    weights = 100

    def __init__(self, sample: int, seconds: float, most: int):
        self.sample, self.seconds, self.most = sample, seconds, most
        self.runs: list[tuple[int, int]] = []

    def measure(
        self, batch: int, precision: str, trajectories: int, deadline: float
    ) -> dict[str, Any]:
        self.runs.append((batch, trajectories))
        if batch > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {
            "batch": batch, "peak_bytes": 100 + self.sample * batch, "seconds": self.seconds * batch,
            "flops": 1.0 * batch, "updates": 2,
        }  # fmt: skip


class FakeCard(Card):
    def free(self) -> float:
        return 10_000.0


@pytest.mark.parametrize(
    ("sample", "seconds", "most", "batch", "reasons"),
    [
        (10, 1e-3, 256, 256, []),
        (100, 1e-3, 256, 64, ["memory", "memory"]),  # predicted: 9,000 bytes hold 89
        (10, 1e-3, 64, 64, ["memory", "memory"]),  # met
        (10, 1.0, 256, 32, ["time"] * 3),  # the 60 s that are left hold 60 seconds' worth at most
        (100, 1e-3, 8, 8, ["memory"] * 5),  # nothing above the first small batch
    ],
)
def test_a_cell_runs_the_largest_batch_that_fits(
    sample: int, seconds: float, most: int, batch: int, reasons: list[str]
) -> None:
    update = FakeUpdate(sample, seconds, most)
    card = FakeCard(CPU, {"fp32": 1.0})
    row = measure_cell(update, Cell("mld", "draft-50", "fp32"), 256, card, 100.0)  # type: ignore[arg-type]
    assert (row["batch"], row["halved_for"]) == (batch, reasons)
    assert row["seconds_per_update"] == pytest.approx(row["seconds"] / 2)
    assert row["rate"] == pytest.approx(1.0 / seconds)
    # cheap batches are repeated, those that take half of the time are not
    assert update.runs[-1] == ((batch, 3) if seconds < 1 else (batch, 1))


def test_matrix_products_are_counted_by_shape() -> None:
    layer = torch.nn.Linear(3, 5)
    rows = torch.randn(2, 4, 3)
    with MatrixProducts() as products:
        layer(rows)
        layer(rows)
        torch.bmm(rows, rows.transpose(1, 2))
    assert products.seen == {
        ((8, 3), (3, 5), torch.float32): 2,
        ((2, 4, 3), (2, 3, 4), torch.float32): 1,
    }
    rate = network_rate(lambda: layer(rows), CPU)
    assert rate["rate"] > 0
    assert rate["covered"] == 1.0


def test_the_gradient_in_parts_is_the_update_s_own(tmp_path: Path) -> None:
    files = Files(tmp_path, configuration(True, ["mld"], ["draft-10"]), 8, 40)
    files.write()
    update = Update(files, "mld", "draft-10", {"batch_size": 4}, CPU)
    tuning = update.tuning
    gradient = update.gradient(4, 2, dict.fromkeys(PARTS, "fp32"), float("inf"))
    batch = update.batch(4)
    objective = tuning.objective(batch)
    sample = next(tuning.method.samples(tuning.walk(batch, 0)))
    score = objective.score(sample.z, sample.level, sample.weight)
    sample.backward(score.gradient)
    whole = torch.cat([parameter.grad.flatten() for parameter in tuning.trained])
    torch.testing.assert_close(gradient.value, whole, rtol=1e-5, atol=1e-8)
    assert gradient.reward == pytest.approx(score.read().rewards["total"], rel=1e-6)
