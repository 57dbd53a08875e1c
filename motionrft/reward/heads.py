"""The small networks that read an adapted embedding: a preference score, or real-against-generated logits."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


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
        return self.fc4(z)
