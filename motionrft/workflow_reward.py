"""Stages of the reward in a run: which are trained, imported, scored, and what each reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrft.configuration.outside import outside_paths, state
from motionrft.configuration.switches import switches
from motionrft.files import digest
from motionrft.workflow_resources import Wildcards
from motionrft.workflow_text import TextFiles


@dataclass(frozen=True)
class RewardFiles(TextFiles):
    """The reward's files of a resolved run, the data it learns from, and the settings they depend on."""

    @property
    def backbones(self) -> list[str]:
        return list(self.run["backbones"])

    @property
    def reward_stages(self) -> list[str]:
        """The reward's stages, the semantic one among them."""
        return list(self.run["reward"]["stages"])

    @property
    def imported_stages(self) -> list[str]:
        """Those that are read from released files."""
        return [name for name in self.reward_stages if "checkpoint" in self._reward_stage(name)]

    @property
    def trained_stages(self) -> list[str]:
        """Those that the run trains."""
        return [name for name in self.reward_stages if name not in self.imported_stages]

    def _reward_stage(self, name: str) -> dict[str, Any]:
        stage: dict[str, Any] = self.run["reward"]["stages"][name]
        return stage

    def reward_checkpoint(self, wildcards: Wildcards) -> list[str]:
        """The released files of an imported stage."""
        return self._files_of(wildcards.stage, "checkpoint")

    def given_data(self, stage: str) -> list[str]:
        """What others have judged, in place of motions that the run makes: of a stage that names such files."""
        keys = {key.split(".")[0] for key, _ in self._outside_of_stage(stage)} - {"checkpoint"}
        return [file for key in sorted(keys) for file in self._files_of(stage, key)]

    def _files_of(self, stage: str, key: str) -> list[str]:
        paths = self._outside_of_stage(stage)
        return [str(path) for name, path in paths if name.split(".")[0] == key]

    def _outside_of_stage(self, stage: str) -> list[tuple[str, Path]]:
        return outside_paths(self._reward_stage(stage), f"reward-{stage}")

    @property
    def judged_stages(self) -> list[str]:
        """Those that learn from judged motions."""
        return [name for name in self.reward_stages if "data" in self.run["reward"]["stages"][name]]

    @property
    def refined_stages(self) -> list[str]:
        """Those that train the semantic network further: scored beside it, and what a method's `semantic_stage` reads."""
        return [
            name for name in self.reward_stages if name not in ("semantic", *self.judged_stages)
        ]

    @property
    def weighed_stages(self) -> list[str]:
        """The semantic stage, and those whose score the run or one of its methods gives a weight."""
        weights = [self.run["reward"]["weights"]]
        weights += [method.get("reward_weights", {}) for method in self.run["methods"].values()]
        return [
            "semantic",
            *(name for name in self.judged_stages if any(name in self._weighs(w) for w in weights)),
        ]

    def reward_file(self, stage: str) -> str:
        return f"{self.results}/reward/{stage}.safetensors"

    def reward_files(self, wildcards: Wildcards) -> list[str]:
        """What fine-tuning reads: the stages that the method's own weights count, and its network. Where the run
        weighs nothing else, what validates every method (`finetune.method_reward.validating`) is the judged stages."""
        method, common = self.run["methods"][wildcards.method], self.run["reward"]["weights"]
        counted = self._weighs(method.get("reward_weights", common))
        if set(self._weighs(common)) <= set(self.judged_stages):
            counted += self._weighs(common)
        judged = [name for name in self.judged_stages if name in counted]
        network = method.get("semantic_stage", "semantic")
        return [self.reward_file(name) for name in dict.fromkeys(["semantic", *judged, network])]

    @staticmethod
    def _weighs(weights: dict[str, float]) -> list[str]:
        """The terms that count; that of a stage bears the stage's name."""
        return [name for name, weight in weights.items() if weight > 0]

    def start_of_reward_stage(self, wildcards: Wildcards) -> list[str]:
        """What a stage of the reward is trained from: the semantic stage, unless it is that."""
        return [] if wildcards.stage == "semantic" else [self.reward_file("semantic")]

    def data_of_reward_stage(self, wildcards: Wildcards) -> list[str]:
        """The judged motions that a stage of the reward learns from."""
        return self.judged_data([wildcards.stage])

    def judged_data(self, stages: Sequence[str]) -> list[str]:
        """The judged motions of those of the stages that have them."""
        judged = self.judged_stages
        return [f"{self.results}/reward/data/{stage}" for stage in stages if stage in judged]

    @property
    def scored_stages(self) -> list[str]:
        """What `evaluate-reward` scores."""
        return self.weighed_stages + self.refined_stages

    def switched_stages(self) -> list[tuple[str, str]]:
        """(switch, stage) of every stage that is trained once more with one switch as released."""
        asked, scored = self.run["analyse"]["switches"], self.scored_stages
        return [
            (name, stage)
            for name, switch in switches().items()
            for stage in switch.stages
            if (asked == "all" or name in asked)
            and stage in scored
            and stage in self.trained_stages
        ]

    def switched_scores(self) -> list[str]:
        return [
            f"{self.results}/reward/switches/{name}/{stage}.{reading}.parquet"
            for name, stage in self.switched_stages()
            for reading in switches()[name].readings
        ]

    @property
    def _judged_sections(self) -> list[dict[str, Any]]:
        """What the judged stages say of the motions they learn from, of those that name no files of others."""
        stages = [name for name in self.judged_stages if not self.given_data(name)]
        return [self._reward_stage(name)["data"] for name in stages]

    def samples_of_data(self, wildcards: Wildcards) -> list[str]:
        """`samples`, for the data of a stage that is made of them."""
        return [] if self.given_data(wildcards.stage) else self.samples()

    def samples(self) -> list[str]:
        """Samples of the pre-trained backbones that the judged stages learn from, all if none are named."""
        if not self._judged_sections:
            return []
        named = [data["generators"] for data in self._judged_sections if "generators" in data]
        chosen = [self.backbones if names == "all" else names for names in named or ["all"]]
        together = dict.fromkeys(name for names in chosen for name in names)
        return [f"{self.results}/backbones/{name}/samples.safetensors" for name in together]

    def prompts(self) -> int:
        """How many prompts each backbone is sampled for."""
        return max(
            (data["prompts"] for data in self._judged_sections if "prompts" in data), default=256
        )

    def reward_settings(self, stage: str) -> str:
        """All of the reward but the other stages and the weights, which only fine-tuning reads."""
        reward = self.run["reward"]
        shared = {k: v for k, v in reward.items() if k not in ("stages", "weights")}
        return digest([shared, reward["stages"][stage]])

    def reward_data_settings(self, stage: str) -> str:
        section = {
            k: v for k, v in self._reward_stage(stage).items() if k not in ("train", "checkpoint")
        }
        given = [state(Path(file)) for file in self.given_data(stage)]
        return digest([section, given] if given else section["data"])

    def reward_import_settings(self, wildcards: Wildcards) -> str:
        return digest([[file, state(Path(file))] for file in self.reward_checkpoint(wildcards)])
