"""A variant beside the method that it is of."""

import shutil

import pytest

from motionrft.configuration import resolve
from motionrft.reporting.family import effect
from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import VARIED, labelled_row, make_run


def test_a_variant_is_set_against_its_method(tmp_path):
    folder = make_run(tmp_path, methods=("easytune", "draft-10"))
    for stage in ("evaluate", "finetune"):
        shutil.copytree(folder / stage / "mdm/draft-10", folder / stage / "mdm/wide")
    records = Records(folder)
    records.run = resolve(VARIED)
    table = build("ablation", records)
    method, variant = table.rows
    assert method.reference
    assert method.labels == ("mdm", "EasyTune")
    assert not method.cells["Δ FID"].applies
    found = effect(records, "mdm", "wide", "FID", base="easytune")
    cell = labelled_row(table, "mdm", "wide").cells["Δ FID"]
    assert cell.mean == pytest.approx(found.difference)
    assert cell.half == pytest.approx((found.high - found.low) / 2)
    assert cell.verdict == ""
    assert variant.cells["s_per_update"].mean == 0.5


def test_a_run_without_variants_says_so(records):
    table = build("ablation", records)
    assert table.rows == []
    assert "no variants" in table.notes[0]
