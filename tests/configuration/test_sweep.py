"""`sweep`: methods once for each value, as cells."""

from types import SimpleNamespace

import pytest

from motionrft.configuration import dump, load_run, resolve
from motionrft.configuration.sweep import shown
from motionrft.errors import InputError
from motionrft.finetune.cells import check_cells
from motionrft.finetune.settings import cell_settings
from motionrft.reporting.published import paper_order
from motionrft.workflow_plan import Plan

RATES = {"finetune.lr": [1e-5, "3e-5"]}


def run(**changes):
    chosen = {"backbones": ["mdm"], "methods": ["easytune", "draft-10"], "seeds": [0, 1]}
    return resolve({"name": "t", "corpus": {"kind": "toy"}, **chosen, **changes})


def test_every_method_is_a_cell_a_value():
    swept = run(sweep=RATES)
    names = ["easytune-lr1e-5", "easytune-lr3e-5", "draft-10-lr1e-5", "draft-10-lr3e-5"]
    assert list(swept["methods"]) == [cell["method"] for cell in swept["matrix"]] == names
    assert all(cell["seeds"] == [0, 1] for cell in swept["matrix"])
    entry = swept["methods"]["easytune-lr3e-5"]
    assert (entry["label"], entry["sweep_of"]) == ("EasyTune, lr 3e-5", "easytune")
    rates = [cell_settings(swept, "mdm", name).optimisation.lr for name in names]
    assert rates == [1e-5, 3e-5, 1e-5, 3e-5]
    check_cells(swept, "t")
    assert "sweep" not in swept


def test_a_resolved_run_reads_back_the_same(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(dump(run(sweep=RATES)))
    assert load_run(path) == run(sweep=RATES)
    assert load_run(path, ["seeds=[3]"])["seeds"] == [3]


def test_keys_are_crossed_and_lie_deeper():
    swept = run(methods=["easytune"], sweep={"finetune.loss.weight": [0.5, 2], **RATES})
    assert len(swept["methods"]) == 4
    settings = cell_settings(swept, "mdm", "easytune-loss.weight0.5-lr3e-5")
    assert (settings.loss.weight, settings.optimisation.lr) == (0.5, 3e-5)


def test_a_block_of_the_matrix_that_names_a_method_means_its_variants():
    swept = run(matrix=[{"methods": ["draft-10"], "seeds": [4]}], sweep=RATES)
    cells = [(cell["method"], cell["seeds"]) for cell in swept["matrix"]]
    assert cells == [("draft-10-lr1e-5", [4]), ("draft-10-lr3e-5", [4])]


def test_settings_of_a_cell_hold_for_its_variants_under_the_swept_value():
    cells = {"mdm/easytune": {"batch_size": 4, "lr": 0.5}}
    swept = run(sweep=RATES, override={"cells": cells})
    settings = cell_settings(swept, "mdm", "easytune-lr3e-5")
    assert (settings.batch_size, settings.optimisation.lr) == (4, 3e-5)
    assert cell_settings(swept, "mdm", "draft-10-lr3e-5").batch_size != 4


def test_a_method_that_trains_nothing_has_no_variants():
    swept = run(methods=["easytune", "best-of-4"], sweep=RATES)
    assert list(swept["methods"]) == ["easytune-lr1e-5", "easytune-lr3e-5", "best-of-4"]


def test_declared_comparisons_are_of_the_variants():
    compared = run(sweep=RATES, compare={"methods": ["easytune"]})["compare"]["methods"]
    assert compared == ["easytune-lr1e-5", "easytune-lr3e-5"]


def test_rates_are_tuned_or_swept():
    with pytest.raises(InputError, match="leave out one of tune and this sweep"):
        run(sweep=RATES, tune={"rates": [1e-5, 1e-4]})


def test_what_resources_say_of_a_method_holds_for_its_variants():
    row = {"methods": {"draft-10": {"mem_mb": 7700}}, "cells": {"mdm/easytune": {"mem_mb": 8800}}}
    plan = Plan(run(sweep=RATES, resources={"finetune": row}))

    def asked(method):
        wildcards = {"backbone": "mdm", "method": method}
        return plan.asked("finetune", "mem_mb", wildcards)

    assert asked("draft-10-lr1e-5") == 7700
    assert asked("easytune-lr3e-5") == 8800


def test_variants_stand_in_their_methods_place_and_share_no_digest():
    swept = run(sweep=RATES)
    ordered = list(paper_order(swept["methods"]))
    assert ordered == ["draft-10-lr1e-5", "draft-10-lr3e-5", "easytune-lr1e-5", "easytune-lr3e-5"]
    plan = Plan(swept)
    cells = [SimpleNamespace(backbone="mdm", method=name, seed=0) for name in ordered]
    assert len({plan.finetuning_settings(cell) for cell in cells}) == 4


@pytest.mark.parametrize(
    ("value", "said"),
    [(1e-5, "1e-5"), (3.0e-5, "3e-5"), (1e-4, "1e-4"), (-1.2e-4, "-1.2e-4"), (0.002, "0.002"), (0.0, "0"), (1e20, "1e20"), (0.5, "0.5"), (10, "10"), (True, "true"), ("lora", "lora")],
)  # fmt: skip
def test_values_as_names(value, said):
    assert shown(value) == said


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"finetune.lr": [1e-5, 0.00001]}, r"sweep.finetune.lr: 1e-5 stands twice"),
        ({"finetune.learning_rate": [1]}, "learning_rate"),
        ({"finetune.lr": ["fast"]}, "lr.*learning rate"),
        ({"finetune.lr": []}, "sweep"),
        ({"lr": [1]}, "sweep"),
    ],
)
def test_bad_sweeps(sweep, message):
    with pytest.raises(InputError, match=message):
        run(sweep=sweep)
