"""Every table about the reward itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import RunFile, Several


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ScoredFiles:
    """The reward's stages, and what they are scored on."""

    features: Path
    """Feature store folder."""

    text: Path
    """Text feature file."""

    reward: Annotated[list[Path], Several]
    """Files of the reward's stages, in any order."""

    data: Annotated[list[Path], Several] = field(default_factory=list)
    """Folders of judged motions that those stages are scored on, in any order."""

    evaluator: Path | None = None
    """Independent evaluator, for faithfulness."""


@app.command
def evaluate_reward(
    *,
    run: RunFile = RunFile(),
    files: ScoredFiles,
    only_scores: bool = False,
    split: Literal["val", "test"] = "test",
    seed: int = 0,
    out: Path,
    device: str = "auto",
) -> None:
    """Score a reward: retrieval, preference, authenticity, calibration, faithfulness.

    For example:
        python -m motionrft evaluate-reward \\
            --reward semantic.safetensors preference.safetensors \\
            --data data/preference \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --out results/toy/reward/scores.parquet

    Parameters
    ----------
    only_scores
        Neither calibration nor faithfulness.
    split
        Which split.
    seed
        Seed of the untrained network beside it, and of all draws.
    out
        File of the scores; calibration and faithfulness go beside it.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.device import pick_device
    from motionrft.evaluation.reward import report
    from motionrft.files import provenance, write_table
    from motionrft.reward.data.labelled import labelled_folders
    from motionrft.reward.files import stage_files
    from motionrft.reward.settings import RewardSettings

    section = run.load()["reward"]
    settings = RewardSettings.read(section, str(run.config))
    chosen = pick_device(device)
    sources = report.Sources(
        features=files.features,
        text=files.text,
        stages=stage_files(files.reward),
        data=labelled_folders(files.data),
        evaluator=files.evaluator,
    )
    tables, about = report.evaluate_reward(
        settings, sources, split=split, seed=seed, device=chosen, only_scores=only_scores
    )
    about |= {
        "settings": section,
        "provenance": provenance(section, seed=seed, device=str(chosen)),
    }
    for name, table in tables.items():
        write_table(out if name == "scores" else out.with_suffix(f".{name}.parquet"), table, about)
