"""What the `train-reward` command does: reads files, trains a stage, writes its file and history."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from motionrft.artefacts import provenance, write_table
from motionrft.config import load_run
from motionrft.device import pick_device
from motionrft.reward.clips import AlignedClips
from motionrft.reward.files import save_network
from motionrft.reward.network import OFFICIAL_NAMES
from motionrft.reward.parallel import processes
from motionrft.reward.settings import RewardSettings
from motionrft.reward.train_semantic import train_semantic
from motionrft.text.features import TextCache


def run_stage(arguments: argparse.Namespace) -> None:
    section = load_run(arguments.config, arguments.set)["reward"]
    settings = RewardSettings.read(section, str(arguments.config))
    device = pick_device(arguments.device)
    with processes(device) as (device, first):
        text = TextCache(arguments.text)
        splits = ("train", settings.official.selection_split)
        clips = {
            name: AlignedClips(arguments.features, tuple(OFFICIAL_NAMES), name) for name in splits
        }
        checkpoint = arguments.out.with_suffix(".checkpoint.pt")
        network, history = train_semantic(
            settings, clips, text, checkpoint, device=device, seed=arguments.seed
        )
        if not first:
            return
        about = facts(section, settings, arguments, str(device))
        save_network(arguments.out, network, about)
        write_table(history_path(arguments.out), history, about)
        checkpoint.unlink(missing_ok=True)


def history_path(out: Path) -> Path:
    return out.with_suffix(".history.parquet")


def facts(
    section: dict[str, Any], settings: RewardSettings, arguments: argparse.Namespace, device: str
) -> dict[str, Any]:
    """What a reward file says of itself."""
    return {
        "stage": arguments.stage,
        "text": settings.text,
        "noise": asdict(settings.noise),
        "official": asdict(settings.official),
        "provenance": provenance(section, seed=arguments.seed, device=device),
    }
