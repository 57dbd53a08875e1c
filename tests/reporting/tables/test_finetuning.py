"""Numbers, gains and verdicts; gaps with the command that fills them; the paper's order."""

import shutil

import pytest

from motionrft.reporting.motions import method_beside_base
from motionrft.reporting.published import paper_order
from motionrft.reporting.records import Records
from motionrft.reporting.render import to_markdown
from motionrft.reporting.tables import build
from tests.reporting.made_run import RUN, labelled_row, make_run


def test_numbers_gains_and_verdicts(records):
    table = build("finetuning", records)
    tuned = labelled_row(table, "mdm", "easytune")
    cell = tuned.cells["R-Precision Top-1"]
    assert cell.mean == pytest.approx(0.36, abs=0.01)
    assert cell.gain == pytest.approx(100 * 0.06 / 0.30, rel=0.1)
    assert cell.better is True
    assert cell.gain_low < cell.gain < cell.gain_high
    assert cell.count == 3
    third = tuned.cells["R-Precision Top-3"]
    assert third.p < 0.05
    assert third.better is None  # the run does not declare it
    assert tuned.cells["FID"].gain == pytest.approx(
        25, rel=0.05
    )  # smaller is better, so a fall is a gain
    assert tuned.cells["peak_mb"].mean == 12.5
    for name in ("base", "best-of-4"):  # nothing is trained: no gap that a run could fill
        assert not labelled_row(table, "mdm", name).cells["peak_mb"].applies
    diversity = tuned.cells["Diversity"]
    assert diversity.better is None
    assert diversity.gain == pytest.approx(-0.1, abs=0.02)  # |value - Real| shrank by 0.1
    base = labelled_row(table, "mdm", "base")
    assert base.cells["R-Precision Top-1"].gain is None


def test_memory_says_of_which_form_it_is(records):
    notes = build("finetuning", records).notes
    cell = "Memory of mdm, easytune: exact form, 2 slices of the batch"
    assert f"{cell}." in notes
    assert f"{cell} (picked; plain would have needed 73.0 GiB)." in notes


def test_methods_that_end_with_the_base_models_weights_are_named(tmp_path):
    folder = make_run(tmp_path)
    note = "mdm: no weights of easytune were better on the validation split than the base model's"
    table = build("finetuning", Records(folder))
    assert not [line for line in table.notes if line.startswith(note)]
    for path in (folder / "evaluate/mdm/easytune").rglob("*.parquet"):
        shutil.copy(folder / "evaluate/mdm/base/seed0" / path.name, path)
    table = build("finetuning", Records(folder))
    [line] = [line for line in table.notes if line.startswith(note)]
    assert "draft-10" not in line
    assert "(+0.0% [+0.0, +0.0])" in to_markdown(table)
    assert "-0.0" not in to_markdown(table)


def test_a_gap_is_marked_with_its_command(records):
    table = build("finetuning", records)
    missing = labelled_row(table, "mdm", "draft-10")
    assert not any(cell.filled for cell in missing.cells.values())
    text = to_markdown(table)
    assert "not run" in text
    assert "snakemake --cores all --configfile config/made.yaml" in text
    assert "evaluate/mdm/draft-10/seed2/replications.parquet" in text


def test_methods_stand_in_the_papers_order(tmp_path):
    records = Records(make_run(tmp_path, methods=("easytune", "draft-10")))
    assert RUN["methods"] == ["easytune", "draft-10", "best-of-4"]
    order = [entry.labels[1] for entry in build("finetuning", records).rows]
    assert order == ["Real", "base", "draft-10", "easytune", "best-of-4"]
    assert method_beside_base(records, ["base", "alignprop", "easytune"]) == "easytune"
    assert method_beside_base(records, ["base"]) is None
    names = ["own", "motionrft", "refl-10", "easytune", "drtune"]
    ordered = paper_order({name: {} for name in names})
    assert list(ordered) == ["refl-10", "drtune", "easytune", "own", "motionrft"]
