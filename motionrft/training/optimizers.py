"""AdamW and SGD on torch's own functional steps, without the optimiser classes' import of `torch._dynamo`.

`torch.optim.Optimizer` loads the compiler, 1.5 s, when the first one is constructed. The update rule and the layout
of the state are torch's: a checkpoint of the one is read by the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw


class AdamW:
    """Loshchilov & Hutter (2019), algorithm 2, fused, over `parameters` of which each has a gradient or is left alone.

    rate: the learning rate of the next step.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        self.parameters = list(parameters)
        self.rate, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.moments: dict[int, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient."""
        rows = [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None]
        if not rows:
            return
        for i in rows:
            if i not in self.moments:
                self.moments[i] = self._new_moments(self.parameters[i])
        states = [self.moments[i] for i in rows]
        adamw(
            [self.parameters[i] for i in rows],
            [gradient for i in rows if (gradient := self.parameters[i].grad) is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.rate,
            weight_decay=self.weight_decay,
            eps=self.eps,
            maximize=False,
        )

    def _new_moments(self, parameter: Tensor) -> dict[str, Tensor]:
        return {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """In the layout of `torch.optim.AdamW`; tensors are the optimiser's own."""
        group = {
            "lr": self.rate,
            "betas": self.betas,
            "eps": self.eps,
            "weight_decay": self.weight_decay,
        }
        group["params"] = list(range(len(self.parameters)))
        return {
            "state": {i: dict(state) for i, state in self.moments.items()},
            "param_groups": [group],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copies the moments of every parameter; the rate and the settings stay what they are."""
        self.moments = {
            i: {
                name: value.to(self.parameters[i].device, copy=True)
                for name, value in moments.items()
            }
            for i, moments in state["state"].items()
        }


class SGD:
    """theta <- theta - rate * gradient, with the interface of `AdamW`."""

    def __init__(self, parameters: Sequence[Tensor], lr: float):
        self.parameters, self.rate = list(parameters), lr

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient."""
        pairs = [(entry, entry.grad) for entry in self.parameters if entry.grad is not None]
        if pairs:
            tensors, gradients = zip(*pairs, strict=True)
            torch._foreach_add_(list(tensors), list(gradients), alpha=-self.rate)

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"state": {}, "param_groups": [{"lr": self.rate}]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to take: it keeps no moments."""
