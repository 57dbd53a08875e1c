"""A task's branch on the frozen semantic network (MotionRFT section III-C): a LoRA view and a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.reward.lora import LoraSettings, MotionAdapter
from motionrft.reward.network import RewardNetwork


class Head(nn.Module):
    """d -> 2d -> d -> d/2 -> outputs, GELU and dropout between (official names fc1 … fc4)."""

    def __init__(self, d: int, outputs: int, dropout: float = 0.1):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)
        self.fc3, self.fc4 = nn.Linear(d, d // 2), nn.Linear(d // 2, outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, z: Tensor) -> Tensor:
        """[B, d] -> [B, outputs]."""
        for layer in (self.fc1, self.fc2, self.fc3):
            z = self.dropout(F.gelu(layer(z)))
        return cast(Tensor, self.fc4(z))


@dataclass
class TaskBranch:
    """A frozen backbone's LoRA view and the head on its embeddings, for one task."""

    task: str
    adapter: MotionAdapter
    head: Head

    def freeze(self) -> TaskBranch:
        """In eval mode, without gradients."""
        for module in (self.adapter, self.head):
            module.requires_grad_(False).eval()
        return self

    def trained(self) -> list[nn.Parameter]:
        """Exactly what a task stage trains, and what its file holds."""
        return [*self.adapter.adapter_tensors().values(), *self.head.parameters()]

    def tensors(self) -> dict[str, Tensor]:
        """The same by their names in the file: `lora.*` and `head.*`."""
        lora = {f"lora.{name}": value for name, value in self.adapter.adapter_tensors().items()}
        return lora | {f"head.{name}": value for name, value in self.head.state_dict().items()}


def new_branch(network: RewardNetwork, task: str, outputs: int, lora: LoraSettings) -> TaskBranch:
    """A branch around `network` whose head has `outputs` numbers a motion; it freezes the network."""
    device = next(network.parameters()).device
    head = Head(network.settings.latent_dim, outputs, lora.dropout)
    return TaskBranch(task, MotionAdapter(network, lora).to(device), head.to(device))
