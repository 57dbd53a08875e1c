"""What a fine-tuning method is: a walk over the sampler that yields the samples to score and step on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError
from motionrft.finetune.trajectory import Lesson, Walk


@dataclass(frozen=True)
class Asked:
    """What one trajectory of a batch asks of the network and of the reward.

    forwards  denoising steps computed, each a guided call on the whole batch; less of one is a part of such a call
    live      those among them whose way back is computed too
    scorings  decodings and scorings, with a way back where the method differentiates
    states    x_i that are kept until the end
    """

    forwards: float
    live: float
    scorings: float
    states: int = 0


@dataclass(frozen=True)
class Method(ABC):
    """A method with its options, validated for a sampler of `steps` steps when it is made.

    A method that can score either form of a sample has an option `form` (one_step | noise_aware), which is the
    backbone's `reward_form` unless the method's configuration names one.

    chain            samples with the weights a trajectory began with, while a second set is updated
    counts           options that count denoising steps: a configuration may give them "of" the paper's 50
    trains           whether it learns weights; one that does not changes how a model samples (training_free.py)
    differentiates   whether it needs the reward's gradient, or its value alone
    needs_reference  whether it reads the network with the weights that training began with
    group            samples of each prompt, next to each other in a batch
    reads_motions    learns from the recorded motions of its prompts, as pre-training does
    """

    steps: int

    chain: ClassVar[bool] = False
    counts: ClassVar[tuple[str, ...]] = ()
    trains: ClassVar[bool] = True
    differentiates: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = False
    reads_motions: ClassVar[bool] = False

    @property
    def group(self) -> int:
        return 1

    def check(self, table: StepTable) -> None:  # noqa: B027 - most methods walk any table
        """Raises `InputError` for a sampler that the method is not defined on."""

    @abstractmethod
    def samples(self, walk: Walk) -> Iterator[Lesson]:
        """One trajectory. The optimiser may step between two samples: what is walked after it, is walked with
        the new weights."""

    def updates_per_trajectory(self) -> int:
        return 1

    def most_live(self) -> int:
        """Live steps whose graphs exist together, at most (memory_plan.py)."""
        return self.steps

    def asked(self, guided: bool) -> Asked | None:
        """What a trajectory asks for where a method does not leave its steps to `Walk.run`; None: those count themselves.

        guided: a call of the network computes a conditional and an unconditional half.
        """
        del guided
        return None


def require(holds: bool, problem: str, option: str, fix: str) -> None:
    if not holds:
        raise InputError(problem, where="method", field=option, fix=fix)


def require_one_of(known: Collection[str], value: str, option: str) -> None:
    require(
        value in known, f"unknown {option} {value!r}", option, f"choose from {', '.join(known)}"
    )


def require_count(value: int, steps: int, option: str) -> None:
    """1 <= value <= steps, for options that count denoising steps."""
    require(
        1 <= value <= steps,
        f"{value} of a sampler of {steps} steps",
        option,
        f"choose 1 to {steps}, or give `of:` so that it scales with the sampler",
    )
