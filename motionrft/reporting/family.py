"""The comparisons that a run declares, each with its effect, interval and verdict, and Holm's correction over them alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from motionrft.configuration.comparisons import Member, declared
from motionrft.metrics.crossed import Effect, crossed_effect
from motionrft.reporting.columns import GENERATION
from motionrft.reporting.compare import differences, holm
from motionrft.reporting.records import Records

# the scores that have one number a prompt, whose mean they are
OF_PROMPT = {
    "R-Precision Top-1": "top1",
    "R-Precision Top-2": "top2",
    "R-Precision Top-3": "top3",
    "FID": "fid",
    "MM-Dist": "matching",
}
COLUMNS = {column.key: column for column in GENERATION}


@dataclass(frozen=True)
class Verdict:
    """An effect, p after Holm's correction, and better, worse or unclear."""

    effect: Effect
    p: float
    word: str


@lru_cache(maxsize=32)
def by_prompt(records: Records) -> dict[tuple[str, str], pd.DataFrame]:
    """By backbone and method, seeds (rows) and clips (columns) of every score of `OF_PROMPT`."""
    return {
        (str(backbone), str(method)): frame.set_index(["seed", "clip"])[
            list(OF_PROMPT.values())
        ].unstack("clip")
        for (backbone, method), frame in records.prompts.groupby(["backbone", "method"])
    }


@lru_cache(maxsize=4096)
def effect(
    records: Records, backbone: str, method: str, metric: str, base: str = "base"
) -> Effect | None:
    """Of a method against the base model (or another), paired over seeds and prompts; None before both are evaluated."""
    if metric not in OF_PROMPT:
        return None
    scores = by_prompt(records)
    before, after = (scores.get((backbone, name)) for name in (base, method))
    if before is None or after is None:
        return None
    score, own = OF_PROMPT[metric], records.own_bases(backbone) or base != "base"
    difference = differences(before[score], after[score], own=own)
    return crossed_effect(difference) if difference.size else None


def kept_base(records: Records, backbone: str, method: str) -> bool:
    """Whether a method ended with the weights of the base model: every prompt of every seed has the base's numbers."""
    effects = [effect(records, backbone, method, metric) for metric in OF_PROMPT]
    return all(one and one.difference == one.low == one.high == 0 for one in effects)


@lru_cache(maxsize=8)
def verdicts(records: Records) -> dict[Member, Verdict]:
    """Of the declared comparisons that are finished. Those that are not count as tests that found nothing, so that no
    verdict changes for the better when they are."""
    members = declared(records.run)
    effects = [effect(records, *member) for member in members]
    adjusted = holm([1.0 if found is None else found.p for found in effects])
    return {
        member: Verdict(found, p, found.verdict(direction(member), p))
        for member, found, p in zip(members, effects, adjusted, strict=True)
        if found is not None
    }


def direction(member: Member) -> int:
    return COLUMNS[member[2]].direction
