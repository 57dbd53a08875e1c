"""Which method goes with which sampler, said when a run is planned."""

import pytest

from motionrft.configuration import available, part, resolve
from motionrft.errors import InputError
from motionrft.finetune.cells import check_cells, unread

RIVALS = [name for name in available("methods") if part("methods", name, "").get("by_name")]


def run_of(backbone, method, **changes):
    return resolve(
        {
            "name": "t",
            "corpus": {"kind": "toy"},
            "backbones": [backbone],
            "methods": [method],
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("backbone", "method", "what"),
    [
        ("mld", "ddpo", "needs a sampler ddpm or lcm, and this backbone has ddim.*flow-grpo"),
        ("acmdm", "ddpo", "has flow"),
        ("motionlcm-1step", "ddpo", "2 denoising steps or more, and this backbone has 1"),
        ("mdm", "flow-grpo", "has ddpm.*use ddpo"),
        ("motionlcm-4step", "dpo", "consistency"),
        ("motionlcm-4step", "sopo", "consistency"),
    ],
)
def test_a_cell_that_has_no_meaning_says_why(backbone, method, what):
    with pytest.raises(InputError, match=what):
        check_cells(run_of(backbone, method), "run.yaml")


@pytest.mark.parametrize(
    ("backbone", "method"),
    [
        ("mdm", "ddpo"),
        ("motionlcm-4step", "ddpo"),
        ("mld", "flow-grpo"),
        ("acmdm", "flow-grpo"),
        ("hymotion", "dpo"),
        ("motionlcm-1step", "best-of-64"),
    ],
)
def test_cells_that_have_one(backbone, method):
    check_cells(run_of(backbone, method), "run.yaml")


def test_a_batch_holds_whole_groups():
    changes = {"finetune": {"batch_size": 4}}
    check_cells(run_of("mdm", "dpo", **changes), "run.yaml")
    with pytest.raises(InputError, match="batch of 4 in 1 slices holds no whole groups of 8"):
        check_cells(run_of("mdm", "ddpo", **changes), "run.yaml")


def test_an_adaptive_solver_cannot_be_steered():
    changes = {"override": {"backbones": {"acmdm": {"sampler": {"solver": "dopri5"}}}}}
    check_cells(run_of("acmdm", "best-of-4", **changes), "run.yaml")
    with pytest.raises(InputError, match="needs the solver euler or heun"):
        check_cells(run_of("acmdm", "reward-guidance", **changes), "run.yaml")


def test_rivals_take_part_where_they_are_named():
    assert "best-of-4" in RIVALS
    everything = run_of("mdm", "easytune", methods="all")["methods"]
    assert not set(RIVALS) & set(everything)
    assert set(everything) | set(RIVALS) == set(available("methods"))


def test_what_trains_nothing_has_one_cell():
    [cell] = run_of("mdm", "best-of-4", seeds=[4, 5])["matrix"]
    assert cell["seeds"] == [4]


def test_what_a_command_line_says_and_a_cell_does_not_read_is_told():
    override = {
        "backbones": {"mld": {"finetune": {"lr": 2e-4, "lora": {"rank": 4}}}},
        "methods": {"draft-10": {"lr": 3e-4}},
        "cells": {"mld/draft-10": {"clip": 0.5}},
    }
    run = run_of("mld", "easytune", methods=["easytune", "draft-10"], override=override)
    cells = [("mld", "easytune"), ("mld", "draft-10")]
    place = "override.backbones.mld.finetune"
    assert unread(run, {"lr": 1e-4}, cells) == [
        f"finetune.lr: 0.0001 does not reach every model: {place}.lr is 0.0002; override.methods.draft-10.lr is 0.0003"
    ]
    [line] = unread(run, {"clip": 0.1, "updates": 7}, cells)
    assert line.endswith("model: override.cells.mld/draft-10.clip is 0.5")
    assert unread(run, {"lr": 2e-4, "lora": {"alpha": 8.0}}, cells[:1]) != []
    assert unread(run, {"lr": 2e-4, "lora": {"rank": 4}}, cells[:1]) == []
    assert unread(run, {"clip": 0.1}, cells[:1]) == []
