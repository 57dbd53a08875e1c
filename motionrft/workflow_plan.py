"""What the workflow derives from a resolved run: which file depends on which, the digest of the
settings each job depends on, and what it asks of the machine.

Rule files only say how: every lookup in the configuration is here, where it is tested without Snakemake.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from motionrft import drop_ins
from motionrft.configuration.comparisons import replications
from motionrft.configuration.encoders import family_facts
from motionrft.configuration.methods import trains
from motionrft.configuration.outside import (
    State,
    read_beside,
    read_from_outside,
)
from motionrft.configuration.schema import has_schema, read_schema
from motionrft.counting.card import REFERENCE
from motionrft.files import digest
from motionrft.forecast.costs import Forecast
from motionrft.forecast.table import Table
from motionrft.workflow_resources import Wildcards
from motionrft.workflow_reward import RewardFiles

# what training from scratch never reads of a backbone: a change to these re-trains none
AFTER_TRAINING = (
    "name", "source", "official", "sampler", "reward_form", "tune", "lora", "finetune",
)  # fmt: skip
# what only the tables read of a method, and what nobody reads: a change to these fine-tunes none again
PRESENTATION = ("label", "baseline", "by_name", "needs", "sweep_of")
COMMENTS = ("source", "open")
# what validations read of the run's `evaluate` section
VALIDATED = ("group", "min_frames")


def use_this_python(checkout: str) -> None:
    """Makes `python -m motionrft` in a rule mean this checkout and the Python that runs Snakemake;
    a conda environment, activated later, still takes precedence."""
    os.environ["PYTHONPATH"] = os.pathsep.join(
        part for part in (str(checkout), os.environ.get("PYTHONPATH")) if part
    )
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


def analyses() -> list[str]:
    """Every analysis of single denoising steps."""
    return drop_ins.names("motionrft.finetune.analysis")


@dataclass(frozen=True)
class Plan(RewardFiles):
    """Files, settings and resources of one resolved run."""

    @cached_property
    def minutes(self) -> Callable[..., int | None]:
        """Of a rule, backbone, method and stage, by their counts on the card that `runtime: counted` speaks of. Snakemake
        asks several times a job, and all seeds cost the same: each is computed once."""
        return cache(Forecast(self.run, Table.read(), REFERENCE).minutes)

    def counted(self, rule: str, name: str, wildcards: Wildcards) -> Any:
        """Minutes of a job by its counts."""
        job = (wildcards.get(key) for key in ("backbone", "method", "stage"))
        minutes = self.minutes(rule, *job) if name == "runtime" else None
        return super().counted(rule, name, wildcards) if minutes is None else minutes

    @property
    def official(self) -> list[str]:
        """Backbones read from an official checkpoint."""
        return [name for name, entry in self.run["backbones"].items() if "checkpoint" in entry]

    @property
    def trained(self) -> list[str]:
        """Backbones trained from scratch by the run."""
        return [name for name in self.backbones if name not in self.official]

    @property
    def cells(self) -> list[tuple[str, str, int]]:
        """Every fine-tuning: (backbone, method, seed)."""
        return [(c["backbone"], c["method"], s) for c in self.run["matrix"] for s in c["seeds"]]

    def trains(self, method: str) -> bool:
        """Whether a method learns weights; one that does not picks or steers the base model's samples."""
        return method == "base" or trains(self.run["methods"][method])

    @property
    def trained_cells(self) -> list[tuple[str, str, int]]:
        """The cells that a job fine-tunes."""
        return [cell for cell in self.cells if self.trains(cell[1])]

    def methods_of_backbones(self) -> dict[str, list[str]]:
        """The methods that fine-tune each backbone, the base model among them."""
        methods: dict[str, list[str]] = {}
        for cell in self.run["matrix"]:
            methods.setdefault(cell["backbone"], ["base"]).append(cell["method"])
        return methods | {name: ["base"] for name in self.backbones if name not in methods}

    # files

    def stages(self, backbone: str) -> list[str]:
        """Pre-training stages in order."""
        return list(self.run["backbones"][backbone]["pretrain"])

    @property
    def all_stages(self) -> list[str]:
        """Names of the pre-training stages of all backbones."""
        return sorted({stage for name in self.backbones for stage in self.stages(name)}) or ["none"]

    @cached_property
    def weights_of(self) -> dict[str, str]:
        """For each backbone the first of the run that is trained as it is, mostly itself: MotionLCM in one
        step and in four is one network, trained once and sampled twice."""
        first: dict[str, str] = {}
        return {
            name: name
            if "checkpoint" in entry
            else first.setdefault(digest(self._training(entry)), name)
            for name, entry in self.run["backbones"].items()
        }

    def base_model(self, backbone: str, seed: int | str = 0) -> str:
        """What fine-tuning starts from: the last stage, of this seed where each has its own."""
        source = self.weights_of[backbone]
        return self.stage_file(source, self.stages(backbone)[-1], seed)

    def stage_file(self, backbone: str, stage: str, seed: int | str = 0) -> str:
        own = int(seed) in self.more_bases(backbone)
        folder = f"{backbone}/seed{seed}" if own else backbone
        return f"{self.results}/backbones/{folder}/{stage}.safetensors"

    def more_bases(self, backbone: str) -> list[int]:
        """Seeds beside 0 that pre-train a model of their own."""
        if self.run.get("bases", "shared") == "shared" or backbone in self.official:
            return []
        return sorted({seed for _, _, seed in self.cells} - {0})

    def base_seeds(self, backbone: str) -> list[int]:
        """Of the base models that are evaluated: those that are fine-tuned, where they are their own."""
        if not self.more_bases(backbone):
            return [0]
        return sorted({seed for name, _, seed in self.cells if name == backbone}) or [0]

    def start_of_stage(self, wildcards: Wildcards) -> list[str]:
        """What a stage starts from: the stage before it, or the teacher of a distilled backbone, of the same seed."""
        order, seed = self.stages(wildcards.backbone), wildcards.get("seed", 0)
        place = order.index(wildcards.stage)
        if place:
            return [self.stage_file(wildcards.backbone, order[place - 1], seed)]
        teacher = self.run["backbones"][wildcards.backbone].get("teacher")
        return [self.base_model(teacher, seed)] if teacher else []

    @property
    def judge(self) -> str:
        """The evaluator that scores the validations of fine-tuning: one of its own, or the test's."""
        own = self.run["evaluator"].get("judge") is not None
        return f"{self.results}/{'judge' if own else 'evaluator'}/model.safetensors"

    def base_of_scored(self, wildcards: Wildcards) -> list[str]:
        """The base model that a fine-tuned one may be adapters of; it is read with them."""
        return (
            []
            if wildcards.method == "base"
            else [self.base_model(wildcards.backbone, wildcards.seed)]
        )

    def tuned(self, wildcards: Wildcards) -> list[str]:
        """The file with the learning rate of a cell, where rates are tuned."""
        cell = f"{wildcards.backbone}/{wildcards.method}"
        return [f"{self.results}/tune/{cell}.json"] if "tune" in self.run else []

    def scored_model(self, wildcards: Wildcards) -> str:
        if wildcards.method == "base" or not self.trains(wildcards.method):
            return self.base_model(wildcards.backbone, wildcards.seed)
        folder = f"{wildcards.backbone}/{wildcards.method}/seed{wildcards.seed}"
        return f"{self.results}/finetune/{folder}/model.safetensors"

    def steering_reward(self, wildcards: Wildcards) -> list[str]:
        """The reward that picks or steers samples in evaluation, and its text features; none of other methods."""
        if self.trains(wildcards.method):
            return []
        return [self.text_file(self.run["reward"]["text"]), *self.reward_files(wildcards)]

    def sampling_options(self, wildcards: Wildcards) -> str:
        """What is unusual in an evaluation, on its command line: those files, and how often it is repeated."""
        options = []
        if often := self.repeated(wildcards):
            options.append(f"--replications {often}")
        if files := self.steering_reward(wildcards):
            text, *rewards = map(shlex.quote, files)
            options.append(f"--method {wildcards.method} --reward-text {text}")
            options.append(f"--reward {' '.join(rewards)}")
        return " ".join(options)

    def repeated(self, wildcards: Wildcards) -> int | None:
        """The replications of a model that is compared, where they are not those of all."""
        often = replications(self.run, wildcards.backbone, wildcards.method)
        return None if often == self.run["evaluate"]["replications"] else often

    def evaluations(self, *, backbone: str | None = None, method: str | None = None) -> list[str]:
        """Score files of base and fine-tuned models, all or those of one backbone or method."""
        base = [(name, "base", seed) for name in self.backbones for seed in self.base_seeds(name)]
        return [
            f"{self.results}/evaluate/{b}/{m}/seed{s}/replications.parquet"
            for b, m, s in base + self.cells
            if backbone in (None, b) and method in (None, m)
        ]

    def analyses(self) -> list[str]:
        """Records of single denoising steps: of a backbone's first method, or (`every_method`) of all of them."""
        every = self.methods_of_backbones().items()
        cells = {name: methods[1:] for name, methods in every if methods[1:]}
        asked = self.run["analyse"]
        return [
            f"{self.results}/analyse/{what}/{backbone}-{method}.parquet"
            for backbone in asked.get("backbones", list(cells)[:1])
            for what in analyses()
            for method in cells.get(backbone, [])[: None if what in asked["every_method"] else 1]
        ]

    def records(self) -> list[str]:
        """Everything the report is made from."""
        finetuned = [
            f"{self.results}/finetune/{b}/{m}/seed{s}/{name}"
            for b, m, s in self.trained_cells
            for name in ("record.parquet", "cost.json")
        ]
        real = f"{self.results}/evaluate/real/base/seed0/replications.parquet"
        scores = f"{self.results}/reward/scores.parquet"
        made = [*self.switched_scores(), *self.analyses()]
        return [real, scores, *self.evaluations(), *finetuned, *made]

    @property
    def tables(self) -> list[str]:
        """Names of tables: each is a target, `table_<name>`."""
        return drop_ins.names("motionrft.reporting.tables")

    def job_counts(self) -> dict[str, int]:
        """Jobs of the whole run by rule."""
        judged = len(self.judged_data(self.scored_stages))
        made = [
            name
            for name in self.encoders
            if not {"source", "sources"} & set(self.run["text"][name])
        ]
        trained = set(self.weights_of.values()) - set(self.official)
        counts = {
            "corpus": 1,
            "features": 1,
            "text_encoder": len(made),
            "text": len(self.encoders),
            "train_evaluator": 1,
            "train_judge": int(bool(self.cells) and "judge" in self.judge.split("/")),
            "pretrain": sum(len(self.stages(name)) for name in trained),
            "pretrain_again": sum(len(self.stages(n)) * len(self.more_bases(n)) for n in trained),
            "train_reward": len(
                [name for name in self.scored_stages if name in self.trained_stages]
            ),
            "sample": len(self.samples()) if judged else 0,
            "reward_data": judged,
            "evaluate_reward": 1,
            "train_reward_switched": len(self.switched_stages()),
            "evaluate_reward_switched": len(self.switched_scores()),
            "tune": len({cell[:2] for cell in self.trained_cells}) if "tune" in self.run else 0,
            "finetune": len(self.trained_cells),
            "analyse": len(self.analyses()),
            "evaluate_real": 1,
            "evaluate": len(self.evaluations()),
            "tables": 1,
            "figures": 1,
            "page": 1,
        }
        return {rule: number for rule, number in counts.items() if number}

    # settings: a job runs again when its digest changes

    def settings_of(self, *sections: str) -> str:
        """The sections themselves, and the files and folders outside of the run that they read."""
        return digest({name: [self.run[name], self.outside(name)] for name in sections})

    def evaluator_settings(self) -> str:
        """All that the test's evaluator depends on."""
        section = {k: v for k, v in self.run["evaluator"].items() if k != "judge"}
        return digest([section, self.outside("evaluator")])

    def outside(self, section: str) -> dict[str, State]:
        """The files and folders that a section reads, with sizes and dates, by key."""
        schema = f"corpus-{self.run['corpus']['kind']}" if section == "corpus" else section
        value = self.run[section]
        return read_from_outside(value, schema) if has_schema(schema) else {}

    def encoder_settings(self, wildcards: Wildcards) -> str:
        encoder = wildcards.encoder
        files = {key: state for key, state in self.outside("text").items() if key.split(".")[0] == encoder}  # fmt: skip
        return digest([self.run["text"][encoder], files])

    @staticmethod
    def _training(backbone: dict[str, Any]) -> dict[str, Any]:
        """What of a backbone's section its training from scratch depends on."""
        return {key: value for key, value in backbone.items() if key not in AFTER_TRAINING}

    def pretraining_settings(self, wildcards: Wildcards) -> str:
        """All that a backbone's training depends on but its other stages."""
        entry = self._training(self.run["backbones"][wildcards.backbone])
        return digest({**entry, "pretrain": entry["pretrain"][wildcards.stage]})

    def sampling_settings(self, wildcards: Wildcards) -> str:
        return digest(self.run["backbones"][wildcards.backbone]["sampler"])

    def import_settings(self, wildcards: Wildcards) -> str:
        entry = self.run["backbones"][wildcards.backbone]
        beside = family_facts(entry).get("reads_beside", [])
        read = read_beside(entry["checkpoint"], beside)
        return digest([entry["family"], entry["network"], entry["sampler"], read])

    def finetuning_settings(self, wildcards: Wildcards) -> str:
        backbone = self.run["backbones"][wildcards.backbone]
        backbone = {k: v for k, v in backbone.items() if k != "official"}
        backbone |= {"pretrain": None, "source": None}
        method = self.run["methods"][wildcards.method]
        method = {k: v for k, v in method.items() if k not in PRESENTATION + COMMENTS}
        read = [backbone, method, self.run["finetune"], self.run["reward"]["weights"]]
        cell = self.run["cells"].get(f"{wildcards.backbone}/{wildcards.method}")
        evaluate, usual = self.run["evaluate"], read_schema("evaluate")["properties"]
        validated = {
            key: evaluate[key] for key in VALIDATED if evaluate[key] != usual[key]["default"]
        }
        return digest([*read, *(part for part in (cell, validated) if part)])

    def presentation_settings(self) -> str:
        """How the tables call methods, which they set against the base model, and which comparisons count."""
        methods = self.run["methods"].items()
        labels = {name: [entry.get(k) for k in PRESENTATION] for name, entry in methods}
        return digest([labels, self.run["compare"]])

    def evaluation_settings(self, wildcards: Wildcards) -> str:
        read = [self.run["backbones"][wildcards.backbone]["sampler"], self.run["evaluate"]]
        if often := self.repeated(wildcards):
            read.append(often)
        if not self.trains(wildcards.method):
            read.append(self.finetuning_settings(wildcards))
        return digest(read)
