"""The one differentiable sampler: generation, evaluation and every fine-tuning method walk it."""

from __future__ import annotations

import copy
import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from motionrft.diffusion.casts import copied_once
from motionrft.diffusion.philox import normals
from motionrft.diffusion.recompute import recomputed
from motionrft.diffusion.table import StepTable


class Denoiser(Protocol):
    """What a sampler asks of a network. `condition` is whatever it reads beside x and t; a walk hands it on."""

    def guided(self, x: Tensor, t: Tensor, condition: Any, scale: float) -> Tensor:
        """The network's output of x's shape, guided by `scale`. x [B, …], t [B]."""
        ...

    def width(self, frames: int) -> int:
        """Positions of x that `frames` frames take."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


@dataclass(frozen=True)
class Step:
    """One denoising step i: x_t, what the network said of it, the clean estimate and x_{t-1}."""

    i: int
    x: Tensor
    output: Tensor
    clean: Tensor
    next: Tensor


class Noise(Protocol):
    """start: x_T [B, …]; calling it with a step gives that step's fresh noise [B, …]."""

    start: Tensor

    def __call__(self, i: int) -> Tensor: ...


class SeededNoise:
    """Every sample's own noise, whatever the batch it is in.

    Number n of sample b at a step is a function of (seeds[b], step, n) alone (`philox`), drawn on `device`: a
    sample depends neither on its batch mates nor on the batch's padding, nor on the device. shape: of one sample's x,
    positions first, so that a shorter x is the beginning of a longer one.
    """

    def __init__(
        self, seeds: Sequence[int], shape: tuple[int, ...], device: torch.device | str = "cpu"
    ):
        # of a seed beyond 63 bits the bits count, which int64 reads as a sign
        bits = [(seed + 2**63) % 2**64 - 2**63 for seed in seeds]
        self.seeds, self.shape = torch.tensor(bits, dtype=torch.int64, device=device), shape
        self.start = self(-1)

    def __call__(self, i: int) -> Tensor:
        return normals(self.seeds, i + 1, math.prod(self.shape)).view(len(self.seeds), *self.shape)


class Sampler:
    """A network, the step table it is walked on, and the scale of its guidance."""

    def __init__(self, denoiser: Denoiser, table: StepTable, guidance: float):
        self.denoiser, self.table, self.guidance = denoiser, table, guidance

    def __len__(self) -> int:
        return len(self.table)

    def on(self, table: StepTable) -> Self:
        """The same network walked on another table."""
        other = copy.copy(self)
        other.table = table
        return other

    def conditional(self, rows: float = 1.0) -> Self:
        """The same network without guidance; rows: of one of its calls, as a share of a guided call's."""
        del rows
        other = copy.copy(self)
        other.guidance = 1.0
        return other

    def output(self, i: int, x: Tensor, condition: Any) -> Tensor:
        """The guided network output o_i of x [B, …]."""
        return self.denoiser.guided(x, self.table.time(i, x), condition, self.guidance)

    def walk(
        self,
        condition: Any,
        noise: Noise,
        *,
        start: int = 0,
        stop: int | None = None,
        x: Tensor | None = None,
        live: Container[int] = (),
        cut_input: bool = False,
        recompute: bool = False,
    ) -> Iterator[Step]:
        """Steps `start … stop-1`. Gradient flows through the network output of `live` steps only; the
        affine path A_i x_i always carries it; `cut_input` detaches what the network reads (DRTune). An output without
        gradient in x is held as its noise estimate is (`StepTable.hold_noise`).
        `recompute` keeps only a live step's input and runs the network again on the way back."""
        x = noise.start if x is None else x
        for i in range(start, len(self) if stop is None else stop):
            with torch.set_grad_enabled(torch.is_grad_enabled() and i in live):
                read = x.detach() if cut_input else x
                if recompute and torch.is_grad_enabled():
                    output = self._recomputed(i, read, condition)
                else:
                    output = self.output(i, read, condition)
            fresh = noise(i) if self.table[i].C != 0.0 else None
            constant = cut_input or i not in live
            moved = self.table.hold_noise(i, x, output) if constant else output
            following = self.table.advance(i, x, moved, fresh)
            yield Step(i, x, output, self.table.clean(i, x, moved), following)
            x = following

    def _recomputed(self, i: int, x: Tensor, condition: Any) -> Tensor:
        trained = [parameter for parameter in self.denoiser.parameters() if parameter.requires_grad]
        return recomputed(lambda read: self.output(i, read, condition), trained, x)

    @torch.no_grad()
    def sample(self, condition: Any, noise: Noise) -> Tensor:
        """The final sample x [B, …] in the backbone's own space. A network in bf16 casts its weights once."""
        with copied_once(noise.start.device):
            return self._final(condition, noise)

    def _final(self, condition: Any, noise: Noise) -> Tensor:
        """`sample`, as the sampler has it."""
        x = noise.start
        for step in self.walk(condition, noise):
            x = step.next
        return x
