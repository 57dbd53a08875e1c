"""Every key that a run's `finetune:` section and a method's file may hold, with its default.

Free of torch: a run's settings are read when it is planned, where only Snakemake need be installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from motionrft.configuration import merge
from motionrft.errors import InputError
from motionrft.training.schedule import Schedule, learning_rate

if TYPE_CHECKING:
    from torch import Tensor

BUDGETS = ("updates", "trajectories", "denoiser_calls", "seconds")
NOT_SETTINGS = (
    "name", "family", "label", "baseline", "source", "open", "options", "reward_weights", "semantic_stage",
)  # fmt: skip
ACTIVATIONS = ("plain", "checkpoint", "exact")
MATCHING = ("snr", "index", "official")
REWARD_STATES = ("frozen", "official")
OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class Optimisation:
    """lr, AdamW's settings and the schedule, counted in this method's own updates.

    warmup     updates of linear warm-up; below 1, a share of the planned updates
    horizon    updates over which `cosine` decays to zero; 0: the planned updates
    clip       global gradient norm; 0: none
    explosion  a gradient longer than this many times the median of the last fifty is refused; 0: never
    """

    lr: float = 1e-5
    optimizer: str = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    warmup: float = 0.0
    schedule: Schedule = "constant"
    horizon: int = 0
    clip: float = 1.0
    explosion: float = 1000.0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise InputError(
                f"unknown optimiser {self.optimizer!r}",
                field="finetune.optimizer",
                fix="adamw or sgd",
            )
        if self.schedule not in ("constant", "cosine"):
            raise InputError(
                f"unknown schedule {self.schedule!r}",
                field="finetune.schedule",
                fix="constant or cosine",
            )
        for name in ("lr", "warmup", "clip", "explosion", "horizon"):
            if not getattr(self, name) >= 0:
                raise InputError(
                    f"{getattr(self, name)} is negative",
                    field=f"finetune.{name}",
                    fix="use 0 or more",
                )

    def rate(self, update: int, planned: int) -> float:
        warmup = self.warmup * planned if self.warmup < 1 else self.warmup
        return learning_rate(
            update,
            peak=self.lr,
            steps=self.horizon or planned,
            warmup=warmup,
            schedule=self.schedule,
        )


@dataclass(frozen=True)
class Loss:
    """Linear in the reward with factor `weight` (lambda), or ReFL's hinge when `margin` is given."""

    weight: float = 1.0
    margin: float | None = None

    def __call__(self, total: Tensor) -> Tensor:
        """[B] -> [B]"""
        if self.margin is None:
            return -self.weight * total
        return self.weight * (self.margin - total).relu()


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


def cell_settings(run: dict[str, Any], backbone: str, method: str) -> Settings:
    """The settings of one backbone with one method: the method's keys over the backbone's own `finetune` section
    over the run's over what the backbone says of `tune` and `lora`."""
    entry = run["backbones"][backbone]
    merged = {key: entry[key] for key in ("tune", "lora") if key in entry}
    for section in (run["finetune"], entry.get("finetune", {}), run["methods"][method]):
        merged = merge(merged, section)
    return Settings.read(merged, f"config/methods/{method}.yaml")


def _refuse(name: str, problem: str, fix: str) -> None:
    raise InputError(problem, where="finetune", field=name, fix=fix)
