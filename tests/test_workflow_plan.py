"""What the workflow derives from a run, without Snakemake."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from motionrft.configuration import resolve
from motionrft.configuration.outside import state
from motionrft.configuration.switches import switches
from motionrft.workflow_plan import Plan


class Wildcards(SimpleNamespace):
    def get(self, name, default=None):
        return getattr(self, name, default)


def plan(**changes) -> Plan:
    run = {"name": "t", "corpus": {"kind": "toy"}, "backbones": ["mdm"], "methods": ["easytune"]}
    return Plan(resolve(run | changes))


def test_stages_chain_and_a_distilled_backbone_starts_from_its_teacher():
    p = plan(backbones=["motionlcm-4step"])
    teacher = p.run["backbones"]["motionlcm-4step"]["teacher"]
    first, *rest = p.stages("motionlcm-4step")
    start = p.start_of_stage(Wildcards(backbone="motionlcm-4step", stage=first))
    assert start == [f"results/t/backbones/{teacher}/{p.stages(teacher)[-1]}.safetensors"]
    stages = p.stages(teacher)
    assert p.start_of_stage(Wildcards(backbone=teacher, stage=stages[0])) == []
    assert p.start_of_stage(Wildcards(backbone=teacher, stage=stages[1])) == [
        f"results/t/backbones/{teacher}/{stages[0]}.safetensors"
    ]
    assert not rest or rest[0] in p.all_stages


def test_backbones_that_only_sample_differently_are_trained_once():
    names = ["mld", "motionlcm-1step", "motionlcm-4step"]
    shared = plan(backbones=names)
    assert shared.base_model("motionlcm-4step") == shared.base_model("motionlcm-1step")
    assert "motionlcm-1step/" in shared.base_model("motionlcm-1step")
    assert shared.base_model("mld") != shared.base_model("motionlcm-1step")
    longer = {"motionlcm-4step": {"pretrain": {"distill": {"steps": 700}}}}
    apart = plan(backbones=names, override={"backbones": longer})
    assert "motionlcm-4step/" in apart.base_model("motionlcm-4step")


def test_the_resources_table_is_laid_layer_over_layer():
    table = {
        "default": {"threads": 1, "mem_mb": 1000, "runtime": 10, "gpu": 0},
        "finetune": {
            "gpu": 1,
            "mem_mb": 2000,
            "methods": {"draft-50": {"mem_mb": 9000, "gpu_model": "h100"}},
            "backbones": {"mdm": {"runtime": 99}},
            "cells": {"mdm/draft-50": {"mem_mb": 12000}},
        },
    }
    p = plan(resources=table, methods=["easytune", "draft-50"])
    asked = p.resources("finetune")
    light = Wildcards(backbone="mdm", method="easytune", seed="0")
    heavy = Wildcards(backbone="mdm", method="draft-50", seed="0")
    assert asked["mem_mb"](light, attempt=1) == 2000
    assert asked["mem_mb"](heavy, attempt=1) == 12000
    assert asked["mem_mb"](heavy, attempt=3) == 24000
    assert asked["runtime"](light, attempt=2) == 148
    assert asked["gpu"](light) == 1
    assert asked["gpu_model"](light) is None
    assert asked["gpu_model"](heavy) == "h100"
    assert p.resources("corpus")["gpu"](Wildcards()) == 0
    assert p.threads("corpus")(Wildcards()) == 1


def test_reading_an_official_file_asks_for_no_gpu():
    official = {"checkpoint": "finest.tar"}
    trained, read = plan(size="paper"), plan(size="paper", evaluator=official)
    assert trained.resources(trained.evaluator_rule)["gpu"](Wildcards()) == 1
    assert read.resources(read.evaluator_rule)["gpu"](Wildcards()) == 0
    full = plan(size="paper", backbones=["hymotion", "mld"]).resources("import_backbone")
    assert full["mem_mb"](Wildcards(backbone="hymotion"), attempt=1) > 9000
    assert full["mem_mb"](Wildcards(backbone="mld"), attempt=1) < 8000
    assert full["gpu"](Wildcards(backbone="hymotion")) == 0


def test_a_text_job_asks_for_the_memory_of_its_encoder():
    asked = plan(size="paper", backbones=["hymotion", "mdm"]).resources("text")["mem_mb"]
    assert asked(Wildcards(encoder="hymotion"), attempt=1) > 16_400
    assert asked(Wildcards(encoder="clip-b32-cut20"), attempt=1) < 8_000


RELEASED = {
    "semantic": {"checkpoint": "stage1_retrieval_backbone.pth"},
    "preference": {"checkpoint": ["lora.pth", "head.pth"]},
}


def test_released_stages_of_the_reward_are_read_and_the_others_trained():
    p = plan(reward={"stages": RELEASED}, methods=["motionrft"])
    assert p.imported_stages == ["semantic", "preference"]
    assert p.trained_stages == ["authenticity", "spl"]
    files = {stage: p.reward_checkpoint(Wildcards(stage=stage)) for stage in p.imported_stages}
    assert files == {
        "semantic": ["stage1_retrieval_backbone.pth"],
        "preference": ["lora.pth", "head.pth"],
    }
    assert p.start_of_reward_stage(Wildcards(stage="preference")) == [
        "results/t/reward/semantic.safetensors"
    ]
    assert p.job_counts()["train_reward"] == 2
    switched = plan(reward={"stages": RELEASED}, methods=["motionrft"], analyse={"switches": "all"})
    assert {stage for _, stage in switched.switched_stages()} == {"authenticity", "spl"}


def test_data_of_others_wait_for_no_sample_and_are_watched(tmp_path):
    table = tmp_path / "pairs.csv"
    table.write_text("caption\n")

    def planned(**stages):
        state.cache_clear()
        return plan(backbones=["mdm", "mld"], reward={"stages": stages})

    pairs = planned(preference={"pairs": str(table)})
    assert pairs.given_data("preference") == [str(table)]
    assert pairs.samples_of_data(Wildcards(stage="preference")) == []
    assert pairs.samples_of_data(Wildcards(stage="authenticity")) == pairs.samples()
    assert len(pairs.samples()) == 2
    before = pairs.reward_data_settings("preference")
    table.write_text("caption,winner_file\n")
    after = planned(preference={"pairs": str(table)}).reward_data_settings("preference")
    assert before != after != planned().reward_data_settings("preference")
    both = planned(preference={"pairs": str(table)}, authenticity={"generated": ["ai_train.pth"]})
    assert both.samples() == []
    assert both.given_data("authenticity") == ["ai_train.pth"]


def settings(p: Plan) -> dict[str, str]:
    cell = Wildcards(backbone="mdm", method="easytune", stage="denoiser", seed="0", encoder="toy")
    return {
        "corpus": p.settings_of("corpus"),
        "text": p.encoder_settings(cell),
        "evaluator": p.settings_of("evaluator"),
        "semantic": p.reward_settings("semantic"),
        "preference": p.reward_settings("preference"),
        "pretrain": p.pretraining_settings(cell),
        "finetune": p.finetuning_settings(cell),
        "evaluate": p.evaluation_settings(cell),
        "tables": p.presentation_settings(),
    }


SMALL = {"override": {"backbones": {"mdm": {"reward_form": "one_step"}}}}
CHANGES = {
    "the corpus": ({"corpus": {"kind": "toy", "seed": 7}}, {"corpus"}),
    "the evaluator": ({"evaluator": {"train": {"steps": 3}}}, {"evaluator"}),
    # validations rank in the run's groups; those of 32 are what all have that say nothing
    "the groups of a ranking": ({"evaluate": {"group": 8}}, {"evaluate", "finetune"}),
    "how often the test is repeated": ({"evaluate": {"replications": 5}}, {"evaluate"}),
    "the evaluator's precision": ({"evaluate": {"precision": "bf16"}}, {"evaluate"}),
    "a method": ({"override": {"methods": {"easytune": {"lr": 0.1}}}}, {"finetune"}),
    "what a method is called": (
        {"override": {"methods": {"easytune": {"label": "E"}}}},
        {"tables"},
    ),
    "a cell": ({"override": {"cells": {"mdm/easytune": {"lr": 0.1}}}}, {"finetune"}),
    "another cell": ({"override": {"cells": {"mdm/draft-10": {"lr": 0.1}}}}, set()),
    "a baseline": ({"override": {"methods": {"easytune": {"baseline": True}}}}, {"tables"}),
    "another stage of the reward": (
        {"reward": {"stages": {"preference": {"train": {"steps": 3}}}}},
        {"preference"},
    ),
    "the reward's network": (
        {"reward": {"network": {"layers": 1}}},
        {"semantic", "preference"},
    ),
    "the reward's weights": ({"reward": {"weights": {"m2m": 0.5}}}, {"finetune"}),
    "what a reward sees": (SMALL, {"finetune"}),
    "the sampler": (
        {"override": {"backbones": {"mdm": {"sampler": {"steps": 5}}}}},
        {"finetune", "evaluate"},
    ),
    "replications": ({"evaluate": {"replications": 2}}, {"evaluate"}),
    "resources": ({"resources": {"default": {"mem_mb": 9999}}}, set()),
    "the device": ({"device": "cpu"}, set()),
    "seeds": ({"seeds": [5]}, set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_reaches_just_the_jobs_that_read_it(name):
    change, reached = CHANGES[name]
    before, after = settings(plan()), settings(plan(**change))
    assert {key for key in before if before[key] != after[key]} == reached


OFFICIAL = {"mdm": {"checkpoint": "official/model.pt"}}


def test_an_import_waits_for_no_text_where_the_widths_are_said():
    paper = plan(size="paper", override={"backbones": OFFICIAL})
    assert paper.text_of_import(Wildcards(backbone="mdm")) == []
    own = {"mine": {"kind": "clip", "source": "/clip"}}
    change = {"mdm": {"checkpoint": "official/model.pt", "text": "mine"}}
    unknown = plan(size="paper", text=own, override={"backbones": change})
    assert unknown.text_of_import(Wildcards(backbone="mdm")) == ["results/t/text/mine.safetensors"]


def test_a_fine_tuned_model_is_read_with_its_base():
    p = plan()
    cell = Wildcards(backbone="mdm", method="easytune", seed="0")
    assert p.base_of_scored(cell) == [p.base_model("mdm")]
    assert p.base_of_scored(Wildcards(backbone="mdm", method="base", seed="0")) == []


BESIDE = {
    "mdm": ["args.json", "mean.npy", "../meta/std.npy", "meta/mean.npy"],
    "motiondiffuse": ["../meta/mean.npy", "std.npy"],
    "acmdm": [
        "../../Mean_22x3.npy",
        "../../AE_2D_Causal/AE_2D_Causal_Post_Std.npy",
        "../../AE_2D_Causal/model/latest.tar",
    ],
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_read_beside_a_checkpoint_is_an_input_of_its_import(name, tmp_path):
    file = tmp_path / "t2m" / "run" / "model" / "latest.tar"
    file.parent.mkdir(parents=True)
    file.touch()

    def settings():
        state.cache_clear()
        change = {name: {"checkpoint": str(file)}}
        return plan(backbones=[name], override={"backbones": change}).import_settings(
            Wildcards(backbone=name)
        )

    seen = [settings()]
    assert settings() == seen[0]
    for beside in BESIDE[name]:
        (file.parent / beside).parent.mkdir(parents=True, exist_ok=True)
        for content in ("1", "other"):
            (file.parent / beside).write_text(content)
            seen.append(settings())
    (file.parent / "notes.txt").write_text("nobody reads this")
    assert settings() == seen[-1]
    assert len(set(seen)) == len(seen)


def test_every_table_is_a_target():
    assert {"finetuning", "reward_switches"} < set(plan().tables)


def test_switches_are_measured_only_where_asked_and_only_of_stages_that_are_scored():
    assert plan().switched_stages() == []
    asked = plan(analyse={"switches": ["leaking_mask", "alignment"]}, methods=["motionrft"])
    assert asked.switched_stages() == [
        ("alignment", "semantic"),
        ("alignment", "authenticity"),
        ("leaking_mask", "authenticity"),
    ]
    folder = "results/t/reward/switches"
    assert f"{folder}/leaking_mask/authenticity.released.parquet" in asked.records()
    assert f"{folder}/leaking_mask/authenticity.used.parquet" in asked.records()
    assert f"{folder}/alignment/semantic.used.parquet" in asked.records()
    silent = {"weights": {"preference": 0, "authenticity": 0}}
    alone = plan(analyse={"switches": "all"}, reward=silent)
    assert {stage for _, stage in alone.switched_stages()} == {"semantic", "spl"}


def test_a_later_stage_stands_on_the_semantic_one():
    p = plan()
    folder = "results/t/reward"
    started = {name: p.start_of_reward_stage(Wildcards(stage=name)) for name in p.reward_stages}
    assert started.pop("semantic") == []
    assert set(started) == {"preference", "authenticity", "spl"}
    assert all(files == [f"{folder}/semantic.safetensors"] for files in started.values())
    data = {name: p.data_of_reward_stage(Wildcards(stage=name)) for name in p.reward_stages}
    assert data == {
        "semantic": [],
        "spl": [],
        "preference": [f"{folder}/data/preference"],
        "authenticity": [f"{folder}/data/authenticity"],
    }


def test_every_switch_is_measured():
    from motionrft.reward.released import SWITCHES

    assert set(switches()) == set(SWITCHES)
    for switch in switches().values():
        assert set(switch.stages) <= set(plan().reward_stages)
        assert switch.stages
        assert set(switch.readings) <= {"released", "used"}
        assert switch.readings


def test_an_analysis_is_made_of_the_first_method_or_of_every():
    methods = ["easytune", "draft-10"]

    def made(**analyse):
        files = plan(methods=methods, analyse=analyse).analyses()
        return {tuple(file.removesuffix(".parquet").split("/")[-2:]) for file in files}

    first = {(name, "mdm-easytune") for name in ("gradients", "similarity", "sampling_cost")}
    memory = {("memory", f"mdm-{method}") for method in methods}
    assert made() == first | memory
    assert made(every_method=[]) == first | {("memory", "mdm-easytune")}
    assert made(backbones=[]) == set()


def test_planning_and_light_stages_import_no_torch():
    code = (
        "import sys; import motionrft.workflow_plan, motionrft.cli;"
        "from motionrft.configuration import resolve;"
        "resolve({'name': 't', 'corpus': {'kind': 'toy'}, 'backbones': 'all', 'methods': 'all'});"
        "import motionrft.reporting.records; from motionrft.reporting import figures, tables;"
        "[tables.load(name) for name in tables.names()]; figures.names();"
        "print(sorted({'torch', 'transformers', 'diffusers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_trains_nothing_is_evaluated_on_the_base_model_under_the_reward():
    p = plan(methods=["easytune", "best-of-4"], seeds=[0, 1])
    assert [cell[1:] for cell in p.cells] == [("easytune", 0), ("easytune", 1), ("best-of-4", 0)]
    assert p.trained_cells == p.cells[:2]
    assert p.job_counts()["finetune"] == 2
    picked = Wildcards(backbone="mdm", method="best-of-4", seed="0")
    assert p.scored_model(picked) == p.base_model("mdm")
    text, reward = p.steering_reward(picked)
    assert reward == "results/t/reward/semantic.safetensors"
    assert (
        p.sampling_options(picked) == f"--method best-of-4 --reward-text {text} --reward {reward}"
    )
    tuned = Wildcards(backbone="mdm", method="easytune", seed="0")
    assert (p.steering_reward(tuned), p.sampling_options(tuned)) == ([], "")
    assert "results/t/evaluate/mdm/best-of-4/seed0/replications.parquet" in p.records()
    assert not any("finetune/mdm/best-of-4" in file for file in p.records())


def test_models_that_are_compared_are_evaluated_as_often_as_the_comparisons_ask():
    def options(method, **compare):
        p = plan(methods=["easytune", "draft-10"], compare=compare, evaluate={"replications": 2})
        cell = Wildcards(backbone="mdm", method=method, seed="0")
        return p.sampling_options(cell), p.evaluation_settings(cell)

    usual = {name: options(name) for name in ("base", "easytune", "draft-10")}
    often = {name: options(name, replications=5) for name in usual}
    assert {name: given for name, (given, _) in usual.items()} == dict.fromkeys(usual, "")
    # draft-10 is a baseline: no declared comparison is its own
    assert {name: given for name, (given, _) in often.items()} == {
        **dict.fromkeys(("base", "easytune"), "--replications 5"),
        "draft-10": "",
    }
    changed = {name for name in usual if usual[name] != often[name]}
    assert changed == {"base", "easytune"}
    assert options("easytune", replications=2) == usual["easytune"]


def test_an_evaluation_under_the_reward_depends_on_the_method():
    def digest(n):
        p = plan(methods=["best-of-4"], override={"methods": {"best-of-4": {"options": {"n": n}}}})
        base = p.evaluation_settings(Wildcards(backbone="mdm", method="base", seed="0"))
        return base, p.evaluation_settings(Wildcards(backbone="mdm", method="best-of-4", seed="0"))

    (base, four), (same, five) = digest(4), digest(5)
    assert base == same
    assert len({base, four, five}) == 3
