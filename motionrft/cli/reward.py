"""MotionReward, trained stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import Processes, RunFile, Several, named

if TYPE_CHECKING:
    import torch

    from motionrft.reward.settings import RewardSettings


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
    """Folder that reward-data made (the stages that learn from judged motions)."""


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
    from motionrft.reward.files import save_branch, save_network
    from motionrft.reward.settings import RewardSettings
    from motionrft.training.distributed import process_group

    section = run.load()["reward"]
    named(section, "stages", stage, run.config)
    settings = RewardSettings.read(section, str(run.config))
    judged = "data" in section["stages"][stage]
    _check_number(files.start, "--from", stage != "semantic", "pass the semantic stage's file")
    _check_number(files.data, "--data", judged, "pass the folder that reward-data made")
    with process_group(pick_device(device)) as (own_device, writes):
        checkpoint = out.with_suffix(".checkpoint.pt")
        trained, history = _train(settings, stage, files, checkpoint, own_device, seed)
        if not writes:
            return
        about = {
            "stage": stage,
            "settings": section,
            "text": settings.text,
            "noise": asdict(settings.noise),
            "official": asdict(settings.official),
            "provenance": provenance(section, seed=seed, device=str(own_device)),
        }
        save = save_branch if judged else save_network
        save(out, trained, about)
        write_table(out.with_suffix(".history.parquet"), history, about)
        checkpoint.unlink(missing_ok=True)


def _check_number(files: Sequence[Path], option: str, needed: bool, fix: str) -> None:
    """One file where the stage needs one, else none."""
    from motionrft.errors import InputError

    if len(files) != needed:
        problem = "missing" if not files else f"{len(files)} given, the stage reads {int(needed)}"
        fix = fix if needed else "leave it out"
        raise InputError(problem, where="train-reward", field=option, fix=fix)


def _train(
    settings: RewardSettings,
    stage: str,
    files: StageFiles,
    checkpoint: Path,
    device: torch.device,
    seed: int,
) -> tuple[Any, Any]:
    """(what the stage trained, its history)"""
    from motionrft.corpus.store import FeatureStore
    from motionrft.reward.data.clips import AlignedClips
    from motionrft.reward.data.judged import JudgedMotions
    from motionrft.reward.files import load_network
    from motionrft.reward.network import OFFICIAL_NAMES
    from motionrft.reward.stages.judged import train_task
    from motionrft.reward.stages.semantic import train_semantic, train_spl
    from motionrft.text.features import TextCache

    if files.data:
        network, _ = load_network(files.start[0], device)
        store = FeatureStore(files.features)
        normalisers = {name: store.normaliser(name) for name in OFFICIAL_NAMES}
        judged = JudgedMotions(files.data[0], stage, normalisers)
        return train_task(settings, stage, network, judged, checkpoint, device=device, seed=seed)
    text = TextCache(files.text)
    splits = ("train", settings.official.selection_split)
    clips = {name: AlignedClips(files.features, tuple(OFFICIAL_NAMES), name) for name in splits}
    if not files.start:
        return train_semantic(settings, clips, text, checkpoint, device=device, seed=seed)
    network, _ = load_network(files.start[0], device)
    return train_spl(settings, network, clips, text, checkpoint, device=device, seed=seed)
