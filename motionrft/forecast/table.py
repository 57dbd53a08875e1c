"""Counted costs by the settings they depend on, kept in `config/counted.json`. Free of torch.

An entry is found by the digest of all settings that it follows from, so that one that does not fit is not found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from motionrft.configuration.files import ROOT
from motionrft.counting.costs import Line, Work, WorkLine
from motionrft.files import digest, read_json
from motionrft.finetune.settings import Settings, cell_settings

FILE = ROOT / "config" / "counted.json"
Counts = TypeVar("Counts")


@dataclass(frozen=True)
class BackboneCounts:
    """Of a backbone as it is fine-tuned: bytes of its weights, of those that learn, of its file and of the one that a run
    ends in; work of
    one denoising step without gradient and its peak bytes (`passing`), work of a live one; bytes as in
    `memory_choice.Counted`."""

    weights: int
    trained: int
    file: int
    saved: int
    forward: WorkLine
    passing: Line
    live: WorkLine
    held: Line
    step: Line
    x: Line


@dataclass(frozen=True)
class ScoreCounts:
    """Of one decoding and scoring: bytes of the reward's weights, bytes at the peak, work."""

    weights: int
    memory: Line
    work: WorkLine


@dataclass(frozen=True)
class StageCounts:
    """Of one update of a training stage: bytes with weights and optimiser, work."""

    memory: int
    work: Work


@dataclass(frozen=True)
class Calls:
    """Of one trajectory of a method: denoising steps, the live ones among them, scorings, updates (means over draws), the
    most live steps whose graphs exist together, and states that are kept. by_value: a scoring has no way back; reference:
    the weights that training began with are kept."""

    forwards: float
    live: float
    scorings: float
    updates: int
    most_live: int
    kept: int = 0
    by_value: bool = False
    reference: bool = False


@dataclass(frozen=True)
class Samples:
    """What an evaluation generates: in each replication at most `limit` motions of the test split (0: all), and motions
    beside in all."""

    limit: int
    beside: int


@dataclass
class Table:
    """Entries by kind and key."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path = FILE) -> Table:
        return cls(read_json(path) if path.exists() else {})

    def has(self, kind: str, key: str) -> bool:
        return key in self.entries.get(kind, {})

    def put(self, kind: str, key: str, name: str, counts: Any) -> None:
        """name: for a person who reads the file."""
        self.entries.setdefault(kind, {})[key] = {"name": name, **_written(counts)}

    def backbone(self, key: str) -> BackboneCounts | None:
        return self._get("backbones", key, BackboneCounts)

    def score(self, key: str) -> ScoreCounts | None:
        return self._get("scores", key, ScoreCounts)

    def stage(self, key: str) -> StageCounts | None:
        return self._get("stages", key, StageCounts)

    def calls(self, key: str) -> Calls | None:
        return self._get("calls", key, Calls)

    def samples(self, key: str) -> Samples | None:
        return self._get("samples", key, Samples)

    def keep(self, keys: Set[tuple[str, str]]) -> None:
        """Drops all entries but those of these kinds and keys."""
        for kind, entries in self.entries.items():
            self.entries[kind] = {key: entries[key] for key in entries if (kind, key) in keys}

    def _get(self, kind: str, key: str, counts: type[Counts]) -> Counts | None:
        entry = self.entries.get(kind, {}).get(key)
        return None if entry is None else _read(counts, entry)


def _written(counts: Any) -> dict[str, Any]:
    values = {}
    for name, value in vars(counts).items():
        if isinstance(value, Line):
            value = [value.fixed, value.row]
        elif isinstance(value, WorkLine):
            value = value.written()
        elif isinstance(value, Work):
            value = [value.flops, value.traffic, value.kernels]
        values[name] = [round(number, 3) for number in value] if isinstance(value, list) else value
    return values


def _read(counts: type[Counts], entry: Mapping[str, Any]) -> Counts:
    readers: dict[str, Callable[[Any], Any]] = {
        "Line": lambda v: Line(*v),
        "Work": lambda v: Work(*v),
        "WorkLine": WorkLine.read,
    }
    kinds = counts.__annotations__
    values = {name: value for name, value in entry.items() if name != "name"}
    for name, value in values.items():
        if kinds[name] in readers:
            values[name] = readers[kinds[name]](value)
    return counts(**values)


def lacking(table: Table, run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(kind, key) of what a resolved run asks for and the table has not."""
    return sorted(key for key in asked(run) if not table.has(*key))


def asked(run: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(kind, key) of all that the costs of a resolved run are made of."""
    wanted = {("samples", samples_key(run))}
    for cell in run["matrix"]:
        names = cell["backbone"], cell["method"]
        settings = cell_settings(dict(run), *names)
        wanted |= {("backbones", backbone_key(run, names[0], settings))}
        wanted |= {("scores", score_key(run, *names)), ("calls", calls_key(run, *names))}
    for name, entry in run["backbones"].items():
        wanted |= {("stages", stage_key(run, name, stage)) for stage in entry["pretrain"]}
    return wanted | {("stages", reward_stage_key(run, stage)) for stage in run["reward"]["stages"]}


# keys: all that an entry depends on


def backbone_key(run: Mapping[str, Any], name: str, settings: Settings) -> str:
    tuned = [settings.tune, settings.lora, settings.train_dropout, settings.denoiser_precision]
    return digest([_network(run, name), tuned])


def score_key(run: Mapping[str, Any], backbone: str, method: str) -> str:
    reward = run["reward"]
    weights = run["methods"][method].get("reward_weights", reward["weights"])
    read = sorted(name for name, weight in weights.items() if weight > 0)
    settings = cell_settings(dict(run), backbone, method)
    states = [settings.references, settings.reward_state, settings.precision]
    return digest([_network(run, backbone), _reward(run), read, states])


def stage_key(run: Mapping[str, Any], backbone: str, stage: str) -> str:
    entry = run["backbones"][backbone]
    teacher = _network(run, entry["teacher"]) if entry.get("teacher") else None
    train = entry["pretrain"][stage]
    updates = [train["batch_size"], bool(train.get("ema")), train.get("precision")]
    return digest([_network(run, backbone), teacher, stage, updates])


def reward_stage_key(run: Mapping[str, Any], stage: str) -> str:
    section = run["reward"]["stages"][stage]
    whole = {name: value for name, value in section.items() if name not in ("train", "data")}
    return digest([_reward(run), stage, whole, section["train"]["batch_size"]])


def calls_key(run: Mapping[str, Any], backbone: str, method: str) -> str:
    entry, section = run["backbones"][backbone], run["methods"][method]
    steps, form = entry["sampler"]["steps"], entry["reward_form"]
    settings = cell_settings(dict(run), backbone, method)
    added = [bool(settings.kl), *(["data_loss"] if settings.data_loss else [])]
    return digest([section["family"], section.get("options"), steps, form, guided(entry), *added])


def samples_key(run: Mapping[str, Any]) -> str:
    return digest(run["evaluate"])


def guided(entry: Mapping[str, Any]) -> bool:
    """Whether a call of a backbone's network has a conditional and an unconditional half."""
    return bool(entry["sampler"].get("guidance", 1.0) != 1.0)


def _network(run: Mapping[str, Any], name: str) -> list[Any]:
    entry = run["backbones"][name]
    text = run["text"][entry["text"]]
    about = [entry["family"], entry["representation"], entry["network"]]
    return [*about, text, guided(entry), _kit(run)]


def _reward(run: Mapping[str, Any]) -> list[Any]:
    reward = run["reward"]
    outside = ("weights", "stages")
    settings = {name: value for name, value in reward.items() if name not in outside}
    return [settings, run["text"][reward["text"]], _kit(run)]


def _kit(run: Mapping[str, Any]) -> bool:
    """KIT's skeleton has 21 joints."""
    return bool(run["corpus"]["kind"] == "kit")
