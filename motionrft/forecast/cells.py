"""What `finetune.memory: auto` does with every cell of a run on cards of several sizes, as a table. Free of torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from motionrft.counting.card import Card
from motionrft.forecast.costs import CellCost, Forecast
from motionrft.forecast.table import Table


def cell_lines(run: Mapping[str, Any], table: Table, cards: Sequence[Card]) -> Iterator[str]:
    """A Markdown row a cell: bytes of the whole batch in plain form, and for each card the form that fits, its bytes."""
    forecasts = [Forecast(run, table, card).cells for card in cards]
    heads = [f"{card.memory:g} GB" for card in cards]
    yield "| cell | plain | " + " | ".join(heads) + " |"
    yield "| --- | --- | " + " | ".join("---" for _ in heads) + " |"
    for names, cost in forecasts[0].items():
        forms = [described(forecast[names]) for forecast in forecasts]
        yield f"| {' / '.join(names)} | {cost.plain / 1e9:.0f} | " + " | ".join(forms) + " |"


def described(cost: CellCost) -> str:
    """`exact, 4 slices, scored by 16: 41.2 GB`"""
    plan = cost.plan
    parts: list[str] = [plan.activations]
    if plan.slices > 1:
        parts.append(f"{plan.slices} slices")
    parts.append(f"scored by {plan.micro_batch}")
    verdict = "" if plan.fits else " (does not fit)"
    return f"{', '.join(parts)}: {cost.memory / 1e9:.1f}{verdict}"


def summary_lines(forecast: Forecast, dearest: int = 5) -> Iterator[str]:
    """The dearest cells, and by backbone what would not fit and what is done about it."""
    cells, seeds = forecast.cells, _seeds(forecast.run)
    whole = {names: seeds[names] * cost.seconds / 3600 for names, cost in cells.items()}
    if not cells:
        return
    yield "dearest cells (GPU h of all seeds):"
    for names in sorted(whole, key=lambda names: -whole[names])[:dearest]:
        cost = cells[names]
        yield f"  {' / '.join(names):34}{whole[names]:9.0f} h   {described(cost)} GB"
    large = [names for names, cost in cells.items() if not cost.fits_plain]
    yield (
        f"{len(large)} of {len(cells)} cells do not fit {forecast.card.memory:g} GB as the whole batch in plain form; "
        "memory: auto takes"
    )
    for backbone in dict.fromkeys(name for name, _ in large):
        costs = {method: cells[name, method] for name, method in large if name == backbone}
        worst = max(costs.values(), key=lambda cost: cost.plain)
        recomputed = [name for name, cost in costs.items() if cost.plan.activations != "plain"]
        sliced = len(costs) - len(recomputed)
        how = f"slices for {sliced}, the recomputed form for {len(recomputed)}"
        lost = [method for method, cost in costs.items() if not cost.plan.fits]
        more = f"; too large even so: {', '.join(lost)}" if lost else ""
        yield f"  {backbone:24}{len(costs):3} cells, up to {worst.plain / 1e9:.0f} GB plain: {how}{more}"


def _seeds(run: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    return {(cell["backbone"], cell["method"]): len(cell["seeds"]) for cell in run["matrix"]}
