"""Fine-tuning beside sampling under the reward: quality, what training costs, what each motion costs."""

from __future__ import annotations

import math

import pandas as pd

from motionrft.reporting.cells import STARRED, model_row, real_row
from motionrft.reporting.columns import GENERATION, Column, Fact
from motionrft.reporting.records import Records
from motionrft.reporting.spent import compared, methods_of, motion_spent, training_spent
from motionrft.reporting.table import Cell, Row, Table, TableFile

QUALITY = tuple(
    column for column in GENERATION if column.key in ("R-Precision Top-1", "R-Precision Top-3", "FID", "MM-Dist")
)  # fmt: skip
TRAINING = (
    Column("train seconds", "training (s)", -1, 1),
    Column("train flops", "training (TFLOPs)", -1, 2, scale=1e-12),
    Column("peak_mb", "Peak (MiB)", -1, 1),
)
MOTION = (
    Column("motion flops", "GFLOPs / motion", -1, 2, scale=1e-9),
    Column("motion s", "ms / motion", -1, 1, scale=1e3),
)
PAYS = Fact("pays", "motions until training pays", 0, 0)


def rivals(records: Records) -> Table:
    """Every method on the backbones where one that trains nothing takes part."""
    rows: list[Row] = []
    notes = [STARRED]
    for backbone in compared(records):
        rows.append(real_row(records, QUALITY, (backbone, "Real"), group=backbone))
        for method in ("base", *methods_of(records, backbone)):
            labels = (backbone, method)
            rows.append(model_row(records, backbone, method, labels, QUALITY, group=backbone))
        notes.append(f"{backbone}: {_cheapest(records, backbone)}")
    for row in rows:
        row.cells.update(_costs(records, *row.labels))
    notes.append(
        "Training: the whole run, validations left out; FLOPs are counted by torch. A motion: one of a batch, its scorings "
        "by the reward among its FLOPs. Seconds of both are those of the processor on a CPU and of the wall on a GPU. "
        "Methods that train nothing have one cell: no seed."
    )
    if not rows:
        notes = ["No method of this run samples without training: see config/rivals.yaml."]
    return Table(("backbone", "method"), (*QUALITY, *TRAINING, *MOTION, PAYS), rows, notes)


def reference_method(records: Records, backbone: str) -> str | None:
    """The fine-tuning that sampling under the reward is weighed against: the first that is no baseline."""
    own = methods_of(records, backbone)
    return next(
        (name for name in own if name in records.against_base() and records.trains(name)), None
    )


def motions_until_training_pays(training: float, plain: float, rewarded: float) -> float:
    """N with training + N plain = N rewarded: from so many motions on, fine-tuning is cheaper."""
    return training / (rewarded - plain) if rewarded > plain else math.inf


def _costs(records: Records, backbone: str, method: str) -> dict[str, Cell]:
    cells = {column.key: Cell(applies=False) for column in (*TRAINING, *MOTION, PAYS)}
    if method == "Real":
        return cells
    if method != "base" and records.trains(method):
        for column in TRAINING:
            cells[column.key] = _mean(_of_training(records, backbone, method, column), column)
    for column in MOTION:
        values = motion_spent(records, column.key.removeprefix("motion "))
        known = (backbone, method) in values.index
        cells[column.key] = (
            Cell(float(values[backbone, method]) * column.scale, None, 1) if known else Cell()
        )
    if not records.trains(method):
        cells["pays"] = _pays(records, backbone, method)
    return cells


def _of_training(records: Records, backbone: str, method: str, column: Column) -> pd.Series:
    if column.key == "peak_mb":
        frame = records.costs[records.costs["name"].eq(column.key)]
        values: pd.Series = frame.groupby(["backbone", "method", "seed"])["value"].max()
    else:
        values = training_spent(records, column.key.removeprefix("train "))
    if (backbone, method) not in values.index.droplevel("seed"):
        return pd.Series(dtype=float)
    return values.loc[(backbone, method)]


def _mean(values: pd.Series, column: Column) -> Cell:
    return Cell() if values.empty else Cell(float(values.mean()) * column.scale, None, len(values))


def _pays(records: Records, backbone: str, method: str) -> Cell:
    reference, motion = reference_method(records, backbone), motion_spent(records, "flops")
    if reference is None or not {(backbone, method), (backbone, "base")} <= set(motion.index):
        return Cell()
    trained = _of_training(records, backbone, reference, TRAINING[1])
    if trained.empty:
        return Cell()
    plain, rewarded = float(motion[backbone, "base"]), float(motion[backbone, method])
    count = motions_until_training_pays(float(trained.mean()), plain, rewarded)
    return Cell(count, None, 1) if math.isfinite(count) else Cell(absent="never")


def _cheapest(records: Records, backbone: str) -> str:
    reference = reference_method(records, backbone)
    if reference is None:
        return "no fine-tuning of this run is compared with sampling under the reward."
    return f"training pays against {records.label(reference)}: from so many motions on its FLOPs are fewer."


TABLE = TableFile(
    title="Fine-tuning beside sampling under the reward",
    question="cost",
    order=57,
    needs=("evaluations", "prompts", "finetuning", "costs"),
    build=rivals,
)
