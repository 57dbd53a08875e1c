"""Every key that a run's `finetune:` section and a method's file may hold, with its default.

Free of torch: a run's settings are read when it is planned, where only Snakemake need be installed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from motionrft.configuration import merge
from motionrft.errors import InputError
from motionrft.options import read_options, refuse_unknown
from motionrft.training.schedule import Schedule, learning_rate

if TYPE_CHECKING:
    from torch import Tensor

BUDGETS = ("updates", "trajectories", "denoiser_calls", "seconds")
NOT_SETTINGS = (
    "name", "family", "label", "baseline", "sweep_of", "source", "open", "options", "reward_weights", "semantic_stage",
    "by_name", "training", "needs", "values",
)  # fmt: skip
Activations = Literal["plain", "checkpoint", "exact"]
ACTIVATIONS: tuple[Activations, ...] = get_args(Activations)


@dataclass(frozen=True)
class Optimisation:
    """lr, AdamW's settings and the schedule, counted in this method's own updates.

    warmup     updates of linear warm-up; below 1, a share of the planned updates
    horizon    updates over which `cosine` decays to zero; 0: the planned updates
    clip       global gradient norm; 0: none
    explosion  a gradient longer than this many times the median of the last fifty is refused; 0: never
    ema        decay of the weights' moving average, which is what is validated, selected and kept; 0: none
    """

    lr: float = 1e-5
    optimizer: Literal["adamw", "sgd"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    warmup: float = 0.0
    schedule: Schedule = "constant"
    horizon: int = 0
    clip: float = 1.0
    explosion: float = 1000.0
    ema: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.ema < 1:
            _refuse("ema", f"{self.ema} is no decay", "use 0 or more, and less than 1")
        for name in ("lr", "warmup", "clip", "explosion", "horizon"):
            if not getattr(self, name) >= 0:
                _refuse(name, f"{getattr(self, name)} is negative", "use 0 or more")

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
    """-weight * R (EasyTune eq. 1), or with `margin` ReFL's hinge, weight * relu(margin - R)."""

    weight: float = 1.0
    margin: float | None = None

    def __call__(self, total: Tensor) -> Tensor:
        """[B] -> [B]"""
        if self.margin is None:
            return -self.weight * total
        return self.weight * (self.margin - total).relu()


@dataclass(frozen=True)
class GradientSettings:
    """What of the reward's gradient is kept (confinement.py); the suite's own, the papers keep all of it.

    components  principal components of the training motions that it is projected onto; 0: all directions
    smooth      standard deviation of a Gaussian over time, in frames; 0: none
    """

    components: int = 0
    smooth: float = 0.0

    def __post_init__(self) -> None:
        for name in ("components", "smooth"):
            if getattr(self, name) < 0:
                _refuse(f"gradient.{name}", f"{getattr(self, name)} is negative", "use 0 or more")


@dataclass(frozen=True)
class Budget:
    """Exactly one of: optimiser updates, trajectories, denoiser forwards + backwards, seconds."""

    kind: str
    amount: float

    def spent(self, updates: int, trajectories: int, calls: float, seconds: float) -> float:
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
    memory           auto: slices, micro_batch and activations go on from what is set to what fits (memory_plan.py);
                     fixed: they stay
    memory_gib       what the run may take; 0: what the card has free (a CPU then has no limit)
    slices           the batch is run in so many pieces whose gradients are summed (accumulation)
    activations      plain | checkpoint | exact (trajectory.py)
    micro_batch      rows decoded and scored at once; 0: all
    precision        fp32 | bf16: of the decoder and the reward, forward and backward; steps, scores and loss stay fp32.
                     bf16 moves the gradient by less than a hundredth of its length
    denoiser_precision  fp32 | bf16: of the network. With guidance bf16 turns its gradient (cosine .78 at 7.5)
    compile          torch.compile on the network; without a compiler a line says so and it runs as it is
    tune, lora       full, or lora with {rank, alpha}
    kl               weight of the KL to the pre-trained model
    data_loss        weight of the backbone's pre-training loss on the batch's recorded motions, added to every update (ours;
                     the mix of InstructGPT, arXiv 2203.02155, eq. 2)
    loss             {weight: lambda, margin: hinge or null}
    gradient         {components, smooth}: what of the reward's gradient is kept (ours; default all)
    levels           snr (reward_timestep.py) | official
    reward_state     frozen (eval mode, no gradient) | official
    references       whether the reward sees the true motion of each prompt; the released baselines did not
    sampled          embeddings drawn instead of their means
    train_dropout    dropout on in the network while it samples and learns
                     (these and the two `official`: the released code, released.py)
    validate_every   updates; 0: never
    validate_prompts prompts of a validation
    validate_split   val | test: the released code's rule, which chooses on what it reports
    select           best | last: which weights the run ends with; by `select_by` on the validation split (a leading - for
                     names of which less is better: -FID; several, with commas: their mean gain in standard errors,
                     if none lost one, selection.py)
    reward_ceiling   the run ends when the validation reward is this share of that of the recorded motions, beyond which a
                     reward is over-optimised; 0: never
    patience         validations without improvement before the run stops; 0: never
    max_skipped      refused updates in a row that end the run with the last good weights
    checkpoint_minutes  between two checkpoints; 0: after every `checkpoint_every` trajectories
    checkpoint_every trajectories; checkpoints fall on multiples of it
    probe_every      trajectories between two memory measurements
    reward_steps     spacing of the reward levels that time and FLOPs are given for
    """

    budget: Budget
    optimisation: Optimisation = field(default_factory=Optimisation)
    batch_size: int = 64
    memory: Literal["auto", "fixed"] = "auto"
    memory_gib: float = 0.0
    slices: int = 1
    activations: Activations = "plain"
    micro_batch: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    denoiser_precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    tune: Literal["full", "lora"] = "full"
    lora: dict[str, Any] = field(default_factory=dict)
    kl: float = 0.0
    data_loss: float = 0.0
    loss: Loss = field(default_factory=Loss)
    gradient: GradientSettings = field(default_factory=GradientSettings)
    levels: Literal["snr", "official"] = "snr"
    reward_state: Literal["frozen", "official"] = "frozen"
    references: bool = True
    sampled: bool = False
    train_dropout: bool = False
    validate_every: int = 0
    validate_prompts: int = 64
    validate_split: Literal["val", "test"] = "val"
    select: Literal["best", "last"] = "last"
    select_by: str = "reward"
    reward_ceiling: float = 0.0
    patience: int = 0
    max_skipped: int = 20
    checkpoint_minutes: float = 5.0
    checkpoint_every: int = 1
    probe_every: int = 25
    reward_steps: float = 0.05

    def __post_init__(self) -> None:
        for name, least in {
            "batch_size": 1,
            "slices": 1,
            "memory_gib": 0,
            "micro_batch": 0,
            "validate_every": 0,
            "validate_prompts": 2,
            "patience": 0,
            "reward_ceiling": 0,
            "max_skipped": 1,
            "checkpoint_minutes": 0,
            "checkpoint_every": 1,
            "probe_every": 1,
            "kl": 0,
            "data_loss": 0,
        }.items():
            if getattr(self, name) < least:
                _refuse(name, f"{getattr(self, name)} is below {least}", f"use {least} or more")
        if self.batch_size % self.slices:
            _refuse(
                "slices",
                f"a batch of {self.batch_size} is not {self.slices} equal pieces",
                "choose a divisor",
            )
        if self.data_loss and not self.references:
            _refuse(
                "data_loss", "the batch has no recorded motions", "leave finetune.references at true"
            )
        if self.activations == "exact" and self.train_dropout:
            _refuse(
                "activations",
                "recomputed steps would draw other dropout masks",
                "use plain or checkpoint",
            )
        validated = self.select == "best" or self.patience or self.reward_ceiling
        if validated and not self.validate_every:
            problem = "selection, patience and reward_ceiling need validations"
            fix = "set validate_every; or select: last, reward_ceiling: 0 and patience: 0"
            _refuse("select", problem, fix)

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
        if not budgets[0][1] > 0:
            raise InputError(
                f"{budgets[0][1]}", where=where, field=budgets[0][0], fix="use a number above 0"
            )
        values = {key: value for key, value in values.items() if key not in BUDGETS}
        optimiser = {entry.name for entry in fields(Optimisation)}
        known = {entry.name for entry in fields(cls)} - {"budget", "optimisation"}
        refuse_unknown(values, known | optimiser | set(BUDGETS), where=where, field="finetune")
        optimisation = {name: values.pop(name) for name in optimiser.intersection(values)}
        return read_options(
            cls,
            values,
            where=where,
            field="finetune",
            budget=Budget(*budgets[0]),
            optimisation=read_options(Optimisation, optimisation, where=where, field="finetune"),
        )


def cell_settings(run: dict[str, Any], backbone: str, method: str) -> Settings:
    """The settings of one backbone with one method: the cell's own keys (`override.cells`) over the method's over the
    backbone's own `finetune` section over the run's over what the backbone says of `tune` and `lora`."""
    entry = run["backbones"][backbone]
    merged = {key: entry[key] for key in ("tune", "lora") if key in entry}
    cell = run.get("cells", {}).get(f"{backbone}/{method}", {})
    for section in (run["finetune"], entry.get("finetune", {}), run["methods"][method], cell):
        merged = merge(merged, section)
    return Settings.read(merged, f"config/methods/{method}.yaml")


def _refuse(name: str, problem: str, fix: str) -> None:
    raise InputError(problem, where="finetune", field=name, fix=fix)
