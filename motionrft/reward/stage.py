"""What a stage of the reward's training is, and the files it is trained from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd
import torch

from motionrft.corpus.samples import Samples
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.data.labelled import LabelledMotion, LabelledMotions, MotionPair
from motionrft.reward.network import OFFICIAL_NAMES, RewardNetwork
from motionrft.reward.settings import RewardSettings
from motionrft.text.features import TextCache

Trained = TypeVar("Trained")
Items = Iterator[LabelledMotion | MotionPair]


@dataclass(frozen=True)
class Training:
    """One training of a stage.

    features, text  the feature store's folder and the text feature file
    checkpoint      keeps the state between kills
    network         the semantic network that the stage builds on; the semantic stage has none
    data            folder of labelled motions, for a stage that learns from them
    """

    settings: RewardSettings
    features: Path
    text: Path
    checkpoint: Path
    network: RewardNetwork | None = None
    data: Path | None = None
    device: torch.device | str = "cpu"
    seed: int = 0

    def semantic_network(self) -> RewardNetwork:
        """`network`; without one an `InputError`."""
        if self.network is None:
            raise InputError("missing", field="--from", fix="pass the semantic stage's file")
        return self.network

    def clips(self) -> dict[str, AlignedClips]:
        """Real clips by split: "train", and the split that selects."""
        splits = ("train", self.settings.rules.selection_split)
        return {
            split: AlignedClips(self.features, tuple(OFFICIAL_NAMES), split) for split in splits
        }

    def captions(self) -> TextCache:
        """The features of all captions."""
        return TextCache(self.text)

    def labelled(self, stage: str) -> LabelledMotions:
        """What the stage learns from, normalised as the corpus; without `data` an `InputError`."""
        if self.data is None:
            raise InputError("missing", field="--data", fix="pass the folder reward-data made")
        store = FeatureStore(self.features)
        normalisers = {name: store.normaliser(name) for name in OFFICIAL_NAMES}
        return LabelledMotions(self.data, stage, normalisers)


@dataclass(frozen=True)
class DataSources:
    """What a stage's labelled motions are made from.

    section   `reward.stages.<name>.data` of the configuration
    held_out  generators that training must not see
    """

    store: FeatureStore
    samples: Sequence[Samples]
    section: Mapping[str, Any]
    held_out: Sequence[str]
    seed: int

    def about(self, source: str) -> dict[str, Any]:
        """What every table made from the data has to say of it."""
        return {
            "labels": "made, not human",
            "source": source,
            "generators": sorted({entry.generator for entry in self.samples}),
            "held_out": sorted(self.held_out),
        }


class Stage(ABC, Generic[Trained]):
    """A stage; `motionrft/reward/stages` says where it lies."""

    @property
    def name(self) -> str:
        """As in the configuration: the name of its file."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def train(self, training: Training) -> tuple[Trained, pd.DataFrame]:
        """What it trained, in eval mode, and the history (step, name, value)."""

    @abstractmethod
    def save(self, path: Path, trained: Trained, about: dict[str, Any]) -> None:
        """Writes what `train` returned; `about` goes into the header."""

    def made_data(self, sources: DataSources) -> tuple[Items, dict[str, Any]]:
        """What the stage learns from, made from real clips and generated samples, and what it says of itself."""
        raise self._learns_from_clips()

    def given_data(
        self, sources: DataSources, files: Sequence[Path]
    ) -> tuple[Items, dict[str, Any]]:
        """The same from files of others: released ones, or what people have chosen."""
        raise self._learns_from_clips()

    def _learns_from_clips(self) -> InputError:
        problem = f"stage {self.name!r} learns from the corpus alone"
        return InputError(problem, field="--kind", fix="name a stage that has a `data` section")
