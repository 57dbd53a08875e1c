"""Tables from finished records: numbers, ranks, gaps with the command that fills them, refusals."""

import csv
import io

import pytest

from motionrft.errors import InputError
from motionrft.reporting.build import TABLES, finetuning
from motionrft.reporting.metrics import GENERATION
from motionrft.reporting.published import comparable, published, row
from motionrft.reporting.records import Records
from motionrft.reporting.render import to_csv, to_markdown, to_tex
from tests.reporting.made_run import LEVEL, make_run


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return Records(make_run(tmp_path_factory.mktemp("run")))


def find(table, *labels):
    return next(entry for entry in table.rows if entry.labels == labels)


def test_numbers_gains_and_verdicts(records):
    table = finetuning(records)
    tuned = find(table, "mdm", "easytune")
    cell = tuned.cells["R-Precision Top-1"]
    assert cell.mean == pytest.approx(0.36, abs=0.01)
    assert cell.gain == pytest.approx(100 * 0.06 / 0.30, rel=0.1)
    assert cell.better is True
    assert cell.count == 3
    assert tuned.cells["FID"].gain == pytest.approx(
        25, rel=0.05
    )  # smaller is better, so a fall is a gain
    assert tuned.cells["peak_mb"].mean == 12.5
    diversity = tuned.cells["Diversity"]
    assert diversity.better is None
    assert diversity.gain == pytest.approx(-0.1, abs=0.02)  # |value - Real| shrank by 0.1
    base = find(table, "mdm", "base")
    assert base.cells["R-Precision Top-1"].gain is None


def test_a_gap_is_marked_with_its_command(records):
    table = finetuning(records)
    missing = find(table, "mdm", "draft-10")
    assert not any(cell.filled for cell in missing.cells.values())
    text = to_markdown(table)
    assert "not run" in text
    assert "snakemake --cores all --configfile config/made.yaml" in text
    assert "evaluate/mdm/draft-10/seed2/replications.parquet" in text


@pytest.mark.parametrize("name", TABLES)
def test_three_formats(records, name):
    table = TABLES[name](records)
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert len(rows) == len(table.rows)
    tuned = next(entry for entry in rows if "EasyTune" in str(entry) or "easytune" in str(entry))
    assert float(tuned["FID mean"]) == pytest.approx(LEVEL["FID"][1], abs=0.02)
    tex = to_tex(table)
    assert tex.count(r"\toprule") == tex.count(r"\bottomrule") == 1
    assert all(
        line.count("&") == len(table.label_heads) + len(table.metrics) - 1
        for line in tex.splitlines()
        if line.endswith(r"\\")
    )


def test_best_and_second_are_marked(tmp_path):
    table = finetuning(Records(make_run(tmp_path, methods=("easytune", "draft-10"))))
    ranks = {entry.labels[1]: table.rank(entry, GENERATION[0]) for entry in table.rows}
    assert ranks["base"] is None
    assert {ranks["easytune"], ranks["draft-10"]} <= {None, 1, 2}
    assert "**" in to_markdown(table) or ranks["easytune"] is None


def test_corpora_are_never_mixed(tmp_path):
    folder = make_run(tmp_path)
    other = make_run(tmp_path / "other", corpus="cccc")
    target = folder / "evaluate/mdm/easytune/seed0/replications.parquet"
    target.write_bytes((other / "evaluate/mdm/easytune/seed0/replications.parquet").read_bytes())
    with pytest.raises(InputError, match="corpus_digest differs"):
        _ = Records(folder).evaluations


def test_published_numbers_say_where_they_come_from(records):
    assert row("finetune_h3d", method="EasyTune (step opt.)")["R1"] == 0.581
    assert row("generalize_h3d", group="MDM-50step", method="Base")["FID"] == 0.489
    assert row("sota_h3d", group="joint", method="ACMDM (base)")["FID"] == 0.109
    assert row("sota_h3d", group="joint", method="nobody") == {}
    assert all(table["source"] for table in published().values())
    verdict, why = comparable(records.run, "self-trained")
    assert verdict is False
    assert "toy" in why
    paper = {"corpus": {"kind": "humanml3d"}, "size": "paper"}
    assert comparable(paper, "official")[0] is True
    assert comparable(paper, "self-trained")[0] is False
