"""LoRA: what is adapted, merged = unmerged, adapters alone on disk."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from motionrft.backbones.base import Condition
from motionrft.backbones.io import build_backbone
from motionrft.backbones.lora import (
    LoraSettings,
    adapters,
    inject,
    load_adapters,
    merge,
    merged,
    save_adapters,
    targets,
)
from motionrft.configuration import ROOT, available, read_yaml
from motionrft.diffusion.schedules import step_table
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.skip_transformer import SkipEncoder
from tests.backbones.small_flow_models import TEXT, acmdm, condition, hymotion, texts
from tests.same import assert_same

LORA = LoraSettings(rank=3, alpha=6.0)
pytestmark = pytest.mark.usefixtures("float64")


class Packed(nn.Module):
    """A denoiser whose attention keeps query, key and value in one parameter."""

    lora_targets = ""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = SkipEncoder(16, 2, 24, 3, dropout=0.0)
        self.decoder = nn.Linear(16, 16)
        self.eval()

    def trainable(self):
        return list(self.encoder.parameters())

    def output(self):
        x = torch.linspace(-1, 1, 2 * 5 * 16).view(2, 5, 16).sin()
        return self.decoder(
            self.encoder(x, torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool())
        )


def output(backbone):
    if isinstance(backbone, Packed):
        return backbone.output()
    shape = backbone.sample_shape(16)
    x = torch.linspace(-1, 1, 2 * shape[0] * shape[1]).view(2, *shape).sin()
    return backbone.guided(x, torch.tensor(0.4).expand(2), condition([16, 12]), 2.0)


BACKBONES = {"acmdm": acmdm, "hymotion": hymotion, "packed attention": Packed}


@pytest.fixture(params=list(BACKBONES.values()), ids=list(BACKBONES))
def backbone(request):
    return request.param()


def fill(backbone, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for pair in adapters(backbone).values():
        for factor in pair.values():
            factor.data = 0.3 * torch.randn(factor.shape, generator=generator)


def test_fresh_adapters_change_nothing_and_train_alone(backbone):
    before = output(backbone).detach()
    inject(backbone, LORA)
    assert_same(output(backbone).detach(), before)
    trained = {id(p) for p in backbone.parameters() if p.requires_grad}
    assert trained == {id(f) for pair in adapters(backbone).values() for f in pair.values()}
    # fine-tuning reaches them by the same door as the weights they adapt
    assert trained <= {id(p) for p in backbone.trainable()}
    output(backbone).square().sum().backward()
    assert all(p.grad is None for p in backbone.parameters() if not p.requires_grad)
    fresh = [pair["lora_B"].grad for pair in adapters(backbone).values()]
    assert all(gradient is not None and gradient.any() for gradient in fresh)


def test_merged_is_unmerged(backbone):
    plain = output(backbone).detach()
    names = list(backbone.state_dict())
    inject(backbone, LORA)
    fill(backbone)
    adapted = output(backbone).detach()
    assert (adapted - plain).abs().max() > 1e-2
    with torch.no_grad():
        flat = merged(backbone)
        assert sorted(flat.state_dict()) == sorted(names)
        assert_same(output(flat), adapted)
        # the original still has its adapters
        assert_same(output(backbone), adapted)
        merge(backbone)
        assert adapters(backbone) == {}
        torch.testing.assert_close(output(backbone), output(flat), rtol=0, atol=0)
    assert all(parameter.requires_grad for parameter in backbone.parameters())


def test_every_adapter_acts(backbone):
    """A layer whose weight is used outside its own call would ignore its adapter."""
    inject(backbone, LORA)
    plain = output(backbone).detach()
    for name, pair in adapters(backbone).items():
        torch.nn.init.normal_(pair["lora_B"])
        moved = (output(backbone).detach() - plain).abs().max()
        pair["lora_B"].data.zero_()
        assert moved > 1e-4, name


def test_the_merged_weight_is_the_formula():
    backbone = hymotion()
    name = "motion_transformer.double_blocks.0.motion_qkv"
    weight = backbone.get_submodule(name).weight.detach().clone()
    inject(backbone, LORA)
    fill(backbone)
    pair = {factor: value.detach().clone() for factor, value in adapters(backbone)[name].items()}
    merge(backbone)
    expected = weight + LORA.alpha / LORA.rank * pair["lora_B"] @ pair["lora_A"]
    assert_same(backbone.get_submodule(name).weight.detach(), expected)


def test_which_layers():
    layers, packed = targets(hymotion(layers=6))
    assert packed == []
    short = {name.removeprefix("motion_transformer.") for name in layers}
    assert len(layers) == 2 * 8 + 2 * 4
    assert not any("single_blocks" in name or "mod" in name for name in short)
    layers, packed = targets(Packed())
    assert len(packed) == 3
    assert all(name.startswith("encoder.") for name in layers)
    assert {"encoder.linear_blocks.0", "encoder.middle_block.self_attn.out_proj"} <= set(layers)


def test_adapters_alone_on_disk(backbone, tmp_path):
    inject(backbone, LORA)
    fill(backbone)
    expected = output(backbone).detach()
    path = tmp_path / "adapters.safetensors"
    save_adapters(path, backbone, LORA, {"backbone": {"name": "test"}})
    everything = sum(value.numel() for value in backbone.state_dict().values())
    assert path.stat().st_size < 4 * everything
    again = type(backbone)() if isinstance(backbone, Packed) else None
    again = again or (acmdm() if hasattr(backbone, "denoiser") else hymotion())
    assert load_adapters(path, again) == LORA
    assert torch.equal(output(again).detach(), expected)
    with pytest.raises(InputError, match="already"):
        load_adapters(path, again)


def test_no_layer_is_an_error():
    backbone = acmdm()
    backbone.lora_targets = "nothing"
    with pytest.raises(InputError, match="no layer"):
        inject(backbone, LORA)


def from_config(name):
    """The small size of a configured backbone, and a function that runs it."""
    entry = read_yaml(ROOT / "config" / "backbones" / f"{name}.yaml")
    settings = {**entry, **entry["sizes"]["small"], "name": name}
    dim = {"kinematic": 263, "joint": 66, "rotation": 135}[settings["representation"]]
    statistics = Normaliser(torch.zeros(dim), torch.ones(dim))
    widths = {"pooled": TEXT["pooled"], "tokens": TEXT["tokens"]}
    torch.manual_seed(0)
    backbone = build_backbone(settings, dim=dim, text=widths, normaliser=statistics).eval()
    backbone.to(torch.get_default_dtype())  # tables of positions are made in float32
    for parameter in backbone.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape)
    text = texts(2)
    prompts = Condition.of(text, text.select(slice(0, 1)), torch.tensor([24, 16]))
    x = torch.randn(2, *backbone.sample_shape(24))
    t = step_table(settings["sampler"], backbone.prediction).t_model[0].expand(2)
    scale = settings["sampler"].get("guidance", 1.0)
    return backbone, lambda network: network.guided(x, t, prompts, scale).detach()


@pytest.mark.parametrize("name", available("backbones"))
def test_any_configured_backbone(name):
    backbone, run = from_config(name)
    plain = run(backbone)
    inject(backbone, LORA)
    assert_same(run(backbone), plain)
    torch.manual_seed(1)
    for pair in adapters(backbone).values():
        for factor in pair.values():
            factor.data = 0.1 * torch.randn(factor.shape)
    adapted = run(backbone)
    assert (adapted - plain).abs().max() > 1e-2
    with torch.no_grad():
        flat = merged(backbone)
    assert_same(run(flat), adapted)
