"""The record as markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

# MLD's rows of the paper's table, GB at batch 256 (MotionRFT, fine-tuning cost)
PUBLISHED = {"easytune": 22.10, "draft-10": 26.56, "draft-50": 37.32}


def lines(record: dict[str, Any]) -> Iterator[str]:
    device = record["device"]
    yield f"# {device['name']}, torch {device['torch']}, {record['seconds']:.0f} s"
    yield ""
    yield "Rates at 4096^3 (TFLOP/s): " + ", ".join(
        f"{name} {rate / 1e12:.4g}" for name, rate in record["rates"].items()
    )
    yield ""
    yield from _cells(record["cells"], record["network_rates"])
    yield ""
    yield from _network(record["network_rates"])
    yield ""
    yield from _inputs(record["inputs"])
    yield ""
    yield from _gradients(record["gradients"])
    for what in record["unfinished"]:
        yield f"No time left: {what}"
    for error in record["errors"]:
        yield f"ERROR {error['what']}: {error['error']}"


def _row(values: Sequence[object]) -> str:
    return "| " + " | ".join(str(value) for value in values) + " |"


def _head(names: Sequence[str]) -> Iterator[str]:
    yield _row(names)
    yield _row(["---"] * len(names))


def _cells(cells: list[dict[str, Any]], rates: list[dict[str, Any]]) -> Iterator[str]:
    network_rates = {(row["backbone"], row["precision"]): row["rate"] for row in rates}
    yield "GB: the peak above the weights; in all: weights and optimiser too; at the batch asked for: scaled."
    yield ""
    yield from _head(
        [
            "backbone", "method", "precision", "form", "batch", "s a trajectory", "s an update", "TFLOP/s",
            "of 4096^3", "of own shapes", "GB", "GB in all", "GB at the batch asked for", "published GB", "notes",
        ]
    )  # fmt: skip
    for cell in cells:
        names = [cell[key] for key in ("backbone", "method", "precision", "form")]
        if "seconds" not in cell:
            yield _row([*names, *["–"] * 10, cell["status"]])
            continue
        scaled = cell["peak_bytes"] * cell["asked"] / cell["batch"]
        published = PUBLISHED.get(cell["method"]) if cell["backbone"] == "mld" else None
        network_rate = network_rates.get((cell["backbone"], cell["precision"]))
        notes = []
        if cell["halved_for"]:
            notes.append(
                f"{cell['asked']} halved for {', '.join(dict.fromkeys(cell['halved_for']))}"
            )
        if cell["refused"]:
            notes.append(
                f"{cell['refused']} updates refused (gradient not finite): time is no full update's"
            )
        yield _row(
            [
                *names, cell["batch"], f"{cell['seconds']:.3f}", f"{cell['seconds_per_update']:.3f}",
                f"{cell['rate'] / 1e12:.4g}", f"{cell['share_of_square']:.1%}",
                "–" if network_rate is None else f"{cell['rate'] / network_rate:.1%}",
                f"{cell['peak_bytes'] / 1e9:.2f}", f"{cell['total_bytes'] / 1e9:.2f}", f"{scaled / 1e9:.2f}",
                "–" if published is None else f"{published:.2f}", "; ".join(notes) or "–",
            ]
        )  # fmt: skip


def _network(rates: list[dict[str, Any]]) -> Iterator[str]:
    yield from _head(
        ["backbone", "precision", "batch", "TFLOP/s at its own shapes", "shapes cover"]
    )
    for row in rates:
        yield _row(
            [
                row["backbone"], row["precision"], row["batch"], f"{row['rate'] / 1e12:.4g}",
                f"{row['covered']:.0%}",
            ]
        )  # fmt: skip


def _inputs(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield from _head(
        [
            "backbone", "batch", "shape", "noise, ms a draw", "draws a trajectory", "noise, s a trajectory",
            "data, ms a batch",
            "noise: numbers", "unequal to the CPU's", "unequal in halves",
        ]
    )  # fmt: skip
    for row in rows:
        yield _row(
            [
                row["backbone"], row["batch"], "×".join(map(str, row["shape"])), f"{row['noise_ms']:.2f}",
                row["draws"], f"{row['noise_ms'] * row['draws'] / 1e3:.2f}", f"{row['data_ms']:.1f}", row["numbers"], row["unequal_devices"],
                row["unequal_batches"],
            ]
        )  # fmt: skip


def _gradients(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "Gradients of an update through the last steps against float32's, random weights."
    yield ""
    yield from _head(
        ["backbone", "in", "part", "relative difference", "cosine", "reward difference"]
    )
    for row in rows:
        yield _row(
            [
                row["backbone"], row["precision"], row["part"], f"{row['relative']:.2e}",
                f"{row['cosine']:.6f}", f"{row['reward']:+.1e}",
            ]
        )  # fmt: skip
