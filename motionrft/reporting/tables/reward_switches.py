"""Each stage of the reward as this suite trains it beside one trained with a switch of the released code."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from motionrft.configuration.switches import switches
from motionrft.reporting.cells import command
from motionrft.reporting.columns import Column
from motionrft.reporting.compare import proportion_half
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table, TableFile

COLUMNS = tuple(Column(name, name, 1, 2) for name in ("sound", "official", "difference"))
READINGS = {"released": "as released", "used": "as used in fine-tuning"}


class Measure(NamedTuple):
    """One number of a score file, in percent after `scale`; proportion: whether its interval is binomial."""

    title: str
    table: str
    model: str
    representation: str
    setting: str
    metric: str
    scale: float = 1.0
    proportion: bool = True


def _retrieval(model: str) -> tuple[Measure, ...]:
    names = ("kinematic", "joint", "rotation")
    text = [Measure(f"T→M R@1 {n}", "retrieval", model, n, "t2m", "R@1") for n in names]
    other = [
        Measure(f"{n}→kinematic R@1", "agreement", model, n, "to kinematic", "R@1")
        for n in names[1:]
    ]
    return (*text, *other)


def _area(title: str, model: str, representation: str, setting: str) -> Measure:
    return Measure(
        title, "authenticity", model, representation, setting, "auroc", 100.0, proportion=False
    )


MEASURES: dict[str, tuple[Measure, ...]] = {
    "semantic": _retrieval("semantic"),
    "spl": _retrieval("spl"),
    "preference": (
        Measure("accuracy", "preference", "MotionReward", "all", "all", "accuracy", 100.0),
    ),
    "authenticity": (
        Measure(
            "balanced accuracy",
            "authenticity",
            "MotionReward",
            "all",
            "test",
            "balanced_accuracy",
            100.0,
            proportion=False,
        ),
        _area("AUROC", "MotionReward", "all", "test"),
        _area("AUROC rotation", "MotionReward", "rotation", "test"),
        _area("AUROC held-out generators", "MotionReward", "all", "held_out"),
        _area("AUROC length only", "length only", "all", "test"),
    ),
}


def _cell(scores: pd.DataFrame, measure: Measure) -> Cell:
    chosen = scores
    for column in ("table", "model", "representation", "setting", "metric"):
        chosen = chosen[chosen[column].eq(getattr(measure, column))]
    if chosen.empty:
        return Cell()
    value, count = float(chosen["value"].iloc[0]) * measure.scale, int(chosen["count"].iloc[0])
    if not math.isfinite(value):
        return Cell(absent="undefined")
    half = proportion_half(value, count) if measure.proportion and count else None
    return Cell(value, half, count)


def _difference(sound: Cell, official: Cell) -> Cell:
    """Official minus sound; the interval is that of independent samples, wider than that of the same clips."""
    if sound.mean is None or official.mean is None:
        return Cell(absent=official.absent or sound.absent)
    half = None
    if sound.half is not None and official.half is not None:
        half = math.hypot(sound.half, official.half)
    return Cell(official.mean - sound.mean, half, min(sound.count, official.count))


def reward_switches(records: Records) -> Table:
    """Effect of each switch of `reward.official` on the scores of the stages it concerns."""
    rows: list[Row] = []
    missing: list[Row] = []
    for switch, documented in switches().items():
        for stage in documented.stages:
            scores = records.switched(switch, stage)
            if len(scores) < len(documented.readings):
                cells = {column.key: Cell() for column in COLUMNS}
                missing.append(Row((switch, stage, "all", ""), cells, switch))
                continue
            end = records.diverged(switch, stage)
            for reading, frame in scores.items():
                for measure in MEASURES[stage]:
                    sound, official = _cell(records.reward, measure), _cell(frame, measure)
                    if end is not None:
                        official = Cell(absent=f"diverged at step {end}")
                    if not (sound.filled or official.filled):
                        continue
                    labels = (switch, stage, measure.title, READINGS[reading])
                    trio = (sound, official, _difference(sound, official))
                    cells = dict(zip((m.key for m in COLUMNS), trio, strict=True))
                    rows.append(Row(labels, cells, switch))
    lacking = [
        f"{records.targets}/reward/switches/{switch}/{stage}.{reading}.parquet"
        for switch, stage in dict.fromkeys(row.labels[:2] for row in missing)
        if stage in records.run["reward"]["stages"]
        for reading in switches()[switch].readings
    ]
    for row in missing:
        if row.labels[1] in records.run["reward"]["stages"]:
            row.command = command(records, *lacking)
    notes = [
        "Percent. Sound: the stage as this run trains and scores it. Official: trained once more with this one "
        "switch of `reward.official`, on the same data and seed; what a switch does stands in "
        "motionrft/reward/released.py. As released: scored with the switch on, what the released code would report; "
        "as used in fine-tuning: scored with true lengths and time token, in every representation.",
        "± : 95 % interval of a proportion over the clips or pairs scored; that of the difference takes the two as "
        "independent, and says nothing about other seeds.",
        "“AUROC length only” reads nothing but the length a mask shows: 50 is sound, above it the masks give the "
        "answer away.",
    ]
    return Table(
        ("switch", "stage", "measure", "scored"),
        COLUMNS,
        rows + missing,
        notes,
        ranked=False,
    )


TABLE = TableFile(
    title="What the released code's ways change in the reward",
    question="reward",
    order=130,
    needs=("reward",),
    build=reward_switches,
)
