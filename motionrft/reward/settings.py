"""The `reward:` section of a run, read and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from motionrft import drop_ins
from motionrft.errors import InputError
from motionrft.options import read_options, refuse_unknown
from motionrft.reward.lora import LoraSettings
from motionrft.reward.losses import LossWeights
from motionrft.reward.network import RewardNetwork
from motionrft.reward.noise_schedule import NoiseLaw
from motionrft.reward.released import SWITCHES, rules_of
from motionrft.reward.rules import Rules
from motionrft.reward.semantic_objective import SemanticLoss
from motionrft.training.loop import TrainSettings


@dataclass(frozen=True)
class RewardSettings:
    """Everything the reward's rules read.

    text            the text encoder it reads captions with
    network         sizes (`NetworkSettings`)
    stages          by name: {train: TrainSettings keys, …}
    weights         of the reward's terms, by name
    decode_rows     motions a batch that the semantic stage reconstructs (0: all)
    recompute       the semantic stage's encoders are computed again on the way back: the same gradient, less memory
    initial_logvar  added to the log-variances of the untrained network (released 0: the first samples are
                    mostly noise)
    official        which switches of `released.py` are on
    rules           the sound rules but for those
    """

    text: str
    network: Mapping[str, Any]
    stages: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, float]
    noise: NoiseLaw = field(default_factory=NoiseLaw)
    losses: LossWeights = field(default_factory=LossWeights)
    temperature: float = 0.1
    filter: float = 0.9
    decode_rows: int = 0
    recompute: bool = False
    initial_logvar: float = 0.0
    lora: LoraSettings = field(default_factory=LoraSettings)
    official: Mapping[str, bool] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)

    @classmethod
    def read(cls, section: Mapping[str, Any], where: str = "config") -> RewardSettings:
        """From `config["reward"]`. A missing or unknown key is an `InputError` naming it."""
        values = dict(section)
        switches = dict.fromkeys(SWITCHES, False) | dict(values.pop("official", {}))
        rules = rules_of(switches, where)
        noise = read_options(
            rules.noise_law, values.pop("noise", {}), where=where, field="reward.noise"
        )
        settings = read_options(
            cls, values, where=where, field="reward", noise=noise, official=switches, rules=rules
        )
        known = drop_ins.names("motionrft.reward.stages")
        refuse_unknown(settings.stages, known, where=where, field="reward.stages")
        return settings

    def semantic_loss(self, network: RewardNetwork) -> SemanticLoss:
        """L_sem of one representation, for a network."""
        return SemanticLoss(
            network,
            self.losses,
            self.temperature,
            self.filter,
            self.decode_rows,
            self.rules,
        )

    def stage(self, name: str) -> Mapping[str, Any]:
        """The section of a stage."""
        section = self.stages.get(name)
        if section is None:
            raise InputError(
                "missing", field=f"reward.stages.{name}", fix="see config/reward/small.yaml"
            )
        return section

    def train(self, stage: str, **given: Any) -> TrainSettings:
        """The training settings of a stage; `given` are values it may not hold (seed)."""
        section = self.stages.get(stage) or {}
        where = f"reward.stages.{stage}.train"
        if "train" not in section:
            raise InputError("missing", field=where, fix="see config/reward/small.yaml")
        return TrainSettings.read(section["train"], where, **given)
