"""Two cells and two runs against each other: paired, and refused where the pairs are none."""

import pandas as pd
import pytest

from motionrft.cli import main
from motionrft.configuration import dump, load_run
from motionrft.errors import InputError
from motionrft.files import read_table, write_table
from motionrft.reporting.differences import cells_at, configurations, differences, matched
from tests.reporting.made_run import make_run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def rows_of(first, second):
    """By metric."""
    a, b = cells_at(first), cells_at(second)
    return differences(matched(a, b)).set_index("metric"), configurations(a, b).set_index("key")


def test_two_cells(run):
    """Base 0, method 1 on three seeds, each with the base's replications and a jitter of its own."""
    table, settings = rows_of(run / "evaluate/mdm/base", run / "evaluate/mdm/easytune")
    fid, matching = table.loc["FID"], table.loc["MM-Dist by prompt"]
    assert (fid["pairs"], fid["unit"]) == (3, "seeds")
    assert fid["low"] < fid["difference"] < fid["high"]
    assert fid["difference"] == pytest.approx(fid["b"] - fid["a"])
    assert fid["difference"] == pytest.approx(-0.5, abs=0.05)
    assert fid["better"] == "b"
    assert (matching["pairs"], matching["unit"]) == (40, "prompts of 3 seeds")
    assert matching["difference"] == pytest.approx(-0.3, abs=0.1)
    assert table.loc["Diversity", "better"] == ""  # no way is better
    assert pd.isna(table.loc["Diversity", "p"])
    assert settings.loc["method.family", "b"] == "easytune"
    assert not any(key.startswith("backbone.") for key in settings.index)


def test_the_order_turns_the_sign(run):
    base, tuned = run / "evaluate/mdm/base", run / "finetune/mdm/easytune/seed1"
    there, back = rows_of(base, tuned)[0], rows_of(tuned, base)[0]
    assert there.loc["FID", "difference"] == pytest.approx(-back.loc["FID", "difference"])
    assert there.loc["FID", "unit"] == "replications"
    assert {there.loc["FID", "better"], back.loc["FID", "better"]} == {"a", "b"}


def test_a_run_against_itself_differs_in_nothing(run, capsys):
    assert main(["compare", str(run), str(run)]) == 0
    text = capsys.readouterr().out
    assert "no setting differs" in text
    assert "is better" not in text
    assert "easytune" in text


def test_two_runs_say_what_they_do_not_share(run, tmp_path, capsys):
    other = make_run(tmp_path / "other", methods=("easytune", "draft-10"))
    changed = load_run(other / "config.yaml")
    changed["finetune"]["lr"] = 3e-4
    (other / "config.yaml").write_text(dump(changed))
    table = tmp_path / "differences.csv"
    assert main(["compare", str(run), str(other), "--csv", str(table)]) == 0
    text = capsys.readouterr().out
    assert f"only in one: {other} mdm draft-10" in text
    assert "finetune.lr: " in text
    assert "| 0.0003" in text
    assert "FID" in text
    assert "Diversity" not in text  # no way is better: in the table alone
    assert "Diversity" in set(pd.read_csv(table)["metric"])
    shared = {"mdm base", "mdm easytune", "mdm best-of-4", "real base"}
    assert set(pd.read_csv(table)["cell"]) == shared


@pytest.mark.parametrize(
    "fact", ["evaluator_digest", "evaluator_precision", "corpus_digest", "settings"]
)
def test_scores_of_other_evaluators_are_no_pairs(run, fact, capsys):
    path = run / "evaluate/mdm/easytune/seed2/replications.parquet"
    frame, about = read_table(path)
    about[fact] = {"group": 7} if fact == "settings" else "another"
    write_table(path, frame, about)
    base, tuned = run / "evaluate/mdm/base", run / "evaluate/mdm/easytune"
    assert main(["compare", str(base), str(tuned)]) == 2
    error = capsys.readouterr().err
    assert ("evaluate.group" if fact == "settings" else fact) in error
    assert "no pairs" in error


def test_what_is_no_cell_is_named(run, tmp_path):
    for path in (tmp_path, run / "evaluate/mdm/easytune/seed9", run / "figures"):
        with pytest.raises(InputError, match="no evaluation"):
            cells_at(path)
