"""What is kept of a run says what the run says."""

import csv
import io
import json

import pytest

from motionrft.cli import main
from motionrft.configuration import dump
from motionrft.configuration.files import read_yaml
from motionrft.files import read_table, write_json, write_table
from motionrft.reporting import tables
from motionrft.reporting.claims import CLAIMS, rivals
from motionrft.reporting.records import Records
from motionrft.reporting.render import to_csv
from motionrft.reporting.results_page import page_text
from motionrft.reporting.stored import (
    StoredRecords,
    kept_tables,
    store,
    without_paths,
    without_paths_in,
)
from tests.reporting.made_run import labelled_row, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("run"), methods=("easytune", "draft-10"))
    for path in folder.glob("finetune/*/draft-10/seed*/cost.json"):
        write_json(path, json.loads(path.read_text()) | {"extra_mb": 40.0})
    return Records(folder)


@pytest.fixture(scope="module")
def kept(run, tmp_path_factory):
    return store(run, tmp_path_factory.mktemp("kept"))


def cells(table):
    """Every cell by its place, numbers as numbers."""
    rows = enumerate(csv.reader(io.StringIO(to_csv(table))))
    return {(r, c): _number(cell) for r, row in rows for c, cell in enumerate(row)}


def _number(cell):
    try:
        return float(cell)
    except ValueError:
        return cell


def numbers_of(table):
    return {place: cell for place, cell in cells(table).items() if isinstance(cell, float)}


def test_the_tables_of_a_run_come_out_of_what_is_kept(run, kept):
    made = kept_tables(kept)
    assert {
        "claims",
        "finetuning",
        "at_reward",
        "equal_cost",
        "generalisation",
        "prompts",
        "power",
    } <= set(made)
    for name, table in made.items():
        whole = tables.build(name, run)
        missing = whole.missing()
        whole.rows = [row for row in whole.rows if row not in missing]
        found, expected = numbers_of(table), numbers_of(whole)
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-5), name
        texts = {place: cell for place, cell in cells(whole).items() if place not in expected}
        assert {place: cell for place, cell in cells(table).items() if place not in found} == texts


def test_names_of_clips_of_a_folder_of_ones_own_are_not_kept(run, kept, tmp_path):
    mine = Records(run.folder)
    mine.__dict__["run"] = run.run | {"corpus": run.run["corpus"] | {"kind": "bvh"}}
    stored = store(mine, tmp_path)
    names = set(run.prompts["clip"])
    assert set(stored.prompts["clip"]) == {str(place) for place in range(len(names))}
    assert not names & set(stored.prompts["clip"])
    anonymous = kept_tables(stored)
    for name, table in kept_tables(kept).items():  # sums in another order: rounding
        assert numbers_of(anonymous[name]) == pytest.approx(numbers_of(table), rel=1e-6), name


def test_written_tables_are_those(kept):
    for name, table in kept_tables(StoredRecords(kept.folder)).items():
        assert (kept.folder / "tables" / f"{name}.csv").read_text() == to_csv(table)


def test_figures_are_kept_as_small_pictures(kept):
    pictures = list((kept.folder / "figures").iterdir())
    assert {path.suffix for path in pictures} == {".png"}
    assert any(path.stem.startswith("validation_curves") for path in pictures)
    assert max(path.stat().st_size for path in pictures) < 300_000


def test_claims_are_counted(run):
    table = tables.build("claims", run)
    raises = labelled_row(
        table, "EasyTune raises R@1 over its base model", "MotionRFT, tables V and VI"
    )
    assert (raises.cells["cases"].mean, raises.cells["holds"].mean) == (1, 1)
    [memory] = [row for row in table.rows if "memory" in row.labels[0]]
    assert memory.cells["holds"].mean == 1
    [faster] = [row for row in table.rows if "fewer seconds" in row.labels[0]]
    assert faster.cells["open"].mean == 1  # the two spend the same
    assert any("easytune" not in note and "4.0 against 40.0 MiB" in note for note in table.notes)


def test_a_cost_needs_three_seeds_that_agree(tmp_path):
    records = Records(make_run(tmp_path, methods=("easytune", "draft-10")))
    slow = records.finetuning["method"].eq("draft-10") & records.finetuning["name"].eq("seconds")
    records.finetuning.loc[slow, "value"] *= 2
    [claim] = [claim for claim in CLAIMS if "fewer seconds" in claim.statement]
    [outcome] = claim.outcomes(records)
    assert (outcome.word, outcome.against) == ("holds", "draft-10")
    assert "18.0 against 36.0 s, faster on 3 of 3 seeds" in outcome.told
    fewer = Records(records.folder)
    fewer.__dict__["finetuning"] = records.finetuning.query("seed < 2")
    [outcome] = claim.outcomes(fewer)
    assert outcome.word == "open"


def test_costs_are_claimed_against_other_ways_of_walking_the_reward_back(tmp_path):
    records = Records(make_run(tmp_path))
    given = records.run["methods"]
    assert "draft-10" in rivals(records)
    for family in ("pretraining", "ddpo", "best_of_n", "easytune"):
        given["draft-10"] = {**given["draft-10"], "family": family}
        assert "draft-10" not in rivals(records)


def test_the_page_counts_over_runs_and_names_neither_host_nor_paths(kept):
    text = page_text([kept, kept])
    assert (
        "| EasyTune raises R@1 over its base model | MotionRFT, tables V and VI | 2 | 2 | 0 | 0 |"
        in text
    )
    assert "easytune on mdm: R@1 +0.0" in text
    assert "host" not in kept.about
    assert str(kept.folder.parent) not in text


def test_code_that_scored_again_is_named_beside_the_code_that_fine_tuned(tmp_path):
    folder = make_run(tmp_path)
    path = next(folder.glob("evaluate/*/easytune/seed0/replications.parquet"))
    frame, about = read_table(path)
    later = {"code": "0.3.0", "device": "cpu", "finished": "2026-02-01T00:00:00Z"}
    write_table(path, frame, about | {"provenance": later})
    kept = store(Records(folder), tmp_path / "kept")
    assert kept.about["code"] == ["0.1.0", "0.3.0"]
    assert kept.about["finished"] == later["finished"]
    assert [machine["device"] for machine in kept.about["machine"]] == ["cpu"]


def test_paths_are_named_by_their_last_part():
    assert without_paths({"dir": "/data/of mine/CMU", "steps": 3}) == {"dir": "…/CMU", "steps": 3}
    assert without_paths("mocap_dir=/a/b") == "mocap_dir=…/b"
    assert without_paths(["R@1 / FID", "a/b"]) == ["R@1 / FID", "a/b"]
    nested = "snakemake --config 'text={m: {source: /x/y/m, n: 3}}' 'mocap_dirs=[/a/of mine, /c/d]' seeds=[0,1]"
    assert without_paths_in(nested) == (
        "snakemake --config text={m: {source: …/m, n: 3}} mocap_dirs=[…/of mine, …/d] seeds=[0,1]"
    )


def test_nothing_of_an_earlier_run_of_the_name_stays(run, tmp_path):
    before = tmp_path / "tables/of_before.csv", tmp_path / "figures/of_before.png"
    for path in before:
        path.parent.mkdir()
        path.touch()
    kept = store(run, tmp_path)
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == set(kept_tables(kept))
    assert not any(path.exists() for path in before)


def test_the_command(run, tmp_path, capsys):
    assert main(["publish", "--results", str(run.folder), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "made" / "about.json").exists()
    assert "A shortened report" in (tmp_path / "made" / "report.html").read_text()
    assert "[Its report](made/report.html)" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "README.md").read_text() == page_text([StoredRecords(tmp_path / "made")])
    assert main(["publish", "--results", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    assert "nothing has been evaluated yet" in capsys.readouterr().err


def test_a_run_whose_base_is_not_beside_it_is_not_half_kept(tmp_path, capsys):
    folder = make_run(tmp_path / "runs")
    config = read_yaml(folder / "config.yaml")
    (folder / "config.yaml").write_text(dump(config | {"base": "gone"}))
    out = tmp_path / "kept"
    assert main(["publish", "--results", str(folder), "--out", str(out)]) == 2
    assert "gone is no finished run" in capsys.readouterr().err
    assert not out.exists()
