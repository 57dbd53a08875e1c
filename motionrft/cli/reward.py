"""MotionReward, trained stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import Processes, RunFile, Several, named, tracking


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StageFiles:
    """What a stage learns from."""

    features: Path
    """Feature store folder."""

    text: Path
    """Text feature file."""

    start: Annotated[list[Path], Several, Parameter(name="--from", show_default=False)] = field(
        default_factory=list
    )
    """Semantic file that the stage builds on (every stage but the semantic one)."""

    data: Annotated[list[Path], Several, Parameter(show_default=False)] = field(
        default_factory=list
    )
    """Folder that reward-data made (the stages that learn from labelled motions)."""


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
        One of the stages of the configuration's `reward` section.
    seed
        Seed of first weights, batches and noise.
    out
        File to write, .safetensors; the history goes beside it.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.device import pick_device
    from motionrft.files import provenance, write_table
    from motionrft.reward import stages
    from motionrft.reward.branch_stage import BranchStage
    from motionrft.reward.files import load_network
    from motionrft.reward.settings import RewardSettings
    from motionrft.reward.stage import Training
    from motionrft.training.distributed import process_group

    resolved = run.load()
    section = resolved["reward"]
    named(section, "stages", stage, run.config)
    settings = RewardSettings.read(section, str(run.config))
    chosen = stages.load(stage)
    labelled = isinstance(chosen, BranchStage)
    _check_number(files.start, "--from", stage != "semantic", "pass the semantic stage's file")
    _check_number(files.data, "--data", labelled, "pass the folder that reward-data made")
    with process_group(pick_device(device)) as (own_device, writes):
        training = Training(
            settings,
            files.features,
            files.text,
            out.with_suffix(".checkpoint.pt"),
            network=load_network(files.start[0], own_device)[0] if files.start else None,
            data=files.data[0] if files.data else None,
            device=own_device,
            seed=seed,
        )
        with tracking(resolved, out):
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


def _check_number(files: Sequence[Path], option: str, needed: bool, fix: str) -> None:
    """One file where the stage needs one, else none."""
    from motionrft.errors import InputError

    if len(files) != needed:
        problem = "missing" if not files else f"{len(files)} given, the stage reads {int(needed)}"
        fix = fix if needed else "leave it out"
        raise InputError(problem, where="train-reward", field=option, fix=fix)
