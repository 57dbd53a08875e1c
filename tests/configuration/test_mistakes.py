"""Every mistake in a run file is one line with file, field and fix."""

import pytest

from motionrft.configuration import resolve
from motionrft.errors import InputError
from motionrft.finetune.cells import check_cells
from tests.configuration.runs import toy

MISTAKES = {
    "misspelt key of a cell": (
        toy(override={"cells": {"mdm/easytune": {"batch_sise": 4}}}),
        ["override.cells.mdm/easytune", "batch_sise", "batch_size"],
    ),
    "a cell of an unknown method": (
        toy(override={"cells": {"mdm/easytun": {"batch_size": 4}}}),
        ["override.cells.mdm/easytun", "easytun", "easytune"],
    ),
    "a cell that is not backbone/method": (
        toy(override={"cells": {"mdm-easytune": {"batch_size": 4}}}),
        ["override.cells.mdm-easytune", "mdm-easytune"],
    ),
    "a cell whose settings do not go together": (
        toy(override={"cells": {"mdm/easytune": {"slices": 3, "batch_size": 4}}}),
        ["easytune on mdm", "slices", "divisor"],
    ),
    "unknown backbone": (toy(backbones=["mdx"]), ["backbones", "mdx", "mdm"]),
    "unknown method": (toy(methods=["easytun"]), ["methods", "easytun", "easytune"]),
    "negative learning rate": (
        toy(override={"methods": {"easytune": {"lr": -1}}}),
        ["override.methods.easytune.lr", "-1"],
    ),
    "wrong type": (toy(seeds="zero"), ["seeds", "zero"]),
    "negative seed": (toy(seeds=[-1]), ["seeds.0", "-1"]),
    "misspelt key": (toy(backbnes=[]), ["backbnes", "backbones"]),
    "misspelt corpus key": (toy(corpus={"kind": "toy", "clip": 3}), ["corpus", "clip", "clips"]),
    "unknown corpus": (toy(corpus={"kind": "toys"}), ["corpus.kind", "humanml3d"]),
    "no folder": (toy(corpus={"kind": "bvh"}), ["mocap_dir"]),
    "unknown size": (toy(size="huge"), ["size", "small"]),
    "override of an unknown backbone": (
        toy(override={"backbones": {"mdl": {}}}),
        ["override.backbones", "mdl", "mld"],
    ),
    "override of an unknown method": (
        toy(override={"methods": {"easytun": {}}}),
        ["override.methods", "easytun", "draft-10"],
    ),
    "matrix names an unknown method": (
        toy(matrix=[{"methods": ["draft-11"]}]),
        ["matrix.0.methods", "draft-11", "draft-10"],
    ),
    "analyses of an unknown backbone": (
        toy(analyse={"backbones": ["mdn"]}),
        ["analyse.backbones", "mdn", "mdm"],
    ),
    "resources of an unknown method": (
        toy(resources={"finetune": {"methods": {"draft-5": {"mem_mb": 900}}}}),
        ["resources.finetune.methods", "draft-5", "draft-50"],
    ),
    "resources of an unknown cell": (
        toy(resources={"finetune": {"cells": {"mdm-draft-50": {"mem_mb": 900}}}}),
        ["resources.finetune.cells", "mdm-draft-50"],
    ),
    "resources of an unknown text encoder": (
        toy(resources={"text": {"encoders": {"t6": {"mem_mb": 900}}}}),
        ["resources.text.encoders", "t6", "toy"],
    ),
    "resources of an unknown rule": (
        toy(resources={"finetun": {"mem_mb": 900}}),
        ["resources", "finetun", "finetune"],
    ),
    "too little memory": (
        toy(resources={"default": {"mem_mb": 3}}),
        ["resources.default.mem_mb"],
    ),
    "an unknown stage of the reward": (
        toy(reward={"stages": {"sematic": {"train": {}}}}),
        ["reward.stages.sematic", "semantic"],
    ),
    "an unknown switch": (
        toy(analyse={"switches": ["nois"]}),
        ["analyse.switches", "nois", "noise"],
    ),
    "an unknown generator": (
        toy(reward={"stages": {"authenticity": {"data": {"generators": ["mdl"]}}}}),
        ["authenticity.data.generators", "mdl", "mld"],
    ),
    "an unknown generator held out": (
        toy(reward={"stages": {"authenticity": {"data": {"held_out": ["acmd"]}}}}),
        ["authenticity.data.held_out", "acmd", "acmdm"],
    ),
    "no space after a colon": (toy(finetune={"lr:1e-5": None}), ["finetune", "space", "lr:1e-5"]),
    "misspelt key of fine-tuning": (toy(finetune={"lrr": 1e-5}), ["finetune", "lrr", "lr"]),
    "a learning rate that is a word": (toy(finetune={"lr": "abc"}), ["finetune.lr", "abc"]),
    "two budgets": (toy(finetune={"seconds": 5}), ["easytune on mdm", "2 budgets", "updates"]),
    "selection without validation": (
        toy(finetune={"select": "best", "validate_every": 0}),
        ["easytune on mdm", "select", "validate_every"],
    ),
    "misspelt key of a backbone": (
        toy(override={"backbones": {"mdm": {"sampelr": {}}}}),
        ["override.backbones.mdm", "sampelr", "sampler"],
    ),
    "misspelt key of a backbone that is not chosen": (
        toy(override={"backbones": {"mld": {"sampelr": {}}}}),
        ["override.backbones.mld", "sampelr", "sampler"],
    ),
    "misspelt key of a sampler": (
        toy(override={"backbones": {"mdm": {"sampler": {"step": 5}}}}),
        ["override.backbones.mdm.sampler", "step", "steps"],
    ),
    "misspelt key of a noise schedule": (
        toy(override={"backbones": {"mdm": {"sampler": {"schedule": {"beta_strt": 0.1}}}}}),
        ["sampler.schedule", "beta_strt", "beta_start"],
    ),
    "misspelt key of a network": (
        toy(override={"backbones": {"mdm": {"network": {"latent_dmi": 8}}}}),
        ["override.backbones.mdm.network", "latent_dmi", "latent_dim"],
    ),
    "misspelt stage of pre-training": (
        toy(override={"backbones": {"mdm": {"pretrain": {"denoizer": {"steps": 8}}}}}),
        ["override.backbones.mdm.pretrain", "denoizer", "denoiser"],
    ),
    "misspelt key of pre-training": (
        toy(override={"backbones": {"mdm": {"pretrain": {"denoiser": {"step": 8}}}}}),
        ["override.backbones.mdm.pretrain.denoiser", "step", "steps"],
    ),
    "misspelt key of a backbone's fine-tuning": (
        toy(override={"backbones": {"mdm": {"finetune": {"batch_sise": 4}}}}),
        ["override.backbones.mdm.finetune", "batch_sise", "batch_size"],
    ),
    "misspelt key of a method": (
        toy(override={"methods": {"easytune": {"lrr": 1}}}),
        ["override.methods.easytune", "lrr", "lr"],
    ),
    "misspelt key of all methods": (
        toy(override={"methods": {"all": {"lrr": 1}}}),
        ["override.methods.all", "lrr", "lr"],
    ),
    "misspelt option of a method": (
        toy(override={"methods": {"easytune": {"options": {"windw": 1}}}}),
        ["override.methods.easytune.options", "windw", "window"],
    ),
    "misspelt weight of a method": (
        toy(override={"methods": {"easytune": {"reward_weights": {"semantics": 1}}}}),
        ["methods.easytune.reward_weights", "semantics", "semantic"],
    ),
    "more steps than the sampler has": (
        toy(override={"methods": {"easytune": {"options": {"window": {"k": 51}}}}}),
        ["easytune on mdm", "window.k", "51 of 50"],
    ),
    "misspelt key of the evaluator's training": (
        toy(evaluator={"train": {"stepz": 3}}),
        ["evaluator.train", "stepz", "steps"],
    ),
    "misspelt key of a reward stage": (
        toy(reward={"stages": {"spl": {"pol": "split"}}}),
        ["reward.stages.spl", "pol", "pool"],
    ),
    "misspelt size of the reward": (
        toy(reward={"network": {"layer": 2}}),
        ["reward.network", "layer", "layers"],
    ),
    "an override that is no mapping": (
        toy(override={"backbones": {"mdm": 3}}),
        ["override.backbones.mdm", "3"],
    ),
    "an empty override": (toy(override=None), ["override", "None"]),
    "a self-refined reward that is not trained": (
        toy(methods=["easytune-spl"], reward={"stages": {"spl": None}}),
        ["reward.stages.spl", "easytune-spl"],
    ),
    "a weight of a stage that is left out": (
        toy(reward={"stages": {"preference": None}}),
        ["reward.weights.preference", "leaves the reward's stage preference out", "to 0", "stages"],
    ),
    "a method's weight of a stage that is left out": (
        toy(
            methods=["motionrft"],
            reward={"stages": {"authenticity": None}, "weights": {"authenticity": 0}},
        ),
        ["methods.motionrft.reward_weights.authenticity", "leaves", "reward.stages.authenticity"],
    ),
    "an encoder that keeps pooled vectors for a reader of token states": (
        toy(
            size="paper",
            backbones=["motiondiffuse"],
            override={"backbones": {"motiondiffuse": {"text": "clip-b32-pooled"}}},
        ),
        ["backbones.motiondiffuse.text", "token states", "clip-b32-pooled", "keep: pooled"],
    ),
    "released LoRA on a network of the run's own": (
        toy(reward={"stages": {"preference": {"checkpoint": ["lora.pth", "head.pth"]}}}),
        ["reward.stages.preference.checkpoint", "reward.stages.semantic.checkpoint"],
    ),
    "two files of a semantic stage": (
        toy(reward={"stages": {"semantic": {"checkpoint": ["a.pth", "b.pth"]}}}),
        ["reward.stages.semantic.checkpoint", "2 files", "one file"],
    ),
    "pairs that are no file": (
        toy(reward={"stages": {"preference": {"pairs": 3}}}),
        ["reward.stages.preference.pairs", "3", "table of pairs"],
    ),
    "unknown kind of text encoder": (
        toy(text={"mine": {"kind": "elmo", "source": "elmo"}}),
        ["text.mine.kind", "elmo", "bert"],
    ),
    "a made text encoder without a size": (
        toy(text={"mine": {"kind": "sentence-t5", "seed": 0, "layers": 1}}),
        ["text.mine", "width", "source"],
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
        check_cells(resolve(run, "config/mine.yaml"), "config/mine.yaml")
    line = str(error.value)
    assert "\n" not in line
    assert "Fix: " in line
    assert "config/" in line
    for word in words:
        assert word in line
