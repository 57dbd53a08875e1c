"""MotionReward, trained stage by stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import Processes, RunFile

if TYPE_CHECKING:
    import torch

    from motionrft.reward.settings import RewardSettings

JUDGED = ("preference", "authenticity")


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
    """Folder of judged motions that reward-data made (preference, authenticity)."""


@app.command
def train_reward(
    *,
    run: RunFile = RunFile(),
    stage: Literal["semantic", "preference", "authenticity", "spl"],
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
        Which stage.
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
    from motionrft.reward.files import save_branch, save_network
    from motionrft.reward.settings import RewardSettings
    from motionrft.training import distributed

    section = run.load()["reward"]
    settings = RewardSettings.read(section, str(run.config))
    if stage != "semantic" and files.start is None:
        raise InputError(
            "missing", where="train-reward", field="--from", fix="pass the semantic stage's file"
        )
    if stage in JUDGED and files.data is None:
        raise InputError(
            "missing", where="train-reward", field="--data", fix="pass the folder reward-data made"
        )
    with distributed.processes(pick_device(device)) as (own_device, writes):
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
        save = save_branch if stage in JUDGED else save_network
        save(out, trained, about)
        write_table(out.with_suffix(".history.parquet"), history, about)
        checkpoint.unlink(missing_ok=True)


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

    if files.data is not None and files.start is not None and stage in JUDGED:
        network, _ = load_network(files.start, device)
        store = FeatureStore(files.features)
        normalisers = {name: store.normaliser(name) for name in OFFICIAL_NAMES}
        judged = JudgedMotions(files.data, stage, normalisers)
        return train_task(settings, stage, network, judged, checkpoint, device=device, seed=seed)
    text = TextCache(files.text)
    splits = ("train", settings.official.selection_split)
    clips = {name: AlignedClips(files.features, tuple(OFFICIAL_NAMES), name) for name in splits}
    if files.start is None or stage == "semantic":
        return train_semantic(settings, clips, text, checkpoint, device=device, seed=seed)
    network, _ = load_network(files.start, device)
    return train_spl(settings, network, clips, text, checkpoint, device=device, seed=seed)
