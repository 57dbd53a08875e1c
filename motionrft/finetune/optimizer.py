"""The optimiser's side of fine-tuning: which weights step, how a bad gradient is refused, the schedule.

With chain optimisation the module samples with the weights a trajectory began with, while `policy`, a
second list of tensors, takes the steps; `refresh` copies it back in place when the trajectory ends.
With `ema` the run samples with the weights that step and keeps their moving average.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from motionrft.finetune.settings import Optimisation
from motionrft.training.ema import ExponentialAverage
from motionrft.training.optimizers import SGD, AdamW

NORMS_KEPT = 50


def make_optimizer(how: Optimisation, parameters: Sequence[Tensor]) -> AdamW | SGD:
    if how.optimizer == "sgd":
        return SGD(parameters, lr=how.lr)
    return AdamW(parameters, lr=how.lr, betas=how.betas, eps=how.eps, weight_decay=how.weight_decay)


class Updater:
    """Steps the weights of `parameters` (the module's own) from the gradients they have gathered.

    planned: updates the run is planned for (schedule); chain: the module keeps its weights until `refresh`.
    updates counts those that were refused (`skipped`) too; streak: refused ones in a row; rate: of the last one.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], how: Optimisation, *, planned: int, chain: bool
    ):
        self.parameters: list[Tensor] = list(parameters)
        self.how, self.planned = how, planned
        self.policy: list[Tensor] = (
            [parameter.detach().clone().requires_grad_() for parameter in parameters]
            if chain
            else self.parameters
        )
        self.chain = chain
        self.optimizer = make_optimizer(how, self.policy)
        self.average = ExponentialAverage(self.policy, how.ema) if how.ema else None
        self.updates = self.skipped = self.streak = 0
        self.rate = 0.0
        self.norms: list[float] = []

    def step(self, *, finite: bool = True) -> float:
        """Takes the gradients off the module, clips them and steps the policy, unless they are not finite
        or have exploded; then the step is skipped and counted. Returns their norm before clipping."""
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in self.parameters
        ]
        norm = float(torch.nn.utils.get_total_norm(gradients))
        self.rate = self.how.rate(self.updates, self.planned)
        usual = median(self.norms) if len(self.norms) >= 10 else 0.0
        exploded = bool(self.how.explosion and usual > 0 and norm > self.how.explosion * usual)
        taken = finite and math.isfinite(norm) and not exploded
        for parameter in self.parameters:
            parameter.grad = None
        if taken:
            if self.how.clip:
                factor = min(1.0, self.how.clip / (norm + 1e-6))
                if factor < 1.0:
                    torch._foreach_mul_(gradients, factor)
            for tensor, gradient in zip(self.policy, gradients, strict=True):
                tensor.grad = gradient
            self.optimizer.rate = self.rate
            self.optimizer.step()
            self.optimizer.zero_grad()
            if self.average is not None:
                self.average.update()
            self.streak = 0
            self.norms = [*self.norms[1 - NORMS_KEPT :], norm]
        else:
            self.skipped, self.streak = self.skipped + 1, self.streak + 1
        self.updates += 1
        return norm

    @torch.no_grad()
    def refresh(self) -> None:
        """The module takes over the policy's weights (chain optimisation); otherwise nothing."""
        if self.chain:
            torch._foreach_copy_(self.parameters, self.policy)

    @property
    def result(self) -> list[Tensor]:
        """The weights that are validated and kept: the policy's average, without one the policy's own."""
        return self.policy if self.average is None else self.average.shadow

    def weights(self) -> list[Tensor]:
        """A copy of the trained weights."""
        return [tensor.detach().clone() for tensor in self.policy]

    @torch.no_grad()
    def restore(self, weights: Sequence[Tensor]) -> None:
        torch._foreach_copy_([tensor.detach() for tensor in self.policy], list(weights))
        self.refresh()

    def state(self) -> dict[str, Any]:
        return {
            "weights": [tensor.detach() for tensor in self.policy],
            "sampling": [tensor.detach() for tensor in self.parameters] if self.chain else None,
            "optimizer": self.optimizer.state_dict(),
            "counts": (self.updates, self.skipped, self.streak),
            "norms": self.norms,
            "average": None if self.average is None else self.average.state_dict(),
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        torch._foreach_copy_([tensor.detach() for tensor in self.policy], state["weights"])
        if self.chain:
            torch._foreach_copy_([tensor.detach() for tensor in self.parameters], state["sampling"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates, self.skipped, self.streak = state["counts"]
        self.norms = list(state["norms"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def copied(state: Any) -> Any:
    """A state with copies of its tensors in the CPU's memory."""
    return tree_map_only(Tensor, lambda tensor: tensor.detach().to("cpu", copy=True), state)


def weights_of_now(
    parameters: Sequence[Tensor],
) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """A block inside which the parameters hold the values that they have now; they change places, so that there is
    no second model."""
    now = [parameter.detach().clone() for parameter in parameters]
    return lambda: swapped(parameters, now)


@contextlib.contextmanager
def swapped(parameters: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
    """Inside the block the parameters hold the values of `others`, and the other way round; nothing is copied."""
    _exchange(parameters, others)
    try:
        yield
    finally:
        _exchange(parameters, others)


def _exchange(parameters: Sequence[Tensor], others: Sequence[Tensor]) -> None:
    for parameter, other in zip(parameters, others, strict=True):
        parameter.data, other.data = other.data, parameter.data
