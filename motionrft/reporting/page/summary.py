"""What a run's numbers say, in plain words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from motionrft.reporting.columns import GENERATION, Column
from motionrft.reporting.compare import Comparison, against_base, holm
from motionrft.reporting.records import Records

VERDICTS = ("better", "worse", "no clear difference")


@dataclass(frozen=True)
class Summary:
    """The summary in plain words: counts over all fine-tunings; a line for each that differs clearly from its base
    model; a line for each other."""

    counts: list[str]
    clear: list[str]
    unclear: list[str]


def summary(records: Records) -> Summary:
    """What the numbers say; "better" is only written where it holds: beyond the interval on most seeds, and after
    Holm's correction over all comparisons listed."""
    frame = records.evaluations
    compared: list[tuple[str, Column, float, Comparison]] = []
    for entry in records.run["matrix"]:
        backbone, method = entry["backbone"], entry["method"]
        for metric in (GENERATION[0], GENERATION[3]):
            model, base = (
                frame[
                    frame["backbone"].eq(backbone)
                    & frame["method"].eq(name)
                    & frame["metric"].eq(metric.key)
                ]
                for name in (method, "base")
            )
            comparison = against_base(base, model, metric.direction)
            if comparison is not None:
                title = f"{method} on {backbone}"
                compared.append((title, metric, float(base["value"].mean()), comparison))
    adjusted = holm([comparison.p for *_, comparison in compared])
    counts: dict[str, Counter[str]] = {}
    lines: dict[str, list[str]] = {}
    differing = set()
    for (title, metric, before, comparison), p in zip(compared, adjusted, strict=True):
        word = verdict(comparison, metric.direction, p)
        counts.setdefault(metric.title, Counter())[word] += 1
        if word != VERDICTS[-1]:
            differing.add(title)
        _, beyond = comparison.leaning(metric.direction)
        lines.setdefault(title, []).append(
            f"{metric.title} {before:.3f} → {before + comparison.difference:.3f}: {word} "
            f"(beyond the interval on {beyond} of {comparison.seeds} seeds, p = {p:.2g})"
        )
    texts = {title: f"{title}: {'; '.join(parts)}." for title, parts in lines.items()}
    return Summary(
        [
            f"{title} against the base model: "
            + ", ".join(f"{word} in {count[word]}" for word in VERDICTS)
            + f" of {sum(count.values())} cells."
            for title, count in counts.items()
        ],
        [text for title, text in texts.items() if title in differing],
        [text for title, text in texts.items() if title not in differing],
    )


def verdict(comparison: Comparison, direction: int, p: float) -> str:
    """One of VERDICTS, p being corrected for all comparisons."""
    good, beyond = comparison.leaning(direction)
    if p < 0.05 and beyond * 2 > comparison.seeds:
        return VERDICTS[0] if good else VERDICTS[1]
    return VERDICTS[2]
