"""The gain in a cell is over the base models that the row's seeds fine-tuned."""

import numpy as np
import pytest

from motionrft.configuration import dump
from motionrft.configuration.files import read_yaml
from motionrft.reporting.cells import base_values, score_cell
from motionrft.reporting.columns import GENERATION
from motionrft.reporting.family import effect
from motionrft.reporting.page.summary import sentence
from motionrft.reporting.records import Records
from tests.reporting.made_run import evaluate, make_run

FID = next(column for column in GENERATION if column.key == "FID")


@pytest.mark.parametrize("bases", ["own", "shared"])
def test_seeds_that_only_the_base_row_has_do_not_count(tmp_path, bases):
    folder = make_run(tmp_path)
    config = read_yaml(folder / "config.yaml")
    (folder / "config.yaml").write_text(dump(config | {"bases": bases}))
    rng = np.random.default_rng(1)
    if bases == "own":
        for seed, shift in ((1, 0.01), (2, 0.02), (3, 5.0)):
            noise = rng.normal(shift, 0.01, 8)
            evaluate(folder / f"evaluate/mdm/base/seed{seed}", noise, 0, "aaaa", "base")
    records = Records(folder)
    values = records.evaluations.query("backbone == 'mdm' and metric == 'FID'")
    base = values.query("method == 'base' and seed < 3")["value"].mean()
    after = values.query("method == 'easytune'")["value"].mean()
    assert base_values(records, "mdm", "easytune", "FID")["value"].mean() == pytest.approx(base)
    cell = score_cell(records, "mdm", "easytune", FID, {})
    assert cell.gain == pytest.approx(100 * (base - after) / base)
    assert cell.gain_low < cell.gain < cell.gain_high
    assert f"({base:.3f} → " in sentence(
        records, "mdm", "easytune", FID, effect(records, "mdm", "easytune", "FID")
    )
