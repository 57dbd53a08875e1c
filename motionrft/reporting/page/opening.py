"""What a reader sees first: what was run, what it found, and the one table that says by how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from motionrft.configuration import trains
from motionrft.metrics.crossed import Effect
from motionrft.reporting.cells import base_values
from motionrft.reporting.claims import CLAIMS, CONTRARY, HOLDS, Outcome
from motionrft.reporting.columns import Column
from motionrft.reporting.family import COLUMNS, effect, kept_base, verdicts
from motionrft.reporting.page.summary import WORDS
from motionrft.reporting.records import Records
from motionrft.reporting.seeds import seeds_told
from motionrft.reporting.tables import IN_BF16

CORPORA = {
    "toy": "a procedural corpus",
    "puppet": "a procedural corpus",
    "bvh": "motion capture of your own",
    "amass": "AMASS",
    "humanml3d": "HumanML3D",
    "humanml3d-cmu": "the free part of HumanML3D",
    "kit": "KIT-ML",
}
FOUND = ("Holds here", "Does not hold here", "Cannot be told from this run")


@dataclass(frozen=True)
class Finding:
    """A claim of the papers as it came out: as a clause, source, how many comparisons are for it, and each of them."""

    text: str
    source: str
    count: str
    outcomes: list[Outcome]


def several(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"


def what_was_run(run: dict[str, Any]) -> str:
    """One sentence: methods, models, corpus, size, seeds."""
    corpus = CORPORA.get(run["corpus"]["kind"], run["corpus"]["kind"])
    if "clips" in run["corpus"]:
        corpus += f" of {run['corpus']['clips']:,} clips"
    chosen = {
        cell["method"] for cell in run["matrix"]
    }  # of a sweep or a matrix, not all that are configured
    trained = [name for name in chosen if trains(run["methods"][name])]
    backbones = {cell["backbone"] for cell in run["matrix"]} or run["backbones"]
    sampled = len(chosen) - len(trained)
    beside = (
        f", beside {several(sampled, 'method')} of sampling under the reward" if sampled else ""
    )
    said = (
        f"{several(len(trained), 'method')} of reward fine-tuning on {several(len(backbones), 'text-to-motion model')}, "
        f"on {corpus}, with networks of size “{run['size']}” and {seeds_told(run)}{beside}."
    )
    return said[0].upper() + said[1:]


def findings(records: Records) -> dict[str, list[Finding]]:
    """The papers' claims that this run has records for, under one of `FOUND`: a claim holds where most comparisons are
    clearly for it and none against, does not hold where some are against it and as many as are for it, else it is open."""
    found: dict[str, list[Finding]] = {title: [] for title in FOUND}
    for claim in CLAIMS:
        outcomes = list(claim.outcomes(records))
        if not outcomes:
            continue
        good, bad = (sum(o.word == word for o in outcomes) for word in (HOLDS, CONTRARY))
        holds = 2 * good > len(outcomes) and not bad
        title = FOUND[0] if holds else FOUND[1] if bad and bad >= good else FOUND[2]
        count = f"holds in {good} of {len(outcomes)}" + (f", the contrary in {bad}" if bad else "")
        found[title].append(Finding(claim.short, claim.source, count, outcomes))
    return found


def what_it_found(found: dict[str, list[Finding]]) -> str:
    """One sentence: of how many claims, how many hold, do not, and are open; empty where none was tested."""
    holds, fails, opened = (len(claims) for claims in found.values())
    tested = holds + fails + opened
    if not tested:
        return ""
    subject = "the one claim" if tested == 1 else f"the {tested} claims"
    return (
        f"Of {subject} of the papers that it can test, {holds} held here, {fails} did not, "
        f"and {opened} cannot be told."
    )


def why_open(records: Records) -> str:
    """What keeps a claim open: how much was measured."""
    prompts = records.prompts["clip"].nunique()
    seeds = seeds_told(records.run)
    return f"Differences lie within their intervals, or a cost was measured fewer than three times: {seeds}, {prompts} test prompts."


def main_rows(records: Records) -> Iterator[dict[str, Any]]:
    """A row a backbone: its base model and the method that stands for the paper, R@1 and FID, effect before verdict."""
    judged = verdicts(records)
    for backbone in records.run["backbones"]:
        methods = [
            entry["method"] for entry in records.run["matrix"] if entry["backbone"] == backbone
        ]
        method = next((name for name in records.against_base() if name in methods), None)
        if method is None:
            continue
        cells = []
        for metric in ("R-Precision Top-1", "FID"):
            found = effect(records, backbone, method, metric)
            if found is None:
                break
            verdict = judged.get((backbone, method, metric))
            word = verdict.word if verdict is not None else ""
            cells.append(_cell(records, backbone, method, COLUMNS[metric], found) | {"word": word, "verdict": WORDS.get(word, "")})  # fmt: skip
        else:
            unchanged = kept_base(records, backbone, method)
            if unchanged:
                cells = [cell | {"verdict": "base kept"} for cell in cells]
            yield {
                "backbone": backbone,
                "method": records.label(method),
                "cells": cells,
                "unchanged": unchanged,
            }


def _cell(
    records: Records, backbone: str, method: str, column: Column, found: Effect
) -> dict[str, str]:
    before = float(base_values(records, backbone, method, column.key)["value"].mean())
    return {
        "before": f"{before:.3f}",
        "after": f"{before + found.difference:.3f}",
        "difference": f"{found.difference:g}",
        "effect": f"{found.difference:+z.3f} [{found.low:+z.3f}, {found.high:+z.3f}]",
    }


def recorded(records: Records) -> str:
    """What recorded motions score, as the scale of the main table, and in what it was computed if not in float32."""
    frame = records.evaluations
    real = frame[frame["backbone"].eq("real")].groupby("metric")["value"].mean()
    if "FID" not in real:
        return ""
    group = ranked_in(records.run)
    scores = f"R@1 {real['R-Precision Top-1']:.3f}, FID {real['FID']:.3f}"
    half = f" {IN_BF16}" if records.evaluator_precision == "bf16" else ""
    return f"Recorded motions: {scores}; chance in groups of {group}: {1 / group:.3f}.{half}"


def ranked_in(run: dict[str, Any]) -> int:
    """How many motions a group of R-Precision has."""
    return int(run["evaluate"]["group"])
