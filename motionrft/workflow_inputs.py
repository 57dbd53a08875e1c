"""What a run reads that its workflow does not make: files that are not there, and official ones that are not named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrft.configuration.outside import outside_paths
from motionrft.configuration.schema import has_schema


@dataclass(frozen=True)
class MissingInput:
    """key: of the run. problem: what is not there, and what follows. remedy: who gives it, terms, size, where it goes."""

    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}. {self.remedy}"


def missing_inputs(run: dict[str, Any]) -> list[MissingInput]:
    """One for each file or folder that the run names and that is not there, and for each official checkpoint that
    it could have named: without a name the run trains instead."""
    return [*_of_corpus(run), *_of_evaluator(run), *_of_reward(run), *_of_backbones(run)]


def _of_corpus(run: dict[str, Any]) -> Iterator[MissingInput]:
    schema = f"corpus-{run['corpus']['kind']}"
    for key, path in outside_paths(run["corpus"], schema) if has_schema(schema) else ():
        if not path.exists():
            remedy = (
                f"Name it: --config {key}=/path" if key.endswith("_dir") else "Correct the path"
            )
            yield MissingInput(f"corpus.{key}", f"{path} is not there", f"{remedy} (docs/data.md)")


def _of_evaluator(run: dict[str, Any]) -> Iterator[MissingInput]:
    section = run["evaluator"]
    given = "the authors of text-to-motion (https://github.com/EricGuo5513/text-to-motion; MIT, its data's licences apply)"
    for key, path in outside_paths(section, "evaluator"):
        if not path.exists() and key != "clip_tokenizer":
            yield MissingInput(
                f"evaluator.{key}", f"{path} is not there", f"T2M's are given by {given}"
            )
    if "checkpoint" not in section and run["size"] == "paper":
        steps = section["train"]["steps"]
        problem = f"no official evaluator is named: the run trains its own in {steps:,} steps"
        remedy = (
            f"text_mot_match/model/finest.tar is given by {given}; name it with mean, std and glove"
        )
        yield MissingInput(
            "evaluator.checkpoint", f"{problem}, and no score compares with a published one", remedy
        )


def _of_reward(run: dict[str, Any]) -> Iterator[MissingInput]:
    given = "the authors of MotionRFT (arXiv 2603.27185; the licence of their repository, and of its data)"
    stages = run["reward"]["stages"]
    for name, stage in stages.items():
        for key, path in outside_paths(stage, f"reward-{name}"):
            if not path.exists():
                made = key.startswith("pairs") and path.suffix in (".csv", ".parquet")
                remedy = "Correct the path" if made else f"Released files are given by {given}"
                yield MissingInput(f"reward.stages.{name}.{key}", f"{path} is not there", remedy)
    if run["size"] != "paper":
        return
    if "checkpoint" not in stages["semantic"]:
        steps = sum(stage["train"]["steps"] for stage in stages.values())
        problem = f"no released MotionReward is named: the run trains its own in {steps:,} steps"
        remedy = f"stage1_retrieval_backbone.pth (and LoRA and head of the other stages) are given by {given}"
        yield MissingInput("reward.stages.semantic.checkpoint", problem, remedy)
    preference = stages.get("preference", {})
    if preference and not {"checkpoint", "pairs"} & set(preference):
        problem = "no pairs of people are named: the stage learns from damaged copies of real clips"
        remedy = f"critic_<split>_<263|22x3|135>.pth are given by {given}; a table of your own choices works too"
        yield MissingInput("reward.stages.preference.pairs", problem, remedy)


def _of_backbones(run: dict[str, Any]) -> Iterator[MissingInput]:
    corpus = run["corpus"]["kind"]
    for name, entry in run["backbones"].items():
        key, named = f"backbones.{name}.checkpoint", entry.get("checkpoint")
        official = entry.get("official", {}).get(corpus)
        given = f"No public one for {corpus} is known here"
        if official is not None:
            size = f"{official['mb'] / 1000:.2g} GB or more"
            given = f"{official['file']} ({size}) is given by {official['from']} (licence: {official['licence']})"
        if named is not None:
            if not Path(named).expanduser().exists():
                yield MissingInput(key, f"{named} is not there", f"{given}; put it there")
        elif run["size"] == "paper":
            steps = sum(stage["steps"] for stage in entry["pretrain"].values())
            problem = f"no checkpoint is named: the run pre-trains it in {steps:,} steps"
            remedy = f"override: {{backbones: {{{name}: {{checkpoint: /path}}}}}}"
            yield MissingInput(key, problem, f"{given}; name one: {remedy}")
