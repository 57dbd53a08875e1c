"""The `reward:` section of a run, read and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from motionrft.errors import InputError
from motionrft.reward.lora import LoraSettings
from motionrft.reward.losses import LossWeights
from motionrft.reward.noise_schedule import NoiseLaw
from motionrft.training.loop import TrainSettings

T = TypeVar("T")


@dataclass(frozen=True)
class OfficialBehaviour:
    """Switches that restore what the released code does where this suite does otherwise; all off by default.

    noise            stage 1: a coin per batch (not per motion), noise on padding, the noised motion as
                     target, a random time token on clean motions, the un-normalised step law
    reconstruction   stage 1: the reconstruction mean counts padding
    alignment        stage 1: kinematic-joint alignment only; authenticity without rotation
    selection        the test split selects the weights
    sampled          retrieval, heads and rewards read random draws, not means
    padded_pairs     stage 2: pairs padded to the longest frame count and attended throughout, no time token
    leaking_mask     stage 3: real clips marked full length behind zero padding, generated ones padded
                     before normalisation and marked with true lengths, no time token
    unbalanced       stage 3: every motion weighs the same, however many generators stand against the real
    spl_softmax      SPL divides by its temperature twice and takes the logarithm of a soft-max, infinite once
                     it underflows
    no_clean_token   retrieval and reward give a clean motion no time token
    """

    noise: bool = False
    reconstruction: bool = False
    alignment: bool = False
    selection: bool = False
    sampled: bool = False
    padded_pairs: bool = False
    leaking_mask: bool = False
    unbalanced: bool = False
    spl_softmax: bool = False
    no_clean_token: bool = False

    @property
    def selection_split(self) -> str:
        return "test" if self.selection else "val"


@dataclass(frozen=True)
class SplSettings:
    """Self-refinement (EasyTune section 4.2). pool: `split` mines in the training split every `every`
    steps, `batch` in the batch (as released); k: how many of the pool count as retrieved; a text whose
    row exceeds `confident` counts as solved (released: 0.8; none: off); weight: of the SPL term."""

    k: int = 10
    pool: str = "split"
    every: int = 100
    temperature: float = 0.1
    confident: float | None = None
    weight: float = 0.01


STAGES = ("semantic", "preference", "authenticity", "spl")


@dataclass(frozen=True)
class RewardSettings:
    """Everything the reward's rules read. `stages` maps a stage to {train: TrainSettings keys, …};
    `decode_rows`: motions a batch that the semantic stage reconstructs (0: all); `initial_logvar`: added to
    the log-variances of the untrained network (official 0: the first samples are mostly noise)."""

    text: str
    network: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    weights: dict[str, float]
    noise: NoiseLaw = field(default_factory=NoiseLaw)
    losses: LossWeights = field(default_factory=LossWeights)
    temperature: float = 0.1
    filter: float = 0.9
    decode_rows: int = 0
    initial_logvar: float = 0.0
    lora: LoraSettings = field(default_factory=LoraSettings)
    official: OfficialBehaviour = field(default_factory=OfficialBehaviour)

    @classmethod
    def read(cls, section: Mapping[str, Any], where: str = "config") -> RewardSettings:
        """From `config["reward"]`. A missing or unknown key is an `InputError` naming it."""
        values = dict(section)
        _check(values, {entry.name for entry in fields(cls)}, where, "reward")
        for name in ("text", "network", "stages", "weights"):
            if name not in values:
                raise InputError(
                    "missing",
                    where=where,
                    field=f"reward.{name}",
                    fix="see config/reward/small.yaml",
                )
        _check(values["stages"], set(STAGES), where, "reward.stages")
        for name, kind in (
            ("noise", NoiseLaw),
            ("losses", LossWeights),
            ("lora", LoraSettings),
            ("official", OfficialBehaviour),
        ):
            values[name] = build(kind, values.get(name, {}), where, f"reward.{name}")
        if values["official"].noise:
            values["noise"] = replace(values["noise"], official=True)
        return cls(**values)

    def train(self, stage: str, **extra: Any) -> TrainSettings:
        """The training settings of a stage."""
        place = f"reward.stages.{stage}.train"
        section = self.stages.get(stage, {}).get("train")
        if section is None:
            raise InputError("missing", field=place, fix="see config/reward/small.yaml")
        return TrainSettings.read(section, place, **extra)

    def spl(self) -> SplSettings:
        section = {key: value for key, value in self.stages["spl"].items() if key != "train"}
        return build(SplSettings, section, "", "reward.stages.spl")


def build(kind: type[T], section: Mapping[str, Any], where: str, place: str) -> T:
    """A settings dataclass from a mapping; unknown keys are an error."""
    _check(section, {entry.name for entry in fields(kind)}, where, place)  # type: ignore[arg-type]
    return kind(**section)


def _check(section: Mapping[str, Any], known: set[str], where: str, place: str) -> None:
    unknown = sorted(set(section) - known)
    if unknown:
        raise InputError(
            f"unknown key {unknown[0]!r}",
            where=where,
            field=place,
            fix=f"known keys: {', '.join(sorted(known))}",
        )
