"""LoRA fine-tuning of any backbone through peft: inject, save the adapters alone, merge.

Which layers are adapted is the family's `lora_targets`, or every linear map of its denoiser. `export` writes the merged
weights in the official layout. peft takes seconds to load, and is imported where there are adapters.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrft.backbones.base import Backbone
from motionrft.errors import InputError
from motionrft.files import read_tensors, write_tensors

NAME = "default"
FACTORS = ("lora_A", "lora_B")
PACKED = "in_proj_weight"  # query, key and value in one parameter, outside any linear layer


@dataclass(frozen=True)
class LoraSettings:
    """W' = W + alpha / rank B A (LoRA, Hu et al., 2022, eq. 3); dropout on the adapters' input."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0


def targets(backbone: Backbone) -> tuple[list[str], list[str]]:
    """Names of the linear layers, and of the packed parameters, that LoRA adapts."""
    trained = {id(parameter) for parameter in backbone.trainable()}
    layers, packed = [], []
    for name, module in backbone.named_modules():
        if backbone.lora_targets:
            if isinstance(module, nn.Linear) and re.fullmatch(backbone.lora_targets, name):
                layers.append(name)
        elif isinstance(module, nn.Linear) and id(module.weight) in trained:
            layers.append(name)
        elif id(module._parameters.get(PACKED)) in trained:
            packed.append(f"{name}.{PACKED}")
    if not layers and not packed:
        raise InputError("no layer to adapt", field="tune", fix="use tune: full for this backbone")
    return layers, packed


def inject(backbone: Backbone, settings: LoraSettings) -> None:
    """Puts adapters in, in place; nothing but them is trainable afterwards and the output is unchanged.

    A is drawn from the global generator (Kaiming uniform), B is zero.
    """
    from peft import LoraConfig, inject_adapter_in_model

    if adapters(backbone):
        raise InputError("the backbone has adapters already", field="tune", fix="merge them first")
    layers, packed = targets(backbone)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="|".join(map(re.escape, layers)) or None,
        target_parameters=packed or None,
    )
    inject_adapter_in_model(config, backbone, NAME)
    backbone.requires_grad_(False)
    for pair in adapters(backbone).values():
        for factor in pair.values():
            factor.requires_grad_(True)


def adapters(backbone: nn.Module) -> dict[str, dict[str, nn.Parameter]]:
    """lora_A [rank, in] and lora_B [out, rank] of every adapted layer, by the layer's own name."""
    from peft.tuners.lora import LoraLayer, ParamWrapper

    pairs = {}
    for name, module in backbone.named_modules():
        if not isinstance(module, LoraLayer) or NAME not in module.lora_A:
            continue
        layer = ".".join(part for part in name.split(".") if part != "base_layer")
        if isinstance(module, ParamWrapper):
            layer = f"{layer}.{module.parameter_name}"
        pairs[layer] = {factor: getattr(module, factor)[NAME].weight for factor in FACTORS}
    return pairs


def merged(backbone: Backbone) -> Backbone:
    """A copy with the adapters added into its weights and no trace of them left: an ordinary backbone."""
    result = copy.deepcopy(backbone)
    merge(result)
    return result


@torch.no_grad()
def merge(backbone: Backbone) -> None:
    """As `merged`, in place."""
    from peft.tuners.lora import LoraLayer

    # inner layers come after the layers that hold them
    for name, module in reversed(list(backbone.named_modules())):
        if not isinstance(module, LoraLayer):
            continue
        module.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(backbone.get_submodule(parent), child, module.get_base_layer())
    if hasattr(backbone, "peft_config"):
        del backbone.peft_config
    backbone.requires_grad_(True)


def load_state(
    backbone: Backbone, modules: Mapping[str, Mapping[str, Tensor]], where: str | Path
) -> None:
    """Fills injected adapters; every layer must be there, with its rank."""
    injected = adapters(backbone)
    for name in [*injected, *modules]:
        if name not in modules or name not in injected:
            side = "the file" if name not in modules else "the model"
            raise InputError(
                f"{side} has no adapter of this layer",
                where=where,
                field=name,
                fix="use the adapters of this backbone and size",
            )
    with torch.no_grad():
        for name, pair in injected.items():
            for factor, parameter in pair.items():
                value = modules[name].get(factor)
                if value is None or value.shape != parameter.shape:
                    shape = "missing" if value is None else f"shape {tuple(value.shape)}"
                    raise InputError(
                        f"{shape}, expected {tuple(parameter.shape)}",
                        where=where,
                        field=f"{name}.{factor}",
                        fix="inject adapters of the file's rank",
                    )
                parameter.copy_(value)


def save_adapters(
    path: str | Path, backbone: Backbone, settings: LoraSettings, about: dict[str, Any]
) -> None:
    """The adapters alone, with their settings, in one small file."""
    tensors = {
        f"{name}.{factor}": value
        for name, pair in adapters(backbone).items()
        for factor, value in pair.items()
    }
    write_tensors(path, tensors, {**about, "lora": asdict(settings)})


def load_adapters(path: str | Path, backbone: Backbone) -> LoraSettings:
    """Injects the adapters of `save_adapters` into a plain backbone."""
    tensors, about = read_tensors(path)
    if "lora" not in about:
        raise InputError(
            "not a file of adapters", where=path, fix="name the adapters of a LoRA run"
        )
    settings = LoraSettings(**about["lora"])
    inject(backbone, settings)
    modules: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, _, factor = key.rpartition(".")
        modules.setdefault(name, {})[factor] = value
    load_state(backbone, modules, path)
    return settings
