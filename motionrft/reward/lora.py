"""LoRA on the motion branch for preference and authenticity (spec of the released adapters).

An adapter is a *view*: its own module tree around the very weights of the frozen backbone. No switch
is flipped to use it, so the backbone and any number of adapters can run in one graph, in any order.
Feed-forward and projection linears are plain LoRA (Hu et al., 2022). Attention is not: the released adapters change
the attention's inputs and its final output, q' = q + s B A q before the untouched packed projection, which
no adapter of weights can express (it would have W_q B A q instead). peft is not used: loading it takes 5 s.
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


@dataclass(frozen=True)
class LoraSettings:
    """rank, alpha (the update is scaled by alpha / rank) and dropout on the adapter's input."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.1


class LowRank(nn.Module):
    """s B A x of x [..., width] -> [..., out], with A Kaiming-uniform and B zero at the start."""

    def __init__(self, width: int, out: int, lora: LoraSettings):
        super().__init__()
        self.lora_A = nn.Parameter(torch.empty(lora.rank, width))
        self.lora_B = nn.Parameter(torch.zeros(out, lora.rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scale = lora.alpha / lora.rank
        self.dropout = nn.Dropout(lora.dropout)

    def forward(self, x: Tensor) -> Tensor:
        low: Tensor = self.dropout(x) @ self.lora_A.T @ self.lora_B.T
        return self.scale * low


class AdaptedLinear(nn.Module):
    """`base` x + s B A x."""

    def __init__(self, base: nn.Linear, lora: LoraSettings):
        super().__init__()
        self.base = base
        self.low_rank = LowRank(base.in_features, base.out_features, lora)

    def forward(self, x: Tensor) -> Tensor:
        adapted: Tensor = self.base(x) + self.low_rank(x)
        return adapted


class AdaptedAttention(nn.Module):
    """`base` attention between low-rank changes of its three inputs and of its output."""

    def __init__(self, base: Attention, lora: LoraSettings):
        super().__init__()
        self.base = base
        width = base.out_proj.in_features
        self.lora_q, self.lora_k, self.lora_v, self.lora_o = (
            LowRank(width, width, lora) for _ in range(4)
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
            block.linear1 = AdaptedLinear(block.linear1, lora)
            block.linear2 = AdaptedLinear(block.linear2, lora)
        for projection in self.projections.values():
            if isinstance(projection.proj, nn.Sequential):
                for place, layer in enumerate(projection.proj):
                    if isinstance(layer, nn.Linear):
                        projection.proj[place] = AdaptedLinear(layer, lora)
            else:
                projection.proj = AdaptedLinear(cast(nn.Linear, projection.proj), lora)
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
                    if isinstance(layer, AdaptedLinear):
                        tensors |= _pair(f"{prefix}_layer{position}", layer)
            else:
                tensors |= _pair(prefix, cast(AdaptedLinear, projection.proj))
        return tensors


def _pair(name: str, layer: AdaptedLinear) -> dict[str, nn.Parameter]:
    low = layer.low_rank
    return {f"{name}.lora.lora_A": low.lora_A, f"{name}.lora.lora_B": low.lora_B}
