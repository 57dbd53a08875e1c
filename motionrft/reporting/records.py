"""What is on disk of a run: the evaluations, fine-tuning records, costs and jobs that have finished.

| property | file below results/<run>/ | columns |
| --- | --- | --- |
| evaluations | evaluate/<backbone>/<method>/seed<k>/replications.parquet | replication, metric, value |
| prompts | …/per_prompt.parquet | replication, clip, caption, matching, rank, top1, top2, top3, fid |
| finetuning | finetune/<backbone>/<method>/seed<k>/record.parquet | update, name, value |
| tuning | tune/<backbone>/<method>.json | rate, chosen, score, update, seconds |
| costs | …/cost.json, its numbers by dotted name | name, value |
| reward | reward/scores.parquet | table, model, representation, setting, metric, value, count |
| calibration | reward/scores.calibration.parquet | table, model, predicted, observed, count |
| faithfulness | reward/scores.faithfulness.parquet | kind, representation, dimension, against, spearman |
| switched(switch, stage) | reward/switches/<switch>/<stage>.<reading>.parquet, as reward | by reading |
| analysis(name) | analyse/<name>/….parquet | see motionrft/finetune/analysis/<name>.py |

Recorded motions stand under the backbone `real`, method `base`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from motionrft.configuration import load_run, trains
from motionrft.configuration.switches import switches
from motionrft.errors import InputError
from motionrft.files import read_json, read_table
from motionrft.reporting.published import paper_order

# what all rows of a table must share
SAME = ("corpus_digest", "evaluator_digest", "evaluator_precision", "protocol", "split")
CELL = ["backbone", "method", "seed"]
BY_PROMPT = ("matching", "top1", "top2", "top3", "fid")


@dataclass(eq=False)  # one object a run: what is computed of it is kept by it
class Records:
    """The finished records below `results/<run>`; whatever has not been run is simply absent.

    named: the folder as commands of a page name it, where not as it is given.
    """

    folder: Path
    named: str = ""

    @cached_property
    def run(self) -> dict[str, Any]:
        """The run's configuration, its methods in the paper's order."""
        run = load_run(self.folder / "config.yaml")
        return run | {"methods": paper_order(run["methods"])}

    @property
    def targets(self) -> str:
        """What the files of this run begin with where a command of a page asks for them."""
        return self.named or str(self.folder)

    def trains(self, method: str) -> bool:
        """Whether a method learns weights; one that does not samples the base model under the reward."""
        return trains(self.run["methods"].get(method, {}))

    def trained_cells(self) -> list[dict[str, Any]]:
        """The cells of the matrix whose methods learn weights: those with a training record and costs."""
        return [cell for cell in self.run["matrix"] if self.trains(cell["method"])]

    def most_compared(self) -> str:
        """The backbone with most methods, whose figures are shown first."""
        matrix = self.run["matrix"]
        return str(Counter(entry["backbone"] for entry in matrix).most_common(1)[0][0])

    def label(self, method: str) -> str:
        """A method's name beside the base model."""
        return str(self.run["methods"][method].get("label", method))

    def against_base(self) -> list[str]:
        """The run's methods that are no baselines: what its tables of backbones set against the base model."""
        methods = self.run["methods"].items()
        return [name for name, entry in methods if not entry.get("baseline", False)]

    def own_bases(self, backbone: str) -> bool:
        """Whether each seed fine-tunes a base model of its own."""
        official = "checkpoint" in self.run["backbones"][backbone]
        return self.run.get("bases") == "own" and not official

    def _cells(self, pattern: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Files at <…>/<backbone>/<method>/seed<k>/<name>, with that backbone, method and seed."""
        for path in sorted(self.folder.glob(pattern)):
            seed = int(path.parts[-2].removeprefix("seed"))
            yield path, {"backbone": path.parts[-4], "method": path.parts[-3], "seed": seed}

    def _gather(self, pattern: str, columns: list[str]) -> pd.DataFrame:
        frames = [
            read_table(path)[0][columns].assign(**cell) for path, cell in self._cells(pattern)
        ]
        return _one_table(frames, columns)

    @cached_property
    def _evaluated(self) -> list[tuple[Path, dict[str, Any], pd.DataFrame, dict[str, Any]]]:
        """(file, {backbone, method, seed}, its rows, what it says of itself) of every finished evaluation."""
        cells = self._cells("evaluate/*/*/seed*/replications.parquet")
        return [(path, cell, *read_table(path)) for path, cell in cells]

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """Columns backbone, method, seed, replication, metric, value. Refuses to mix corpora, evaluators,
        protocols or splits."""
        origin: dict[str, tuple[Path, Any]] = {}
        for path, _, _, about in self._evaluated:
            for key, value in shared_facts(about).items():
                first_path, first = origin.setdefault(key, (path, value))
                if value != first:
                    raise InputError(
                        f"{key} differs from that of {first_path}",
                        where=path,
                        field=key,
                        fix="delete the older results and run them again: a table cannot mix them",
                    )
        columns = ["replication", "metric", "value"]
        frames = [frame[columns].assign(**cell) for _, cell, frame, _ in self._evaluated]
        return _one_table(frames, columns)

    @cached_property
    def _scored_by(self) -> dict[str, Any]:
        """What the first evaluation says of itself; nothing before it."""
        return next((about for _, _, _, about in self._evaluated), {})

    @cached_property
    def evaluator(self) -> str | None:
        """`official` or `self-trained`, as the evaluations say; None before the first."""
        return self._scored_by.get("evaluator")

    @property
    def evaluator_precision(self) -> str:
        """`fp32`, or `bf16` of the networks that scored."""
        return str(shared_facts(self._scored_by)["evaluator_precision"])

    @cached_property
    def prompts(self) -> pd.DataFrame:
        """Columns backbone, method, seed, clip, matching, top1, top2, top3, fid: one row a clip, the mean of its
        replications."""
        frames = []
        for path, cell in self._cells("evaluate/*/*/seed*/per_prompt.parquet"):
            frame = read_table(path)[0]
            missing = [name for name in BY_PROMPT if name not in frame]
            if missing:
                raise InputError(
                    f"no column {missing[0]}: it was written by an older version",
                    where=path,
                    field=missing[0],
                    fix="delete the evaluation's folder and run it again",
                )
            means = frame.groupby("clip")[list(BY_PROMPT)].mean().reset_index()
            frames.append(means.assign(**cell))
        return _one_table(frames, ["clip", *BY_PROMPT])

    @cached_property
    def finetuning(self) -> pd.DataFrame:
        """Columns backbone, method, seed, update, name, value of every fine-tuning record."""
        return self._gather("finetune/*/*/seed*/record.parquet", ["update", "name", "value"])

    @cached_property
    def cost_files(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """({backbone, method, seed}, the content of cost.json) of every finished fine-tuning."""
        return [
            (cell, read_json(path)) for path, cell in self._cells("finetune/*/*/seed*/cost.json")
        ]

    @cached_property
    def origins(self) -> list[dict[str, Any]]:
        """The provenance of every fine-tuning and evaluation: code, device, libraries, when it finished."""
        contents = [content for _, content in self.cost_files]
        contents += [about for _, _, _, about in self._evaluated]
        return [content["provenance"] for content in contents if content.get("provenance")]

    @cached_property
    def tuning(self) -> pd.DataFrame:
        """Columns backbone, method, rate, chosen, score, update, seconds, and the validation's numbers as val/<name>: one row a
        trial."""
        rows = []
        for path in sorted(self.folder.glob("tune/*/*.json")):
            content = read_json(path)
            for trial in content["trials"]:
                cell = {"backbone": path.parts[-2], "method": path.stem}
                row = {key: trial[key] for key in ("rate", "score", "update", "seconds")}
                numbers = {f"val/{name}": value for name, value in trial["validation"].items()}
                rows.append({**cell, **row, "chosen": trial["rate"] == content["rate"], **numbers})
        columns = ["backbone", "method", "rate", "chosen", "score", "update", "seconds"]
        return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Columns backbone, method, seed, name, value: the numbers of every cost.json by dotted name."""
        rows = [
            {**cell, "name": name, "value": value}
            for cell, content in self.cost_files
            for name, value in _numbers(content)
        ]
        return pd.DataFrame(rows, columns=[*CELL, "name", "value"])

    @cached_property
    def reward(self) -> pd.DataFrame:
        columns = ["table", "model", "representation", "setting", "metric", "value", "count"]
        return self._reward_table("scores.parquet", columns)

    @cached_property
    def calibration(self) -> pd.DataFrame:
        columns = ["table", "model", "lower", "upper", "predicted", "observed", "count"]
        return self._reward_table("scores.calibration.parquet", columns)

    @cached_property
    def faithfulness(self) -> pd.DataFrame:
        columns = ["kind", "representation", "dimension", "against", "spearman", "count"]
        return self._reward_table("scores.faithfulness.parquet", columns)

    @cached_property
    def reward_labels(self) -> dict[str, str]:
        """Where the judged motions of each task come from: human labels, or made."""
        path = self.folder / "reward/scores.parquet"
        return read_table(path)[1].get("labels", {}) if path.exists() else {}

    def switched(self, switch: str, stage: str) -> dict[str, pd.DataFrame]:
        """Scores of a stage trained with one switch as released, by reading; empty before the first."""
        folder = self.folder / "reward/switches" / switch
        paths = {
            reading: folder / f"{stage}.{reading}.parquet"
            for reading in switches()[switch].readings
        }
        return {reading: read_table(path)[0] for reading, path in paths.items() if path.exists()}

    def diverged(self, switch: str, stage: str) -> int | None:
        """The step at which the training of a switched stage diverged, if it did."""
        path = self.folder / "reward/switches" / switch / f"{stage}.history.parquet"
        if not path.exists():
            return None
        history = read_table(path)[0]
        steps = history.loc[history["name"].eq("diverged"), "step"]
        return None if steps.empty else int(steps.iloc[0])

    def _reward_table(self, name: str, columns: list[str]) -> pd.DataFrame:
        path = self.folder / "reward" / name
        return read_table(path)[0][columns] if path.exists() else pd.DataFrame(columns=columns)

    def analysis(self, name: str) -> pd.DataFrame:
        """The analyses of this name, with the backbone and method each was made of; empty before the first."""
        frames = []
        for path in sorted(self.folder.glob(f"analyse/{name}/**/*.parquet")):
            frame, about = read_table(path)
            frames.append(frame.assign(backbone=about["backbone"], method=about["method"]))
        return pd.concat(frames) if frames else pd.DataFrame(columns=["backbone", "method"])

    def frame(self, name: str) -> pd.DataFrame:
        """A table of records by the name of its property, or of an analysis as `analyse/<name>`."""
        kind, _, analysis = name.partition("/")
        frame: pd.DataFrame = self.analysis(analysis) if analysis else getattr(self, kind)
        return frame

    def in_order(self, methods: Iterable[str]) -> list[tuple[int, str]]:
        """The distinct methods in the order of the run, each with its place: one colour a method in every figure."""
        known = list(self.run["methods"])
        others = sorted(set(methods) - set(known))
        return [
            (place, name) for place, name in enumerate([*known, *others]) if name in set(methods)
        ]


def _one_table(frames: list[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """The cells' rows below each other: backbone, method, seed and these columns, also where there is none yet."""
    every = [*CELL, *columns]
    return pd.concat(frames)[every] if frames else pd.DataFrame(columns=every)


def shared_facts(about: Mapping[str, Any]) -> dict[str, Any]:
    """What an evaluation's header says of `SAME`. Those of older versions name no precision: it was float32."""
    return {key: about.get(key, "fp32" if key == "evaluator_precision" else None) for key in SAME}


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Finite numbers of nested dictionaries by dotted name."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _numbers(entry, f"{name}.{key}" if name else key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        yield name, float(value)
