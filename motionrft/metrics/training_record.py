"""What a training record says was spent: the tidy table (update, name, value) that fine-tuning writes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

# the cumulative names that methods can be compared at equal amounts of
VIEWS = {
    "updates": "update",
    "denoiser_calls": "denoiser_calls",
    "wall_s": "wall_s",
    "seconds": "seconds",
}
SPENT = ("update", "seconds", "wall_s", "denoiser_calls", "flops")
CLOCKS = ("seconds", "wall_s")


def wide(record: pd.DataFrame) -> pd.DataFrame:
    """One row an update, one column a name."""
    return record.pivot_table(
        index="update", columns="name", values="value", aggfunc="last"
    ).reset_index()


def at_equal(
    table: pd.DataFrame, by: str, amounts: Sequence[float], name: str
) -> list[float | None]:
    """Values of `name` in a `wide` record when the run had spent at most each amount of `by` (updates, denoiser_calls,
    wall_s, seconds); None before its first value."""
    table = table[table[name].notna()]
    spent = table[VIEWS[by]]
    values = []
    for amount in amounts:
        within = table[spent <= amount]
        values.append(float(within[name].iloc[-1]) if len(within) else None)
    return values


def until_level(
    table: pd.DataFrame, name: str, levels: Sequence[float], also: Sequence[str] = SPENT
) -> list[dict[str, float | None]]:
    """What stood in a `wide` record, by the names `also`, when `name` first reached each level: what had been spent, or what
    other scores were; None if it never did."""
    table = table[table[name].notna()] if name in table else table.iloc[:0]
    rows = []
    for level in levels:
        reached = table[table[name] >= level] if name in table else table
        first = reached.iloc[0] if len(reached) else None
        spent = {
            key: None if first is None or key not in table else float(first[key]) for key in also
        }
        rows.append({"level": float(level), **spent})
    return rows


def summary(record: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Medians an update and a trajectory of what was spent; peaks where memory was probed."""
    table = wide(record)
    table = table[table["update"] > 0]
    spent = ["seconds", "wall_s", "forwards", "backwards", "scorings", "flops"]
    steps = table[spent].diff().fillna(table[spent])
    per_update = {f"{name}_mean": float(steps[name].mean()) for name in spent}
    per_update |= {f"{name}_median": float(steps[name].median()) for name in CLOCKS}
    ends = table.groupby("trajectory")[spent].last()
    rounds = ends.diff().fillna(ends)
    per_trajectory = {f"{name}_mean": float(rounds[name].mean()) for name in spent}
    per_trajectory |= {f"{name}_median": float(rounds[name].median()) for name in CLOCKS}
    memory = table["peak_bytes"].dropna() if "peak_bytes" in table else pd.Series(dtype=float)
    peaks = (
        {"peak_bytes": float(memory.max()), "peak_bytes_mean": float(memory.mean())}
        if len(memory)
        else {}
    )
    return {"per_update": per_update, "per_trajectory": per_trajectory, "memory": peaks}
