"""MotionReward, trained stage by stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import Processes, RunFile


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StageFiles:
    """What a stage learns from."""

    features: Path
    """Feature store folder."""

    text: Path
    """Text feature file."""

    start: Annotated[Path | None, Parameter(name="--from")] = None
    """Semantic file that the stage builds on (every stage but the semantic one)."""

    data: Path | None = None
    """Folder of labelled motions that reward-data made (preference, authenticity)."""


@app.command
def train_reward(
    *,
    run: RunFile = RunFile(),
    stage: str,
    files: StageFiles,
    seed: int = 0,
    out: Path,
    device: str = "auto",
    processes: Processes = Processes(),
) -> None:
    """Train one stage of the reward.

    A command that was killed goes on from its last checkpoint.

    For example:
        python -m motionrft train-reward --stage semantic \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --out results/toy/reward/semantic.safetensors
        python -m motionrft train-reward --stage preference \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --from results/toy/reward/semantic.safetensors \\
            --data results/toy/reward/data/preference \\
            --out results/toy/reward/preference.safetensors
    With --processes 4, four GPUs share each batch.

    Parameters
    ----------
    stage
        Which stage: semantic, preference, authenticity, spl, or another of motionrft/reward/stages.
    seed
        Seed of first weights, batches and noise.
    out
        File to write, .safetensors; the history goes beside it.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.device import pick_device
    from motionrft.errors import InputError
    from motionrft.files import provenance, write_table
    from motionrft.reward import stages
    from motionrft.reward.branch_stage import BranchStage
    from motionrft.reward.files import load_network
    from motionrft.reward.settings import RewardSettings
    from motionrft.reward.stage import Training
    from motionrft.training.distributed import process_group

    section = run.load()["reward"]
    settings = RewardSettings.read(section, str(run.config))
    chosen = stages.load(stage, "--stage")
    if stage != "semantic" and files.start is None:
        raise InputError(
            "missing", where="train-reward", field="--from", fix="pass the semantic stage's file"
        )
    if isinstance(chosen, BranchStage) and files.data is None:
        raise InputError(
            "missing", where="train-reward", field="--data", fix="pass the folder reward-data made"
        )
    with process_group(pick_device(device)) as (own_device, writes):
        training = Training(
            settings,
            files.features,
            files.text,
            out.with_suffix(".checkpoint.pt"),
            network=None if files.start is None else load_network(files.start, own_device)[0],
            data=files.data,
            device=own_device,
            seed=seed,
        )
        trained, history = chosen.train(training)
        if not writes:
            return
        about = {
            "stage": stage,
            "settings": section,
            "text": settings.text,
            "noise": asdict(settings.noise),
            "official": dict(settings.official),
            "provenance": provenance(section, seed=seed, device=str(own_device)),
        }
        chosen.save(out, trained, about)
        write_table(out.with_suffix(".history.parquet"), history, about)
        training.checkpoint.unlink(missing_ok=True)
