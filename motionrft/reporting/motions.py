"""Which generated motions are shown: the same prompts of a backbone's models, base beside fine-tuned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from motionrft.corpus.samples import Samples, read_samples
from motionrft.reporting.published import OWN_METHODS
from motionrft.reporting.records import Records


def rows_to_show(samples: Samples, count: int) -> list[int]:
    """Rows spread over the prompts, the same for every model of a run; captions not repeated."""
    step = max(len(samples) // (4 * count), 1)
    first: dict[str, int] = {}
    for row in range(0, len(samples), step):
        first.setdefault(samples.captions[row], row)
    return list(first.values())[:count]


def sample_files(records: Records, backbone: str) -> dict[str, Path]:
    """Sample files of a backbone's models by method, the first seed's."""
    files: dict[str, Path] = {}
    for path in sorted(records.folder.glob(f"evaluate/{backbone}/*/seed*/samples.safetensors")):
        files.setdefault(path.parts[-3], path)
    return files


def method_beside_base(records: Records, models: Iterable[str]) -> str | None:
    """Which of these models stands beside the base where one is shown: the paper's, else the run's first,
    baselines last."""
    preferred = (*OWN_METHODS, *records.against_base(), *records.run["methods"])
    return next((name for name in preferred if name in models), None)


@dataclass(frozen=True)
class Pair:
    """Samples of the base model and of the fine-tuned one, by name, and the rows to show of each."""

    backbone: str
    models: dict[str, Samples]
    rows: list[int]


def base_beside_finetuned(records: Records, prompts: int = 3) -> Iterator[Pair]:
    """A pair for each backbone of which both models have samples."""
    for backbone in records.run["backbones"]:
        files = sample_files(records, backbone)
        method = method_beside_base(records, files)
        if "base" in files and method is not None:
            models = {name: read_samples(files[name]) for name in ("base", method)}
            yield Pair(backbone, models, rows_to_show(models["base"], prompts))
