"""Tables of backbones take any method."""

import shutil

import yaml

from motionrft.configuration import dump
from motionrft.reporting.motions import method_beside_base
from motionrft.reporting.records import Records
from motionrft.reporting.tables import build
from tests.reporting.made_run import make_run


def test_a_new_method_stands_in_every_table_of_backbones(tmp_path):
    """No code names it; its label is the configuration's, its file's name where there is none."""
    folder = make_run(tmp_path)
    file = folder / "config.yaml"
    run = yaml.safe_load(file.read_text(encoding="utf-8"))
    run["methods"] |= {"late": {"family": "late", "label": "Late"}, "bare": {"family": "late"}}
    run["corpus"]["kind"] = "kit"
    file.write_text(dump(run), encoding="utf-8")
    for name in ("late", "bare"):
        shutil.copytree(folder / "evaluate/mdm/easytune", folder / f"evaluate/mdm/{name}")
    records = Records(folder)
    for table in (build("generalisation", records), build("sota", records), build("kit", records)):
        labels = [entry.labels[1].removeprefix("mdm ") for entry in table.rows]
        labels = [label for label in labels if label.startswith("+")]
        assert labels == ["+ EasyTune", "+ Late", "+ bare"], table.name  # draft-10 is a baseline
        assert table.rows[-1].cells["FID"].mean == table.rows[-2].cells["FID"].mean is not None
    # as the paper's pairs are, base and new method are one where the run has none of the paper's
    assert method_beside_base(records, ["base", "draft-10", "late"]) == "late"
