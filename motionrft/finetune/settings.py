"""Every key that a run's `finetune:` section and a method's file may hold, with its default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from motionrft.errors import InputError
from motionrft.finetune.levels import MATCHING
from motionrft.finetune.method import ACTIVATIONS
from motionrft.finetune.objective import Loss
from motionrft.finetune.update import Optimisation

BUDGETS = ("updates", "trajectories", "denoiser_calls", "seconds")
NOT_SETTINGS = (
    "name", "family", "label", "baseline", "source", "open", "options", "reward_weights", "semantic_stage",
)  # fmt: skip
REWARD_STATES = ("frozen", "official")


@dataclass(frozen=True)
class Budget:
    """Exactly one of: optimiser updates, trajectories, denoiser forwards + backwards, seconds."""

    kind: str
    amount: float

    def spent(self, updates: int, trajectories: int, calls: int, seconds: float) -> float:
        """The share of the budget that is used up."""
        used = {
            "updates": updates,
            "trajectories": trajectories,
            "denoiser_calls": calls,
            "seconds": seconds,
        }[self.kind]
        return used / self.amount

    def planned_updates(self, per_trajectory: int, calls_per_trajectory: float) -> int:
        """Updates the run is expected to make (schedule); only a guess for `seconds`."""
        if self.kind == "updates":
            return int(self.amount)
        if self.kind == "trajectories":
            return int(self.amount * per_trajectory)
        if self.kind == "denoiser_calls":
            return max(int(self.amount / calls_per_trajectory * per_trajectory), 1)
        return 0


@dataclass(frozen=True)
class Settings:
    """What is common to all methods, or set for one of them.

    batch_size       prompts a trajectory
    slices           the batch is run in so many pieces whose gradients are summed (accumulation)
    activations      plain | checkpoint | exact (method.py)
    micro_batch      rows decoded and scored at once; 0: all
    precision        fp32 | bf16: the network's forward and backward; tables, reward and loss stay fp32
    compile          torch.compile on the network
    tune, lora       full, or lora with {rank, alpha}
    kl               weight of the KL to the pre-trained model
    loss             {weight: lambda, margin: hinge or null}
    levels           snr | index | official (levels.py)
    reward_state     frozen (eval mode, no gradient) | official (train mode, its weights gather gradients)
    references       whether the reward sees the true motion of each prompt; the released baselines did not
    sampled          embeddings drawn instead of their means (the released reward)
    train_dropout    dropout on in the network while it samples and learns (the released loops)
    validate_every   updates; 0: never
    validate_prompts prompts of a validation
    select           best | last: which weights the run ends with; by `select_by` on the validation split (a leading - for
                     names of which less is better: -FID)
    patience         validations without improvement before the run stops; 0: never
    max_skipped      refused updates in a row that end the run with the last good weights
    checkpoint_every trajectories
    probe_every      trajectories between two memory measurements
    reward_steps     spacing of the reward levels that time and FLOPs are given for
    """

    budget: Budget
    optimisation: Optimisation = field(default_factory=Optimisation)
    batch_size: int = 64
    slices: int = 1
    activations: str = "plain"
    micro_batch: int = 0
    precision: str = "fp32"
    compile: bool = False
    tune: str = "full"
    lora: dict[str, Any] = field(default_factory=dict)
    kl: float = 0.0
    loss: Loss = field(default_factory=Loss)
    levels: str = "snr"
    reward_state: str = "frozen"
    references: bool = True
    sampled: bool = False
    train_dropout: bool = False
    validate_every: int = 0
    validate_prompts: int = 64
    select: str = "last"
    select_by: str = "reward"
    patience: int = 0
    max_skipped: int = 20
    checkpoint_every: int = 20
    probe_every: int = 25
    reward_steps: float = 0.05

    def __post_init__(self) -> None:
        choices: dict[str, Sequence[str]] = {
            "activations": ACTIVATIONS,
            "precision": ("fp32", "bf16"),
            "tune": ("full", "lora"),
            "levels": MATCHING,
            "reward_state": REWARD_STATES,
            "select": ("best", "last"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                _refuse(
                    name,
                    f"unknown value {getattr(self, name)!r}",
                    f"choose from {', '.join(known)}",
                )
        for name, least in {
            "batch_size": 1,
            "slices": 1,
            "validate_every": 0,
            "validate_prompts": 2,
            "patience": 0,
            "max_skipped": 1,
            "checkpoint_every": 1,
            "probe_every": 1,
            "kl": 0,
        }.items():
            if getattr(self, name) < least:
                _refuse(name, f"{getattr(self, name)} is below {least}", f"use {least} or more")
        if self.batch_size % self.slices:
            _refuse(
                "slices",
                f"a batch of {self.batch_size} is not {self.slices} equal pieces",
                "choose a divisor",
            )
        if self.activations == "exact" and self.train_dropout:
            _refuse(
                "activations",
                "recomputed steps would draw other dropout masks",
                "use plain or checkpoint",
            )
        if (self.select == "best" or self.patience) and not self.validate_every:
            _refuse("select", "selection and patience need validations", "set validate_every")

    @classmethod
    def read(cls, section: dict[str, Any], where: str = "finetune") -> Settings:
        """From the merged `finetune:` and method sections; options of the method itself are left alone."""
        values = {key: value for key, value in section.items() if key not in NOT_SETTINGS}
        budgets = [(kind, values.pop(kind)) for kind in BUDGETS if values.get(kind) is not None]
        if len(budgets) != 1:
            raise InputError(
                f"{len(budgets)} budgets",
                where=where,
                field="finetune",
                fix=f"give exactly one of {', '.join(BUDGETS)} (null takes one back)",
            )
        values = {key: value for key, value in values.items() if key not in BUDGETS}
        if not budgets[0][1] > 0:
            raise InputError(
                f"{budgets[0][1]}", where=where, field=budgets[0][0], fix="use a number above 0"
            )
        how = {f.name: values.pop(f.name) for f in fields(Optimisation) if f.name in values}
        if "betas" in how:
            how["betas"] = tuple(how["betas"])
        known = {f.name for f in fields(cls)} - {"budget", "optimisation"}
        unknown = sorted(set(values) - known)
        if unknown:
            everything = sorted(known | {f.name for f in fields(Optimisation)} | set(BUDGETS))
            raise InputError(
                f"unknown key {unknown[0]!r}",
                where=where,
                field="finetune",
                fix=f"known: {', '.join(everything)}",
            )
        if "loss" in values:
            extra = sorted(set(values["loss"]) - {"weight", "margin"})
            if extra:
                raise InputError(
                    f"unknown key {extra[0]!r}",
                    where=where,
                    field="loss",
                    fix="known: weight, margin",
                )
            values["loss"] = Loss(**values["loss"])
        return cls(budget=Budget(*budgets[0]), optimisation=Optimisation(**how), **values)


def _refuse(name: str, problem: str, fix: str) -> None:
    raise InputError(problem, where="finetune", field=name, fix=fix)
