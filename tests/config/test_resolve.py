"""A run file resolved: sizes, overrides, matrix, teachers, and one clear line for each mistake."""

import pytest
import yaml

from motionrft.config import ROOT, dump, load_run, resolve, typed
from motionrft.errors import InputError

RUNS = sorted((ROOT / "config").glob("*.yaml"))
MOCAP = {"mocap_dir": "/somewhere"}
NEEDED = {"mocap": MOCAP, "mocap-full": MOCAP}


def toy(**changes):
    return {
        "name": "t",
        "corpus": {"kind": "toy"},
        "backbones": ["mdm"],
        "methods": ["easytune"],
        **changes,
    }


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


MISTAKES = {
    "unknown backbone": (toy(backbones=["mdx"]), ["backbones", "mdx", "mdm"]),
    "unknown method": (toy(methods=["easytun"]), ["methods", "easytun", "easytune"]),
    "negative learning rate": (
        toy(override={"methods": {"easytune": {"lr": -1}}}),
        ["easytune.yaml", "lr", "-1"],
    ),
    "wrong type": (toy(seeds="zero"), ["seeds", "zero"]),
    "negative seed": (toy(seeds=[-1]), ["seeds.0", "-1"]),
    "misspelt key": (toy(backbnes=[]), ["backbnes", "backbones"]),
    "misspelt corpus key": (toy(corpus={"kind": "toy", "clip": 3}), ["corpus", "clip", "clips"]),
    "unknown corpus": (toy(corpus={"kind": "toys"}), ["corpus.kind", "humanml3d"]),
    "no folder": (toy(corpus={"kind": "bvh"}), ["mocap_dir"]),
    "unknown size": (toy(size="huge"), ["size", "small"]),
    "override of an absent backbone": (
        toy(override={"backbones": {"mld": {}}}),
        ["override", "mld", "mdm"],
    ),
    "matrix names an absent method": (
        toy(matrix=[{"methods": ["draft-10"]}]),
        ["matrix.0.methods", "draft-10", "easytune"],
    ),
    "too little memory": (
        toy(resources={"default": {"mem_mb": 3}}),
        ["resources.default.mem_mb"],
    ),
    "a generator that the run has not": (
        toy(reward={"stages": {"authenticity": {"data": {"generators": ["mld"]}}}}),
        ["authenticity.data.generators", "mld", "mdm"],
    ),
    "a self-refined reward that is not trained": (
        toy(methods=["easytune-spl"], reward={"stages": {"spl": None}}),
        ["reward.stages.spl", "easytune-spl"],
    ),
    "unknown text encoder": (
        toy(override={"backbones": {"mdm": {"text": "elmo"}}}),
        ["text", "elmo", "toy"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_file_field_and_fix(name):
    run, words = MISTAKES[name]
    with pytest.raises(InputError) as error:
        resolve(run, "config/mine.yaml")
    line = str(error.value)
    assert "\n" not in line
    assert "Fix: " in line
    assert "config/" in line
    for word in words:
        assert word in line
