"""What a fine-tuning method is: a walk over the sampler that yields the samples to score and step on.

Drop-in: `motionrft/finetune/methods/<family>.py` defines `METHOD`, a frozen dataclass of its options;
`config/methods/<name>.yaml` names the family and the options.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from motionrft import drop_ins
from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import Noise, Sampler
from motionrft.errors import InputError


@dataclass(frozen=True)
class Event:
    """One sample for the reward to score.

    z       [B, …]  the sample, in the backbone's space
    level   which x_i it is (its noise level), or None for a clean estimate
    step    the denoising step it came from
    pull    takes dL/dz and adds dL/dtheta to the parameters' gradients
    weight  factor on its loss
    update  whether the optimiser steps after it
    """

    z: Tensor
    level: int | None
    step: int
    pull: Callable[[Tensor], None]
    weight: float = 1.0
    update: bool = True


@dataclass(frozen=True)
class Anchor:
    """KL to the pre-trained model: beta * mean ||o - o_ref||^2 on every live step. The paper does not
    publish its formula; for equal variances the KL of two denoising steps is this up to a constant."""

    beta: float
    reference: Callable[[int, Tensor, Condition], Tensor]

    def penalty(self, i: int, x: Tensor, output: Tensor, condition: Condition) -> Tensor:
        return self.beta * (output - self.reference(i, x.detach(), condition)).square().mean()


@dataclass(frozen=True)
class Rollout:
    """All a method needs for one trajectory.

    rng          the draws of the method itself, apart from the noise's
    progress     how far training is, 0 to 1 (curriculum)
    trusted      whether the reward was trained at the noise level of x_i
    activations  plain: the graph is kept; checkpoint: each live step is computed again on the way
                 back; exact: nothing is kept but x_i, and the gradient is walked back by hand
    """

    sampler: Sampler
    condition: Condition
    noise: Noise
    rng: random.Random
    progress: float = 0.0
    trusted: Callable[[int], bool] = lambda i: True
    activations: str = "plain"
    anchor: Anchor | None = None


@dataclass(frozen=True)
class Method(ABC):
    """A method with its options, validated for a sampler of `steps` steps when it is made.

    A method that can score either form of a sample has an option `form` (one_step | noise_aware), which is the
    backbone's `reward_form` unless the method's configuration names one.
    """

    steps: int

    chain: ClassVar[bool] = False
    # options that count denoising steps: a configuration may give them "of" the paper's 50
    counts: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def events(self, rollout: Rollout) -> Iterator[tuple[Event, ...]]:
        """One trajectory. Events of one tuple share their weights and may be scored together."""

    def updates_per_trajectory(self) -> int:
        return 1


def require(holds: bool, problem: str, option: str, fix: str) -> None:
    if not holds:
        raise InputError(problem, where="method", field=option, fix=fix)


def require_count(value: int, steps: int, option: str) -> None:
    """1 <= value <= steps, for options that count denoising steps."""
    require(
        1 <= value <= steps,
        f"{value} of a sampler of {steps} steps",
        option,
        f"choose 1 to {steps}, or give `of:` so that it scales with the sampler",
    )


def method_family(name: str) -> type[Method]:
    """The `METHOD` of `motionrft/finetune/methods/<name>.py`."""
    method: type[Method] = drop_ins.load(
        "motionrft.finetune.methods", name, "method family", "family"
    ).METHOD
    return method


def read_method(settings: dict[str, Any], steps: int, reward_form: str) -> Method:
    """A method from its configuration: {family, options: {…, of: 50}} for a sampler of `steps` steps, on a
    backbone with that reward form.

    With `of: n` the options that count steps are meant for a sampler of n steps and scale to this one.
    """
    where = f"config/methods/{settings.get('name', settings['family'])}.yaml"
    kind = method_family(settings["family"])
    options = dict(settings.get("options", {}))
    of = options.pop("of", None)
    known = {field.name for field in fields(kind)} - {"steps"}
    unknown = sorted(set(options) - known)
    if unknown:
        raise InputError(
            f"unknown option {unknown[0]!r}",
            where=where,
            field="options",
            fix=f"known: {', '.join(sorted(known))}, of",
        )
    if "form" in known:
        options.setdefault("form", reward_form)
    if of is not None:
        options = {
            key: _scaled(value, kind.counts, steps / of, key) for key, value in options.items()
        }
    return kind(steps=steps, **options)


def _scaled(value: Any, counts: tuple[str, ...], ratio: float, key: str) -> Any:
    if isinstance(value, dict):
        return {inner: _scaled(entry, counts, ratio, inner) for inner, entry in value.items()}
    return max(1, round(value * ratio)) if key in counts and value else value
