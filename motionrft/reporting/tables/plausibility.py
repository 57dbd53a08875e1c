"""Whether the samples move as bodies do."""

from __future__ import annotations

from motionrft.motion.plausibility import BONES, JERK, ROOT_SPEED, implausible
from motionrft.reporting.cells import command, values_of
from motionrft.reporting.columns import Column
from motionrft.reporting.compare import summary
from motionrft.reporting.records import Records
from motionrft.reporting.table import Cell, Row, Table, TableFile

COLUMNS = (
    Column("root_speed", "root (m/s)", 0, 2),
    Column("jerk", "jerk (m/s³)", 0, 0),
    Column("bone_change", "bones (%)", -1, 1),
    Column("skating_ratio", "skating", -1, 3),
)


def plausibility(records: Records) -> Table:
    """Every model's samples beside recorded motions; what is broken is said below."""
    rows = [_row(records, "real", "base", ("Real", ""))]
    models = [(name, "base") for name in records.run["backbones"]]
    models += [(cell["backbone"], cell["method"]) for cell in records.run["matrix"]]
    broken = []
    recorded = rows[0].cells
    for backbone, method in sorted(models, key=lambda model: _place(records, model)):
        row = _row(records, backbone, method, (backbone, method))
        rows.append(row)
        if recorded["root_speed"].filled and row.cells["root_speed"].filled:
            representation = records.run["backbones"][backbone]["representation"]
            faults = implausible(_means(row.cells), _means(recorded), representation)
            if faults:
                broken.append(f"**{backbone} {method}** is broken: {'; '.join(faults)}.")
    notes = [
        f"Limits: the root within a factor of {ROOT_SPEED:g} of recorded motions, jerk within {JERK:g} times theirs, bones "
        f"of generated joints within {BONES:g} % of their usual length in the worst frame of a clip (mean over clips).",
        *(broken or ["No model that was scored is beyond them."]),
    ]
    return Table(("backbone", "method"), COLUMNS, rows, notes, ranked=False)


def _place(records: Records, model: tuple[str, str]) -> tuple[int, int]:
    backbones, methods = list(records.run["backbones"]), list(records.run["methods"])
    backbone, method = model
    return backbones.index(backbone), -1 if method == "base" else methods.index(method)


def _means(cells: dict[str, Cell]) -> dict[str, float]:
    return {key: cell.mean for key, cell in cells.items() if cell.mean is not None}


def _row(records: Records, backbone: str, method: str, labels: tuple[str, str]) -> Row:
    cells = {}
    for column in COLUMNS:
        values = values_of(records, backbone, method, column.key)
        cells[column.key] = Cell() if values.empty else Cell(*summary(values))
    target = f"{records.targets}/evaluate/{backbone}/{method}/seed0/replications.parquet"
    return Row(
        labels,
        cells,
        group="real" if backbone == "real" else backbone,
        reference=method == "base",
        command=command(records, target),
        rival=False,
    )


TABLE = TableFile(
    title="Do the samples move as bodies do?",
    order=65,
    question="backbone",
    needs=("evaluations",),
    build=plausibility,
)
