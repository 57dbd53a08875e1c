"""LoRA on the motion branch for preference and authenticity (spec of the released adapters).

An adapter is a *view*: its own module tree around the very weights of the frozen backbone. No switch
is flipped to use it, so the backbone and any number of adapters can run in one graph, in any order.
Feed-forward and projection linears are peft's LoRA. Attention is not: the released adapters change the
attention's inputs and its final output, q' = q + s B A q before the untouched packed projection, which
peft cannot express (it adapts weights, and would need W_q B A q instead).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from motionrft.networks.attention import Attention
from motionrft.reward.network import OFFICIAL_NAMES, RewardNetwork

NAME = "task"  # peft's name of the single adapter in each view


@dataclass(frozen=True)
class LoraSettings:
    """rank, alpha (the update is scaled by alpha / rank) and dropout on the adapter's input."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.1


class LowRank(nn.Module):
    """s B A x, with A Kaiming-uniform and B zero at the start."""

    def __init__(self, width: int, lora: LoraSettings):
        super().__init__()
        self.lora_A = nn.Parameter(torch.empty(lora.rank, width))
        self.lora_B = nn.Parameter(torch.zeros(width, lora.rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scale = lora.alpha / lora.rank
        self.dropout = nn.Dropout(lora.dropout)

    def forward(self, x: Tensor) -> Tensor:
        low: Tensor = self.dropout(x) @ self.lora_A.T @ self.lora_B.T
        return self.scale * low


class AdaptedAttention(nn.Module):
    """`base` attention between low-rank changes of its three inputs and of its output."""

    def __init__(self, base: Attention, lora: LoraSettings):
        super().__init__()
        self.base = base
        width = base.out_proj.in_features
        self.lora_q, self.lora_k, self.lora_v, self.lora_o = (
            LowRank(width, lora) for _ in range(4)
        )

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, valid: Tensor | None = None
    ) -> Tensor:
        output: Tensor = self.base(
            query + self.lora_q(query), key + self.lora_k(key), value + self.lora_v(value), valid
        )
        return output + cast(Tensor, self.lora_o(output))


class MotionAdapter(nn.Module):
    """A LoRA view of a backbone's projections and motion encoder.

    Building it freezes the backbone. Positions, tokens, skip linears, norms, distribution layer and
    time embedding carry no adapter and are the backbone's own.
    """

    def __init__(self, network: RewardNetwork, lora: LoraSettings):
        # imported here: it takes seconds, and most jobs have no adapter
        from peft import LoraConfig, inject_adapter_in_model

        super().__init__()
        self.lora = lora
        shared = {id(parameter): parameter for parameter in network.parameters()}
        self.encoder = copy.deepcopy(network.encoder, shared)
        self.projections = nn.ModuleDict(
            {
                name: copy.deepcopy(network.projection(name), shared)
                for name in network.representations
            }
        )
        for _, block in self.blocks():
            block.self_attn = AdaptedAttention(block.self_attn, lora)
        targets = [
            name
            for name, module in self.named_modules()
            if isinstance(module, nn.Linear)
            and (name.startswith("projections.") or name.endswith((".linear1", ".linear2")))
        ]
        config = LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets
        )
        inject_adapter_in_model(config, self, NAME)
        network.requires_grad_(False)
        for parameter in self.adapter_tensors().values():
            parameter.requires_grad_(True)

    def projection(self, representation: str) -> nn.Module:
        return self.projections[representation]

    def blocks(self) -> Iterator[tuple[str, Any]]:
        """Encoder layers with their official names (input_block_0, middle_block, output_block_0, …)."""
        for index, block in enumerate(self.encoder.input_blocks):
            yield f"input_block_{index}", block
        yield "middle_block", self.encoder.middle_block
        for index, block in enumerate(self.encoder.output_blocks):
            yield f"output_block_{index}", block

    def adapter_tensors(self) -> dict[str, nn.Parameter]:
        """Every LoRA parameter by its official name without the task prefix
        (`middle_block_attn.lora_q.lora_A`, `proj_263_layer0.lora.lora_B`)."""
        tensors: dict[str, nn.Parameter] = {}
        for name, block in self.blocks():
            for letter in "qkvo":
                low = getattr(block.self_attn, f"lora_{letter}")
                tensors[f"{name}_attn.lora_{letter}.lora_A"] = low.lora_A
                tensors[f"{name}_attn.lora_{letter}.lora_B"] = low.lora_B
            for number in (1, 2):
                tensors |= _pair(f"{name}_ffn{number}", getattr(block, f"linear{number}"))
        for name, projection in self.projections.items():
            prefix = f"proj_{OFFICIAL_NAMES[name]}"
            if isinstance(projection.proj, nn.Sequential):
                for position, layer in projection.proj.named_children():
                    if hasattr(layer, "lora_A"):
                        tensors |= _pair(f"{prefix}_layer{position}", layer)
            else:
                tensors |= _pair(prefix, projection.proj)
        return tensors


def _pair(name: str, layer: Any) -> dict[str, nn.Parameter]:
    return {
        f"{name}.lora.lora_A": layer.lora_A[NAME].weight,
        f"{name}.lora.lora_B": layer.lora_B[NAME].weight,
    }
