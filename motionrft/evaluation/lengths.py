"""How many frames the T2M protocol asks a model for: drawn by Guo et al.'s estimator from the caption.

Every other protocol takes the reference motion's length, which tells a model what no user knows. The
released network (`length_est_bigru`, names as there) gives a distribution over numbers of four-frame units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from motionrft.checkpoints import load_into, read_checkpoint
from motionrft.corpus.dataset import UNIT
from motionrft.errors import InputError
from motionrft.evaluation.words import GloveReader
from motionrft.networks.recurrent import final_states

LEAK = 0.2
PREFIX = "lengths."
SOURCE = "length_est_bigru/model/latest.tar of the text-to-motion release"
# units below which a length is drawn again, and how often; the last draw stands whatever it is
SHORTEST = {"smpl22": 10, "kit21": 6}
DRAWS = 3


class LengthEstimator(nn.Module):
    """Word vectors [B, L, word], part-of-speech one-hots [B, L, pos], lengths [B] -> logits [B, units]."""

    def __init__(self, word: int, pos: int, hidden: int, head: int, units: int):
        super().__init__()
        self.pos_emb = nn.Linear(pos, word)
        self.input_emb = nn.Linear(word, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.hidden = nn.Parameter(torch.randn(2, 1, hidden))
        widths = (2 * hidden, head, head // 2, head // 4)
        layers: list[nn.Module] = []
        for width, narrower in pairwise(widths):
            layers += [nn.Linear(width, narrower), nn.LayerNorm(narrower), nn.LeakyReLU(LEAK)]
        self.output = nn.Sequential(*layers, nn.Linear(widths[-1], units))

    def forward(self, words: Tensor, pos: Tensor, lengths: Tensor) -> Tensor:
        sequence = self.input_emb(words + self.pos_emb(pos))
        logits: Tensor = self.output(final_states(self.gru, self.hidden, sequence, lengths))
        return logits


def read_estimator(path: str | Path) -> LengthEstimator:
    """The network of the released file, in eval mode. Any mismatch is an error."""
    return _network(read_checkpoint(path, "estimator", source=SOURCE), path)


def _network(state: dict[str, Tensor], where: str | Path) -> LengthEstimator:
    try:
        word, pos = state["pos_emb.weight"].shape
        units, hidden = len(state["output.9.bias"]), state["hidden"].shape[-1]
        head = len(state["output.0.bias"])
    except KeyError as error:
        raise InputError(
            "tensor missing", where=where, field=error.args[0], fix=f"use {SOURCE}"
        ) from None
    network = LengthEstimator(word, pos, hidden, head, units)
    load_into(network, state, where)
    return network.eval()


def estimator_tensors(network: LengthEstimator) -> dict[str, Tensor]:
    """The network as tensors of an evaluator file."""
    return {f"{PREFIX}{name}": value for name, value in network.state_dict().items()}


@dataclass(frozen=True)
class Lengths:
    """Draws lengths for captions. skeleton: names the shortest length (HumanML3D's or KIT's)."""

    network: LengthEstimator
    reader: GloveReader
    skeleton: str

    @classmethod
    def read(cls, tensors: dict[str, Tensor], reader: GloveReader, skeleton: str) -> Lengths:
        state = {
            key.removeprefix(PREFIX): value
            for key, value in tensors.items()
            if key.startswith(PREFIX)
        }
        return cls(_network(state, "evaluator"), reader, skeleton)

    @torch.no_grad()
    def __call__(self, captions: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """Frames [N] int64, multiples of four; the same for every model that is given the same seeds."""
        device = self.network.hidden.device
        shares = []
        for begin in range(0, len(captions), 128):
            words, pos, counts = self.reader(captions[begin : begin + 128])
            shares.append(self.network(words.to(device), pos.to(device), counts).softmax(-1).cpu())
        units = [
            self._draw(share, torch.Generator().manual_seed(seed))
            for share, seed in zip(torch.cat(shares), seeds, strict=True)
        ]
        # nothing at all can be drawn there; a motion has at least one unit here
        return UNIT * torch.tensor(units).clamp(min=1)

    def _draw(self, share: Tensor, generator: torch.Generator) -> int:
        units = 0
        for _ in range(DRAWS):
            units = int(torch.multinomial(share, 1, generator=generator))
            if units >= SHORTEST[self.skeleton]:
                break
        return units
