"""Every table about the reward itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import RunFile


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ScoredFiles:
    """The reward's stages, and what they are scored on."""

    features: Path
    """Feature store folder."""

    text: Path
    """Text feature file."""

    semantic: Path
    """File of the semantic stage."""

    spl: Path | None = None
    """File of the spl stage."""

    preference: Path | None = None
    """File of the preference stage."""

    preference_data: Path | None = None
    """Judged motions of the preference stage."""

    authenticity: Path | None = None
    """File of the authenticity stage."""

    authenticity_data: Path | None = None
    """Judged motions of the authenticity stage."""

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
        python -m motionrft evaluate-reward --semantic semantic.safetensors \\
            --preference preference.safetensors \\
            --preference-data data/preference \\
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
    from motionrft.evaluation.reward import report as evaluate
    from motionrft.files import provenance, write_table
    from motionrft.reward.settings import RewardSettings

    section = run.load()["reward"]
    settings = RewardSettings.read(section, str(run.config))
    chosen = pick_device(device)
    stages = {
        "semantic": files.semantic,
        "spl": files.spl,
        "preference": files.preference,
        "authenticity": files.authenticity,
    }
    data = {"preference": files.preference_data, "authenticity": files.authenticity_data}
    sources = evaluate.Sources(
        features=files.features,
        text=files.text,
        stages={name: path for name, path in stages.items() if path is not None},
        data={name: path for name, path in data.items() if path is not None},
        evaluator=files.evaluator,
    )
    tables, about = evaluate.evaluate_reward(
        settings, sources, split=split, seed=seed, device=chosen, only_scores=only_scores
    )
    about |= {
        "settings": section,
        "provenance": provenance(section, seed=seed, device=str(chosen)),
    }
    for name, table in tables.items():
        write_table(out if name == "scores" else out.with_suffix(f".{name}.parquet"), table, about)
