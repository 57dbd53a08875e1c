"""The schemas know the very keys that the code reads, so that planning refuses what a job would, and nothing else."""

import re
from dataclasses import fields

import pytest
import torch

from motionrft.backbones import family
from motionrft.backbones.acmdm.options import ACMDMOptions
from motionrft.backbones.hymotion.options import HYMotionOptions
from motionrft.backbones.io import build_backbone
from motionrft.backbones.lora import LoraSettings
from motionrft.backbones.mdm.options import MDMOptions
from motionrft.backbones.mld.losses import VAELoss
from motionrft.backbones.mld.options import LatentOptions
from motionrft.backbones.motiondiffuse.options import MotionDiffuseOptions
from motionrft.backbones.motionlcm.options import Distillation, MotionLCMOptions
from motionrft.configuration import resolve
from motionrft.configuration.encoders import family_facts, reads_tokens
from motionrft.configuration.files import ROOT, available, has_size, part
from motionrft.configuration.schema import read_schema
from motionrft.finetune.methods import method_family
from motionrft.finetune.released import VARIANTS
from motionrft.finetune.settings import BUDGETS, NOT_SETTINGS, Optimisation, Settings
from motionrft.finetune.window import Window
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import representation
from motionrft.reward.network_settings import NetworkSettings
from motionrft.reward.stages.spl import SplSettings
from motionrft.text.kinds import KINDS
from motionrft.training.loop import TrainSettings

METHODS = sorted({part("methods", name, "")["family"] for name in available("methods")})
NETWORKS = {
    "mdm": MDMOptions,
    "mld": LatentOptions,
    "motiondiffuse": MotionDiffuseOptions,
    "motionlcm": MotionLCMOptions,
    "acmdm": ACMDMOptions,
    "hymotion": HYMotionOptions,
}


def names(kind, *without):
    return {field.name for field in fields(kind)} - set(without)


def properties(name, *path):
    place = read_schema(name)
    for step in path:
        place = place[step]
    return place["properties"]


def test_fine_tuning():
    known = set(properties("finetune"))
    assert known == names(Settings, "budget", "optimisation") | names(Optimisation) | set(BUDGETS)
    assert set(read_schema("finetune")["$defs"]["lora"]["properties"]) == names(LoraSettings)
    own = set(properties("method")) - known
    assert own == set(NOT_SETTINGS)


@pytest.mark.parametrize("name", available("backbones"))
@pytest.mark.parametrize("size", ["small", "paper"])
def test_what_planning_knows_of_text_is_what_networks_read(name, size):
    if not has_size(name, size):
        pytest.skip(f"no size {size}")
    run = {"name": "t", "size": size, "corpus": {"kind": "toy"}, "backbones": [name], "methods": []}
    entry = resolve(run)["backbones"][name]
    with torch.device("meta"):
        dim = representation(entry["representation"]).dim
        normaliser = Normaliser(torch.zeros(dim), torch.ones(dim))
        widths = {"pooled": 8, "tokens": 8}
        backbone = build_backbone(entry, dim=dim, text=widths, normaliser=normaliser)
    assert reads_tokens(entry) == backbone.reads_tokens
    textless = family_facts(entry).get("textless", [])
    assert set(textless) == set(type(backbone).textless) <= set(type(backbone).stages)


def test_training():
    # the seed of a stage is the command's
    assert set(properties("train")) == names(TrainSettings, "seed")
    assert set(properties("reward", "properties", "network")) == names(
        NetworkSettings, "dims", "text_dim"
    )
    assert set(properties("reward-spl")) == names(SplSettings) | {"train"}


@pytest.mark.parametrize("name", METHODS)
def test_options_of_a_method(name):
    options = properties(f"method-{name}", "properties", "options")
    kind = released = method_family(name)
    if name in VARIANTS:
        released = VARIANTS[name].method
    scaled = {"of"} if kind.counts else set()
    assert set(options) == names(kind, "steps") | names(released, "steps") | scaled
    counted = dict(options)
    if "window" in options:
        assert set(options["window"]["properties"]) == names(Window)
        counted |= options["window"]["properties"]
    marked = {key for key, rule in counted.items() if rule.get("counts_steps")}
    assert marked == {*kind.counts, *released.counts}


@pytest.mark.parametrize("name", NETWORKS)
def test_network_of_a_backbone(name):
    latent = {"mld": "network", "motionlcm": "distilled"}
    if name in latent:
        network = read_schema("backbone-mld")["$defs"][latent[name]]["properties"]
        assert set(network["vae_loss"]["properties"]) == names(VAELoss)
    else:
        network = read_schema(f"backbone-{name}")["properties"]["network"]["properties"]
    assert set(network) == names(NETWORKS[name])
    if name == "motionlcm":
        assert set(network["distillation"]["properties"]) == names(Distillation)


@pytest.mark.parametrize("name", NETWORKS)
def test_stages_of_a_backbone(name):
    stages = properties(f"backbone-{name}", "properties", "pretrain")
    assert list(stages) == list(family(name).stages)


def test_text_encoders():
    kinds = read_schema("text")["additionalProperties"]["properties"]["kind"]["enum"]
    assert set(kinds) == {*KINDS, "hymotion"}


def test_resources_name_every_rule():
    text = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    rules = set(re.findall(r'PLAN\.resources\("(\w+)"\)', text))
    # one rule, read or trained: `Resources.evaluator_rule`
    rules |= {"train_evaluator", "import_evaluator"}
    assert set(properties("resources")) == rules | {"default"}
