"""What a run's numbers say, in plain words: effect first, then interval, then verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from motionrft.configuration.comparisons import declared
from motionrft.metrics.crossed import Effect
from motionrft.reporting.cells import base_values
from motionrft.reporting.columns import Column
from motionrft.reporting.family import COLUMNS, effect, verdicts
from motionrft.reporting.records import Records

WORDS = {"better": "better", "worse": "worse", "unclear": "no clear difference"}


@dataclass(frozen=True)
class Summary:
    """The summary in plain words: counts over the declared comparisons; a line for each method on a backbone that differs
    clearly from its base model; for each other of them; and, without a verdict, for those that were not declared."""

    counts: list[str]
    clear: list[str]
    unclear: list[str]
    others: list[str]


def summary(records: Records) -> Summary:
    """What the numbers say; "better" is only written where it holds after Holm's correction over the comparisons that
    the run declares."""
    judged = verdicts(records)
    counts: dict[str, Counter[str]] = {}
    for (_, _, metric), verdict in judged.items():
        counts.setdefault(metric, Counter())[verdict.word] += 1
    lines: dict[str, list[str]] = {"clear": [], "unclear": [], "others": []}
    for backbone, method in dict.fromkeys((m[0], m[1]) for m in declared(records.run)):
        parts, words = [], set()
        for metric in records.run["compare"]["metrics"]:
            found = judged.get((backbone, method, metric))
            if found is not None:
                words.add(found.word)
                told = f"{WORDS[found.word]} (p = {found.p:.2g})"
                parts.append(
                    sentence(records, backbone, method, COLUMNS[metric], found.effect) + f": {told}"
                )
        if parts:
            kind = "unclear" if words == {"unclear"} else "clear"
            lines[kind].append(f"{method} on {backbone}: {'; '.join(parts)}.")
    for entry in records.run["matrix"]:
        backbone, method = entry["backbone"], entry["method"]
        if (backbone, method, records.run["compare"]["metrics"][0]) in declared(records.run):
            continue
        effects = [
            (metric, effect(records, backbone, method, metric))
            for metric in records.run["compare"]["metrics"]
        ]
        parts = [
            sentence(records, backbone, method, COLUMNS[metric], found)
            for metric, found in effects
            if found is not None
        ]
        if parts:
            lines["others"].append(f"{method} on {backbone}: {'; '.join(parts)}.")
    return Summary([_counted(COLUMNS[metric], count) for metric, count in counts.items()], **lines)


def sentence(records: Records, backbone: str, method: str, column: Column, found: Effect) -> str:
    """R@1 +0.046 [+0.021, +0.071] (0.512 → 0.558, 5 seeds, 320 prompts)"""
    before = float(base_values(records, backbone, method, column.key)["value"].mean())
    seeds = f"{found.seeds} seeds" if found.seeds > 1 else "one seed"
    return (
        f"{column.title} {found.difference:+z.3f} [{found.low:+z.3f}, {found.high:+z.3f}] "
        f"({before:.3f} → {before + found.difference:.3f}; {seeds}, {found.prompts} prompts)"
    )


def _counted(column: Column, count: Counter[str]) -> str:
    words = ", ".join(f"{text} in {count[word]}" for word, text in WORDS.items())
    return f"{column.title} against the base model: {words} of {sum(count.values())} declared comparisons."
