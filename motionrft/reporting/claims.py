"""The claims of the papers as questions to a run's records, and how each comes out on every backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from motionrft.metrics.crossed import hierarchical_bootstrap
from motionrft.metrics.training_record import at_equal, until_level
from motionrft.reporting.compare import differences
from motionrft.reporting.family import COLUMNS, OF_PROMPT, by_prompt, effect, verdicts
from motionrft.reporting.records import Records
from motionrft.reporting.spending import REWARD, TOP1, Runs, reward_levels, runs_of

OURS = "easytune"
COMPARED = ("draft", "refl", "alignprop", "drtune")  # families
HOLDS, CONTRARY, OPEN = "holds", "contrary", "open"
WORDS = {"better": HOLDS, "worse": CONTRARY, "unclear": OPEN}
LEAST = 3  # seeds of a measured cost: all must agree
SHARE = 0.5  # of the way to the best reward, where costs are compared


@dataclass(frozen=True)
class Outcome:
    """Of one claim on one backbone (and against one rival): holds, contrary or open, with the numbers behind it."""

    backbone: str
    against: str
    word: str
    told: str


@dataclass(frozen=True)
class Claim:
    """statement: what is claimed; short: the same as a clause, for a sentence; source: where; outcomes: from a run's
    records."""

    statement: str
    short: str
    source: str
    outcomes: Callable[[Records], Iterator[Outcome]]


def better_than_base(metric: str) -> Callable[[Records], Iterator[Outcome]]:
    """By the verdict of a declared comparison."""

    def outcomes(records: Records) -> Iterator[Outcome]:
        for (backbone, method, name), verdict in verdicts(records).items():
            if (method, name) == (OURS, metric):
                found = verdict.effect
                told = f"{found.difference:+z.3f} [{found.low:+z.3f}, {found.high:+z.3f}], p = {verdict.p:.2g}"
                yield Outcome(backbone, "base", WORDS[verdict.word], told)

    return outcomes


def better_in_both(records: Records) -> Iterator[Outcome]:
    """R@1 and FID at once: both verdicts, and the share of hierarchical resamples in which both are better."""
    judged = verdicts(records)
    pair = ("R-Precision Top-1", "FID")
    for backbone in records.run["backbones"]:
        found = [judged.get((backbone, OURS, metric)) for metric in pair]
        words = [verdict.word for verdict in found if verdict is not None]
        if len(words) < len(pair):
            continue
        base, ours = (by_prompt(records)[backbone, name] for name in ("base", OURS))
        both = [
            differences(base[score], ours[score], own=records.own_bases(backbone))
            for score in map(OF_PROMPT.__getitem__, pair)
        ]
        shared = both[0].columns.intersection(both[1].columns)
        resampled = hierarchical_bootstrap(np.stack([d[shared].to_numpy() for d in both]))
        directions = np.array([COLUMNS[metric].direction for metric in pair])
        share = float((resampled * directions > 0).all(axis=1).mean())
        word = HOLDS if set(words) == {"better"} else CONTRARY if "worse" in words else OPEN
        yield Outcome(backbone, "base", word, f"in {share:.1%} of 2,000 resamples")


def better_than_method(
    other: str, ours: str, metric: str
) -> Callable[[Records], Iterator[Outcome]]:
    """One method against another on the same base models; p of this comparison alone."""

    def outcomes(records: Records) -> Iterator[Outcome]:
        for backbone in records.run["backbones"]:
            found = effect(records, backbone, ours, metric, base=other)
            if found is not None:
                told = f"{found.difference:+z.3f} [{found.low:+z.3f}, {found.high:+z.3f}], p = {found.p:.2g} alone"
                word = WORDS[found.verdict(COLUMNS[metric].direction)]
                yield Outcome(backbone, other, word, told)

    return outcomes


def less_memory(records: Records) -> Iterator[Outcome]:
    """Memory beyond plain sampling, which hardly varies: the most of ours against the least of a rival's."""
    costs = records.costs[records.costs["name"].eq("extra_mb")]
    for backbone, by_method in costs.groupby("backbone", sort=False):
        ours = by_method[by_method["method"].eq(OURS)]["value"]
        for rival in rivals(records):
            theirs = by_method[by_method["method"].eq(rival)]["value"]
            if len(ours) and len(theirs):
                word = HOLDS if ours.max() < theirs.min() else OPEN
                word = CONTRARY if ours.min() > theirs.max() else word
                told = f"{ours.mean():.1f} against {theirs.mean():.1f} MiB"
                yield Outcome(str(backbone), rival, word, told)


def fewer_seconds(records: Records) -> Iterator[Outcome]:
    """Seconds of training until the validation reward is half of the way to the best of any method."""

    def seconds(runs: Runs, level: float) -> dict[int, float]:
        found = {
            seed: until_level(record, REWARD, [level])[0]["seconds"]
            for seed, record in runs.items()
        }
        return {seed: np.inf if value is None else value for seed, value in found.items()}

    for backbone, methods in _with_ours(records):
        level = reward_levels(methods).get(SHARE)
        if level is None:
            continue
        ours = seconds(methods[OURS], level)
        for rival in rivals(records):
            theirs = seconds(methods.get(rival, {}), level)
            pairs = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
            if pairs:
                means = " against ".join(_mean(column) for column in zip(*pairs, strict=True))
                wins = [one < other for one, other in pairs]
                yield Outcome(backbone, rival, _word(wins, [one > other for one, other in pairs]), f"{means} s, faster on {sum(wins)} of {len(pairs)} seeds")  # fmt: skip


def better_at_equal_seconds(records: Records) -> Iterator[Outcome]:
    """R@1 on the validation split when both have spent what the shorter of the two runs has."""
    for backbone, methods in _with_ours(records):
        for rival in rivals(records):
            pairs: list[tuple[float, float]] = []
            for seed, record in methods[OURS].items():
                other = methods.get(rival, {}).get(seed)
                if other is None or not all(TOP1 in r for r in (record, other)):
                    continue
                amount = min(float(one["seconds"].max()) for one in (record, other))
                mine, theirs = (at_equal(r, "seconds", [amount], TOP1)[0] for r in (record, other))
                if mine is not None and theirs is not None:
                    pairs.append((mine, theirs))
            if pairs:
                gain = float(np.mean([one - other for one, other in pairs]))
                wins = [one > other for one, other in pairs]
                word = _word(wins, [one < other for one, other in pairs])
                yield Outcome(backbone, rival, word, f"{gain:+z.3f}, better on {sum(wins)} of {len(pairs)} seeds")  # fmt: skip


def rivals(records: Records) -> list[str]:
    """The run's methods that the papers' claims of cost are about: the others that back-propagate a reward."""
    methods = records.run["methods"].items()
    return [name for name, entry in methods if entry["family"] in COMPARED]


def _with_ours(records: Records) -> Iterator[tuple[str, dict[str, Runs]]]:
    for backbone in records.run["backbones"]:
        methods = runs_of(records, backbone)
        if OURS in methods:
            yield backbone, methods


def _word(wins: list[bool], losses: list[bool]) -> str:
    """All seeds must agree, three at least."""
    if len(wins) < LEAST:
        return OPEN
    return HOLDS if all(wins) else CONTRARY if all(losses) else OPEN


def _mean(values: tuple[float, ...]) -> str:
    return f"{np.mean(values):.1f}" if np.isfinite(values).all() else "never"


CLAIMS = (
    Claim(
        "EasyTune raises R@1 over its base model",
        "EasyTune fits sentences better than its base model (R@1)",
        "MotionRFT, tables V and VI",
        better_than_base("R-Precision Top-1"),
    ),
    Claim(
        "EasyTune lowers FID below its base model's",
        "EasyTune's motions are closer to recorded ones than its base model's (FID)",
        "MotionRFT, tables V and VI",
        better_than_base("FID"),
    ),
    Claim(
        "EasyTune does both at once",
        "EasyTune gains in R@1 and in FID at once",
        "MotionRFT, tables V and VI",
        better_in_both,
    ),
    Claim(
        "EasyTune needs less memory than a rival",
        "EasyTune needs less memory than its rivals",
        "MotionRFT, table V; EasyTune, fig. 1a",
        less_memory,
    ),
    Claim(
        "EasyTune reaches a reward in fewer seconds than a rival",
        "EasyTune reaches a reward in fewer seconds than its rivals",
        "EasyTune, table S9",
        fewer_seconds,
    ),
    Claim(
        "EasyTune has a higher R@1 than a rival at equal seconds",
        "EasyTune is ahead of its rivals at equal seconds (R@1)",
        "EasyTune, fig. 10",
        better_at_equal_seconds,
    ),
    Claim(
        "The unified reward raises R@1 over the semantic reward",
        "The unified reward fits sentences better than the semantic one (R@1)",
        "MotionRFT, table V",
        better_than_method(OURS, "motionrft", "R-Precision Top-1"),
    ),
    Claim(
        "The unified reward lowers FID below the semantic reward's",
        "The unified reward's motions are closer to recorded ones than the semantic one's (FID)",
        "MotionRFT, table V",
        better_than_method(OURS, "motionrft", "FID"),
    ),
    Claim(
        "The self-refined reward raises R@1 over the semantic reward",
        "The self-refined reward fits sentences better than the semantic one (R@1)",
        "MotionRFT, section III",
        better_than_method(OURS, "easytune-spl", "R-Precision Top-1"),
    ),
)
