"""Tables from finished records: numbers, ranks, gaps with the command that fills them, refusals."""

import csv
import io
import shutil

import pytest
import yaml

from motionrft.configuration import dump
from motionrft.errors import InputError
from motionrft.reporting.metrics import GENERATION
from motionrft.reporting.motions import shown_first
from motionrft.reporting.published import comparable, intervals, paper_order, published, row
from motionrft.reporting.records import Records
from motionrft.reporting.render import beside, to_csv, to_markdown, to_tex
from motionrft.reporting.table import Cell
from motionrft.reporting.tables.all import TABLES, finetuning, generalisation, kit, sota
from motionrft.reporting.tables.cost import compute_overhead, prompts
from motionrft.reporting.tables.reward import (
    authenticity,
    faithfulness,
    preference,
    real_motions,
    retrieval,
    self_refinement,
)
from motionrft.reporting.tables.reward_switches import reward_switches
from motionrft.workflow_plan import TABLES as PLANNED
from tests.reporting.made_run import RUN, make_run


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
    assert not find(table, "mdm", "base").cells["peak_mb"].applies
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
    for entry, made in zip(rows, table.rows, strict=True):
        for metric in table.metrics:
            mean = made.cells[metric.key].mean
            assert entry[f"{metric.key} mean"] == ("" if mean is None else str(mean))
    assert to_markdown(table).count("\n| ") == len(rows) + 2
    tex = to_tex(table)
    assert tex.count(r"\toprule") == tex.count(r"\bottomrule") == 1
    assert all(
        line.count("&") == len(table.label_heads) + len(table.metrics) - 1
        for line in tex.splitlines()
        if line.endswith(r"\\")
    )


def test_methods_stand_in_the_papers_order(tmp_path):
    records = Records(make_run(tmp_path, methods=("easytune", "draft-10")))
    assert RUN["methods"] == ["easytune", "draft-10"]
    order = [entry.labels[1] for entry in finetuning(records).rows]
    assert order == ["Real", "base", "draft-10", "easytune"]
    assert shown_first(records, ["base", "alignprop", "easytune"]) == "easytune"
    assert shown_first(records, ["base"]) is None
    names = ["own", "motionrft", "refl-10", "easytune", "drtune"]
    ordered = paper_order(dict.fromkeys(names))
    assert list(ordered) == ["refl-10", "drtune", "easytune", "own", "motionrft"]


def test_best_and_second_are_marked(tmp_path):
    table = finetuning(Records(make_run(tmp_path, methods=("easytune", "draft-10"))))
    ranks = {entry.labels[1]: table.rank(entry, GENERATION[0]) for entry in table.rows}
    means = {entry.labels[1]: entry.cells[GENERATION[0].key].mean for entry in table.rows}
    rivals = {name: mean for name, mean in means.items() if name != "Real" and mean is not None}
    assert ranks["Real"] is None
    assert ranks[max(rivals, key=rivals.get)] == 1  # the base model too, where it is best
    assert "**" in to_markdown(table)


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
    # each representation's row was scored with an evaluator of its own
    for section, representation in (
        ({"channels": "all but contacts"}, "kinematic"),
        ({"channels": "first 67"}, "joint"),
        ({"network": "spm", "channels": "all but contacts"}, "rotation"),
    ):
        for other in ("kinematic", "joint", "rotation"):
            verdict, why = comparable(
                {**paper, "evaluator": section}, "official", representation=other
            )
            assert verdict is (other == representation), (section, other)
            assert verdict or representation in why


def test_the_workflow_plans_these_tables():
    assert tuple(TABLES) == PLANNED


def test_retrieval_has_both_ways_and_their_mean(records):
    table = retrieval(records)
    row_of = find(table, "kinematic", "MotionReward")
    assert row_of.cells["t2m R@1"].mean == 44.0
    assert row_of.cells["average"].mean == pytest.approx((44 + 48 + 52 + 60 + 80) / 5)
    assert row_of.cells["t2m R@1"].half == pytest.approx(196 * (46 / 104 * 58 / 104 / 104) ** 0.5)
    assert row_of.cells["average"].paper == 86.92
    assert find(table, "kinematic", "untrained reward").reference


def test_self_refinement_is_a_gain_over_before(records):
    table = self_refinement(records)
    assert find(table, "joint", "before").cells["m2t R@3"].mean == 51.0
    assert find(table, "joint", "after").cells["m2t R@3"].gain == pytest.approx(400 / 51)


def test_preference_and_authenticity_are_percentages_with_their_labels(records):
    judged = preference(records)
    assert find(judged, "rotation", "all", "MotionReward").cells["accuracy"].mean == pytest.approx(
        77
    )
    assert find(judged, "all", "jitter", "MotionReward").cells["f1"].mean == pytest.approx(80)
    assert "Labels of the judged motions: made, not human." in judged.notes
    detected = authenticity(records)
    assert find(detected, "held out", "joint", "MotionReward").cells["auroc"].mean == 0.85
    assert find(detected, "held out", "joint", "MotionReward").cells["accuracy"].paper is None


def test_no_held_out_generator_is_said_not_left_open(tmp_path):
    records = Records(make_run(tmp_path))
    records.reward = records.reward[records.reward["setting"].ne("held_out")]
    table = authenticity(records)
    assert {entry.labels[0] for entry in table.rows} == {"seen in training"}
    assert any("No generator was held out" in note for note in table.notes)


def test_faithfulness_tells_blind_from_constant(records):
    table = faithfulness(records)
    assert find(table, "kinematic", "jitter").cells["semantic|grade"].absent == "constant"
    assert -1 <= find(table, "joint", "jitter").cells["total|grade"].mean <= 0.2


def test_recorded_motions_are_a_level_to_read_against(records):
    table = real_motions(records)
    own, other = (
        find(table, "joint", "MotionReward", f"{whose} caption").cells["semantic"].mean
        for whose in ("own", "another")
    )
    assert own == 0.8
    assert other == 0.4
    assert find(table, "joint", "untrained reward", "own caption").reference
    assert not table.missing()


def test_a_switch_stands_beside_the_sound_stage(records):
    table = reward_switches(records)
    labels = ("leaking_mask", "authenticity", "AUROC")
    found = find(table, *labels, "as released").cells
    assert [found[key].mean for key in ("sound", "official")] == [pytest.approx(85), 100]
    assert found["difference"].mean == pytest.approx(15)
    assert find(table, *labels, "as used in fine-tuning").cells["difference"].mean == pytest.approx(
        -25
    )
    given_away = find(table, "leaking_mask", "authenticity", "AUROC length only", "as released")
    assert given_away.cells["sound"].mean == 50
    assert given_away.cells["official"].mean == 100
    missing = {entry.labels[:2] for entry in table.missing()}
    assert ("padded_pairs", "preference") in missing
    assert ("leaking_mask", "authenticity") not in missing
    [command] = {entry.command for entry in table.missing()}
    assert command.startswith("snakemake --cores all --configfile config/made.yaml table_reward_s")
    assert "--config 'analyse={switches: [noise, reconstruction, alignment," in command
    assert "leaking_mask" not in command


def test_cost_until_quarters_of_the_way(records):
    table = compute_overhead(records)
    tuned = find(table, "mdm", "easytune")
    # validated every 12 updates of 0.5 s and 2 GFLOPs, from 0.3 to 0.54
    assert [tuned.cells[f"wall_s {i}"].mean for i in range(4)] == [12.0, 18.0, 24.0, 30.0]
    assert tuned.cells["flops 3"].mean == pytest.approx(120.0)
    assert find(table, "mdm", "draft-10") in table.missing()


def test_a_level_one_seed_never_reached_is_not_averaged_over(tmp_path):
    records = Records(make_run(tmp_path))
    low = records.finetuning["seed"].eq(1) & records.finetuning["name"].eq("val/reward")
    records.finetuning.loc[low, "value"] *= 0.8
    cells = find(compute_overhead(records), "mdm", "easytune").cells
    assert cells["wall_s 3"].absent == "not reached"
    assert cells["wall_s 3"].mean is None


def test_prompts_are_paired(records):
    cells = find(prompts(records), "mdm", "easytune").cells
    frame = records.prompts.query("backbone == 'mdm'")
    means = frame.groupby(["method", "clip"])["matching"].mean().unstack("method")
    nearer = means["base"] - means["easytune"]
    assert cells["matching"].mean == pytest.approx(-nearer.mean())
    assert cells["matching"].better is True
    assert cells["effect"].mean == pytest.approx(nearer.mean() / nearer.std(ddof=1))
    assert cells["wins"].mean == pytest.approx(100 * (nearer > 0).mean())
    assert cells["top1"].better is False


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
    for table in (generalisation(records), sota(records), kit(records)):
        labels = [entry.labels[1].removeprefix("mdm ") for entry in table.rows]
        labels = [label for label in labels if label.startswith("+")]
        assert labels == ["+ EasyTune", "+ Late", "+ bare"], table.name  # draft-10 is a baseline
        assert table.rows[-1].cells["FID"].mean == table.rows[-2].cells["FID"].mean is not None
    # as the paper's pairs are, base and new method are one where the run has none of the paper's
    assert shown_first(records, ["base", "draft-10", "late"]) == "late"


def test_another_corpus_has_its_own_command(records):
    table = kit(records)
    assert len(table.missing()) == len(table.rows)
    assert table.rows[0].command.endswith("--configfile config/kit.yaml table_kit")


def test_beside_the_paper_only_where_comparable():
    cell = Cell(0.590, 0.004, paper=0.581, paper_half=0.003)
    assert cell.within is False
    assert beside(cell, GENERATION[0], True) == "paper 0.581±0.003, difference +0.009, outside"
    assert beside(cell, GENERATION[0], False) == "paper 0.581±0.003"
    assert Cell(0.583, 0.004, paper=0.581, paper_half=0.003).within is True
    assert Cell(0.583, paper=0.581).within is None


def test_published_intervals_only_beside_the_very_same_value():
    found = intervals(row("finetune_h3d", method="EasyTune (step opt.)"))
    assert (found["R1_ci"], found["FID_ci"]) == (0.003, 0.005)
    assert "R1_ci" not in intervals(row("generalize_h3d", group="MLD", method="+ MotionRFT"))
