"""A run file resolved: sizes, overrides, matrix, teachers, and one clear line for each mistake."""

import pytest
import yaml

from motionrft.cli import main
from motionrft.configuration import apply_set, dump, load_run, resolve, typed
from motionrft.configuration.files import ROOT, available, read_yaml
from motionrft.errors import InputError
from motionrft.finetune.cells import check_cells
from motionrft.finetune.settings import cell_settings
from tests.configuration.runs import toy

RUNS = sorted((ROOT / "config").glob("*.yaml"))
MOCAP = {"mocap_dir": "/somewhere"}
NEEDED = dict.fromkeys(("mocap", "mocap-few", "mocap-full"), MOCAP)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_run_file_resolves_and_reads_back_the_same(path, tmp_path):
    run = resolve(yaml.safe_load(path.read_text()) | NEEDED.get(path.stem, {}), path)
    kept = tmp_path / "config.yaml"
    kept.write_text(dump(run))
    assert load_run(kept) == run
    assert {cell["backbone"] for cell in run["matrix"]} <= set(run["backbones"])
    assert all(entry["text"] in run["text"] for entry in run["backbones"].values())


def test_exponents_without_a_point_are_numbers():
    override = {"backbones": {"mdm": {"pretrain": {"denoiser": {"lr": "5e-4"}}}}}
    run = resolve(toy(override=override))
    assert run["backbones"]["mdm"]["pretrain"]["denoiser"]["lr"] == pytest.approx(5e-4)


def test_a_method_override_wins_over_the_one_for_all_methods():
    override = {"methods": {"all": {"lr": 0.5, "batch_size": 4}, "easytune": {"lr": 0.25}}}
    run = resolve(toy(methods=["easytune", "draft-10"], override=override))
    assert run["methods"]["easytune"]["lr"] == 0.25
    assert run["methods"]["draft-10"]["lr"] == 0.5
    assert run["methods"]["easytune"]["batch_size"] == 4


def test_the_sections_of_a_size_lie_under_the_runs_own():
    run = resolve(toy(reward={"weights": {"m2m": 0.25}}))
    default = resolve(toy())
    assert run["reward"]["weights"]["m2m"] == 0.25
    assert run["reward"]["weights"]["semantic"] == default["reward"]["weights"]["semantic"]


def test_matrix_blocks_are_united_and_no_cell_runs_twice():
    run = resolve(
        toy(
            methods=["easytune", "draft-10"],
            seeds=[0, 1],
            matrix=[{"methods": ["easytune"]}, {"backbones": ["mdm"], "seeds": [1, 5]}],
        )
    )
    assert run["matrix"] == [
        {"backbone": "mdm", "method": "easytune", "seeds": [0, 1, 5]},
        {"backbone": "mdm", "method": "draft-10", "seeds": [1, 5]},
    ]


def test_a_teacher_is_trained_but_not_fine_tuned():
    run = resolve(toy(backbones=["motionlcm-4step"]))
    teacher = run["backbones"]["motionlcm-4step"]["teacher"]
    assert teacher in run["backbones"]
    assert {cell["backbone"] for cell in run["matrix"]} == {"motionlcm-4step"}


def test_command_line_lists_get_their_types_back():
    assert typed({"seeds": ["0", "1"], "x": {"lr": "0.5"}}) == {"seeds": [0, 1], "x": {"lr": 0.5}}


def test_directories_on_the_command_line_belong_to_the_corpus():
    run = resolve(toy(corpus={"kind": "bvh"}, mocap_dir="/a folder/日本"))
    assert run["corpus"]["mocap_dir"] == "/a folder/日本"


def cells(run):
    return {(cell["backbone"], cell["method"]) for cell in run["matrix"]}


def toy_run(**changes):
    """config/toy.yaml as a command line's `--config` changes it."""
    return resolve(read_yaml(ROOT / "config" / "toy.yaml") | changes, "config/toy.yaml")


ALL_BACKBONES = read_yaml(ROOT / "config" / "toy.yaml")["backbones"]


@pytest.mark.parametrize("name", [*ALL_BACKBONES, "mdm-bert"])
def test_any_one_backbone_of_a_run_is_a_run(name):
    run = toy_run(backbones=[name])
    assert (name, "easytune") in cells(run)
    assert {backbone for backbone, _ in cells(run)} == {name}
    authenticity = run["reward"]["stages"]["authenticity"]["data"]
    generators = authenticity["generators"]
    generators = list(run["backbones"]) if generators == "all" else generators
    assert set(generators) <= set(run["backbones"])
    # what is held out never trains, so something else must
    assert set(generators) - set(authenticity["held_out"])


@pytest.mark.parametrize("name", available("methods"))
def test_any_one_method_of_a_run_is_a_run(name):
    run = toy_run(methods=[name])
    assert ("mld", name) in cells(run)
    assert {method for _, method in cells(run)} == {name}


def test_a_selection_in_no_row_of_the_matrix_is_crossed():
    run = toy_run(backbones=["mdm", "acmdm"], methods=["draft-10"], seeds=[3])
    assert run["matrix"] == [
        {"backbone": "mdm", "method": "draft-10", "seeds": [3]},
        {"backbone": "acmdm", "method": "draft-10", "seeds": [3]},
    ]
    assert resolve(toy(matrix=[]))["matrix"] == []  # no fine-tuning, asked for


def test_what_the_matrix_says_of_others_does_not_reach_the_selected():
    run = resolve(
        toy(matrix=[{"methods": ["draft-10"], "seeds": [7]}, {"backbones": ["mld", "mdm"]}])
    )
    assert run["matrix"] == [{"backbone": "mdm", "method": "easytune", "seeds": [0, 1, 2]}]


def test_a_backbones_own_fine_tuning_lies_between_the_runs_and_the_methods():
    override = {
        "backbones": {"mdm": {"finetune": {"batch_size": 4, "lr": 0.25, "tune": "lora"}}},
        "methods": {"draft-10": {"lr": 0.125}},
    }
    run = resolve(
        toy(backbones=["mdm", "mld"], methods=["easytune", "draft-10"], override=override)
    )
    settings = {cell: cell_settings(run, *cell) for cell in cells(run)}
    assert settings["mdm", "easytune"].batch_size == 4
    assert settings["mdm", "easytune"].optimisation.lr == 0.25
    assert settings["mdm", "easytune"].tune == "lora"
    assert settings["mdm", "draft-10"].optimisation.lr == 0.125
    assert settings["mld", "easytune"].batch_size == run["finetune"]["batch_size"] != 4


def test_a_cells_own_fine_tuning_lies_over_everything():
    override = {
        "backbones": {"mdm": {"finetune": {"batch_size": 4, "lr": 0.25}}},
        "methods": {"draft-10": {"batch_size": 8}},
        "cells": {"mdm/draft-10": {"batch_size": 2}, "mld/draft-50": {"batch_size": 1}},
    }
    run = resolve(
        toy(backbones=["mdm", "mld"], methods=["easytune", "draft-10"], override=override)
    )
    sizes = {cell: cell_settings(run, *cell).batch_size for cell in cells(run)}
    common = run["finetune"]["batch_size"]
    assert sizes == {
        ("mdm", "easytune"): 4,
        ("mdm", "draft-10"): 2,
        ("mld", "easytune"): common,
        ("mld", "draft-10"): 8,
    }
    assert cell_settings(run, "mdm", "draft-10").optimisation.lr == 0.25
    assert list(run["cells"]) == ["mdm/draft-10"]  # draft-50 is not chosen


def test_official_batch_sizes_are_those_of_the_backbones():
    run = resolve(toy(size="paper", backbones=["hymotion", "hymotion-lite", "mld"]))
    for name, batch, tune in (
        ("hymotion", 4, "lora"),
        ("hymotion-lite", 4, "lora"),
        ("mld", 256, "full"),
    ):
        settings = cell_settings(run, name, "easytune")
        assert (settings.batch_size, settings.tune) == (batch, tune)
    from motionrft.backbones.lora import LoraSettings

    assert (LoraSettings().rank, LoraSettings().alpha) == (8, 16)


def test_a_stage_that_is_left_out_may_weigh_nothing():
    reward = {"stages": {"preference": None}, "weights": {"preference": 0}}
    check_cells(resolve(toy(reward=reward)), "config")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("evaluate.replicatoins=3", ["evaluate", "replicatoins", "replications"]),
        ("backbones.mdm.sampelr={}", ["backbones.mdm", "sampelr", "sampler"]),
        ("methods.easytune.options.windw=1", ["methods.easytune.options", "windw", "window"]),
        # what resolving has used up
        ("override.backbones.mdm.text=minilm", ["override", "without effect", "config.yaml"]),
        ("sweep={finetune.lr: [1e-5]}", ["sweep", "without effect"]),
        ("size=paper", ["size", "without effect"]),
        ("nonsense=1", ["nonsense", "without effect"]),
    ],
)
def test_a_change_to_a_resolved_run_is_validated(change, words, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(dump(resolve(toy())))
    assert load_run(file, ["evaluate.replications=3"])["evaluate"]["replications"] == 3
    with pytest.raises(InputError) as error:
        load_run(file, [change])
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("read", [typed, lambda values: apply_set({}, [f"x={values['x'][0]}"])])
def test_a_value_that_is_no_yaml_is_one_line(read):
    with pytest.raises(InputError, match=r"^--(config|set): .*\[1, 2' is not valid YAML .*Fix: "):
        read({"x": ["[1, 2"]})


def test_a_word_for_a_number_on_the_command_line_is_one_line(capsys):
    toy_file = str(ROOT / "config" / "toy.yaml")
    assert main(["config", "--config", toy_file, "--set", "finetune.lr=abc"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ")
    assert "finetune.lr: 'abc'" in line
    assert "toy.yaml" in line
