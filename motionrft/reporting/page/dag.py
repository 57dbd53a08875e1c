"""The run's jobs as a drawing: a box a rule, how many of its jobs are done, arrows for what feeds what."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

# what tables, figures and the page are made from
RECORDS = (
    "evaluate", "evaluate_real", "evaluate_reward", "evaluate_reward_switched", "finetune", "analyse",
)  # fmt: skip
# rule -> rules it reads from; a test holds this to the rules themselves
FEEDS: dict[str, tuple[str, ...]] = {
    "corpus": (),
    "features": ("corpus",),
    "text_encoder": ("corpus",),
    "text": ("corpus", "text_encoder"),
    "train_evaluator": ("features", "text"),
    "train_judge": ("features", "text"),
    "pretrain": ("features", "text"),
    "pretrain_again": ("features", "text"),
    "train_reward": ("features", "text", "reward_data"),
    "sample": ("features", "text", "pretrain"),
    "reward_data": ("features", "sample"),
    "evaluate_reward": ("features", "text", "train_evaluator", "train_reward", "reward_data"),
    "train_reward_switched": ("features", "text", "train_reward", "reward_data"),
    "evaluate_reward_switched": (
        "features", "text", "train_reward", "reward_data", "train_reward_switched",
    ),
    "tune": ("features", "text", "train_judge", "pretrain", "train_reward"),
    "finetune": (
        "features", "text", "train_judge", "pretrain", "pretrain_again", "train_reward", "tune",
    ),
    "analyse": ("features", "text", "pretrain", "train_reward"),
    "evaluate_real": ("features", "text", "train_evaluator"),
    "evaluate": (
        "features", "text", "train_evaluator", "pretrain", "pretrain_again", "finetune",
    ),
    "tables": RECORDS,
    "figures": RECORDS,
    "page": ("tables", "figures", *RECORDS),
}  # fmt: skip
WIDE, HIGH, GAP_X, GAP_Y = 132, 40, 44, 18


def reduced(rules: list[str]) -> dict[str, list[str]]:
    """FEEDS among `rules` without the arrows that a longer path already implies."""
    parents = {rule: [name for name in FEEDS[rule] if name in rules] for rule in rules}

    def above(rule: str) -> set[str]:
        return {name for parent in parents[rule] for name in (parent, *above(parent))}

    return {
        rule: [
            name
            for name in parents[rule]
            if not any(name in above(other) for other in parents[rule] if other != name)
        ]
        for rule in rules
    }


def layers(parents: dict[str, list[str]]) -> dict[str, int]:
    """Longest path from a source, the column of each box."""
    depth: dict[str, int] = {}

    def place(rule: str) -> int:
        if rule not in depth:
            depth[rule] = 1 + max((place(name) for name in parents[rule]), default=-1)
        return depth[rule]

    for rule in parents:
        place(rule)
    return depth


def svg(total: Mapping[str, int], done: Mapping[str, int]) -> str:
    """The drawing, inline SVG that takes its colours from the page.

    total, done: jobs of the whole run and finished ones, by rule.
    """
    parents = reduced(list(total))
    depth = layers(parents)
    columns: dict[int, list[str]] = {}
    for rule, column in depth.items():
        columns.setdefault(column, []).append(rule)
    tallest = max(map(len, columns.values()))
    height = tallest * (HIGH + GAP_Y) + GAP_Y
    width = (max(columns) + 1) * (WIDE + GAP_X) - GAP_X + 4
    corner: dict[str, tuple[float, float]] = {}
    for column, rules in sorted(columns.items()):
        rules.sort(key=lambda rule: _mean([corner[p][1] for p in parents[rule]], height / 2))
        top = (height - len(rules) * (HIGH + GAP_Y) + GAP_Y) / 2
        for row, rule in enumerate(rules):
            corner[rule] = (2 + column * (WIDE + GAP_X), top + row * (HIGH + GAP_Y))
    parts = [
        f'<svg class="dag" viewBox="0 0 {width} {height:.0f}" role="img" '
        'aria-label="The rules of the run and how many of their jobs are done">'
    ]
    for rule, names in parents.items():
        x, y = corner[rule]
        for name in names:
            from_x, from_y = corner[name][0] + WIDE, corner[name][1] + HIGH / 2
            half = (x - from_x) / 2
            parts.append(
                f'<path d="M{from_x:.0f} {from_y:.0f} C{from_x + half:.0f} {from_y:.0f} {x - half:.0f} '
                f'{y + HIGH / 2:.0f} {x:.0f} {y + HIGH / 2:.0f}"/>'
            )
    for rule, (x, y) in corner.items():
        # the page itself is being written: its own job has no record yet
        finished = min(done.get(rule, 0), total[rule])
        state = "done" if finished == total[rule] else "open" if finished else "none"
        parts.append(
            f'<g class="{state}"><rect x="{x:.0f}" y="{y:.0f}" width="{WIDE}" height="{HIGH}" rx="6"/>'
            f'<text x="{x + WIDE / 2:.0f}" y="{y + 17:.0f}">{escape(rule)}</text>'
            f'<text class="count" x="{x + WIDE / 2:.0f}" y="{y + 32:.0f}">{finished} of {total[rule]}</text></g>'
        )
    return "".join([*parts, "</svg>"])


def _mean(values: list[float], default: float) -> float:
    return sum(values) / len(values) if values else default
