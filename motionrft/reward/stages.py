"""What the reward's commands do: read files, run a stage, write its files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from motionrft.artefacts import provenance, write_table
from motionrft.config import load_run
from motionrft.corpus.store import FeatureStore
from motionrft.device import pick_device
from motionrft.errors import InputError
from motionrft.reward.clips import AlignedClips
from motionrft.reward.files import load_network, save_branch, save_network
from motionrft.reward.judged import Judged, JudgedMotions, JudgedPair, write_judged
from motionrft.reward.network import OFFICIAL_NAMES
from motionrft.reward.settings import RewardSettings
from motionrft.text.features import TextCache
from motionrft.training.processes import processes


def run_stage(arguments: argparse.Namespace) -> None:
    section = load_run(arguments.config, arguments.set)["reward"]
    settings = RewardSettings.read(section, str(arguments.config))
    if arguments.stage != "semantic" and arguments.start is None:
        raise InputError(
            "missing", where="train-reward", field="--from", fix="pass the semantic stage's file"
        )
    if arguments.stage in ("preference", "authenticity") and arguments.data is None:
        raise InputError(
            "missing", where="train-reward", field="--data", fix="pass the folder reward-data made"
        )
    with processes(pick_device(arguments.device)) as (device, first):
        checkpoint = arguments.out.with_suffix(".checkpoint.pt")
        about = facts(section, settings, arguments)
        trained, history = _train(settings, arguments, checkpoint, device)
        if not first:
            return
        about["provenance"] = provenance(section, seed=arguments.seed, device=str(device))
        if arguments.stage in ("semantic", "spl"):
            save_network(arguments.out, trained, about)
        else:
            save_branch(arguments.out, trained, about)
        write_table(history_path(arguments.out), history, about)
        checkpoint.unlink(missing_ok=True)


def _train(
    settings: RewardSettings, arguments: argparse.Namespace, checkpoint: Path, device: torch.device
) -> tuple[Any, Any]:
    from motionrft.reward.tasks import train_task
    from motionrft.reward.train_semantic import train_semantic, train_spl

    if arguments.stage in ("preference", "authenticity"):
        network, _ = load_network(arguments.start, device)
        data = judged(arguments.data, arguments.features, arguments.stage)
        return train_task(
            settings, arguments.stage, network, data, checkpoint, device=device, seed=arguments.seed
        )
    text = TextCache(arguments.text)
    splits = ("train", settings.official.selection_split)
    clips = {name: AlignedClips(arguments.features, tuple(OFFICIAL_NAMES), name) for name in splits}
    if arguments.stage == "semantic":
        return train_semantic(settings, clips, text, checkpoint, device=device, seed=arguments.seed)
    network, _ = load_network(arguments.start, device)
    return train_spl(settings, network, clips, text, checkpoint, device=device, seed=arguments.seed)


def judged(folder: Path, features: Path, task: str) -> JudgedMotions:
    store = FeatureStore(features)
    return JudgedMotions(folder, task, {name: store.normaliser(name) for name in OFFICIAL_NAMES})


def history_path(out: Path) -> Path:
    return out.with_suffix(".history.parquet")


def facts(
    section: dict[str, Any], settings: RewardSettings, arguments: argparse.Namespace
) -> dict[str, Any]:
    """What a reward file says of itself."""
    return {
        "stage": arguments.stage,
        "settings": section,
        "text": settings.text,
        "noise": asdict(settings.noise),
        "official": asdict(settings.official),
    }


def run_data(arguments: argparse.Namespace) -> None:
    from motionrft.reward import make_data
    from motionrft.reward.official_data import official_generated, official_pairs

    section = load_run(arguments.config, arguments.set)["reward"]
    settings = RewardSettings.read(section, str(arguments.config))
    making = settings.stages.get(arguments.kind, {}).get("data", {})
    held_out = arguments.held_out
    if held_out is None:
        held_out = making.get("held_out", [])
    store = FeatureStore(arguments.features)
    items: Iterator[Judged | JudgedPair]
    if arguments.official:
        about: dict[str, Any] = {
            "labels": "human",
            "source": [path.name for path in arguments.official],
        }
        if arguments.kind == "preference":
            items = official_pairs(arguments.official)
        else:
            about["labels"] = "real and generated"
            items = make_data.with_real(store, official_generated(arguments.official, held_out))
    else:
        samples = make_data.samples_of(arguments.samples)
        held_out = [name for name in held_out if name in {entry.generator for entry in samples}]
        about = make_data.describe(arguments.kind, samples, held_out)
        if arguments.kind == "preference":
            items = make_data.preference_items(
                store, samples, clips=int(making.get("clips", 0)), seed=arguments.seed
            )
        elif samples:
            items = make_data.authenticity_items(store, samples, held_out)
        else:
            raise InputError(
                "missing",
                where="reward-data",
                field="--samples",
                fix="pass samples of pre-trained backbones",
            )
    about["provenance"] = provenance(section, seed=arguments.seed)
    write_judged(arguments.out, items, arguments.kind, about)


def run_import(arguments: argparse.Namespace) -> None:
    from motionrft.reward.official import load_official_branch, load_official_network

    network, report = load_official_network(arguments.backbone)
    reports = [report]
    # the released weights score clean motions without a time token, and were trained on this law
    about = {
        "stage": "official",
        "text": "t5",
        "noise": {
            "probability": 0.1,
            "max_t": 500,
            "low_steps": 50,
            "low_share": 0.8,
            "official": True,
        },
        "official": {"no_clean_token": True},
    }
    save_network(arguments.out / "semantic.safetensors", network, about)
    for task, paths in (("preference", arguments.critic), ("authenticity", arguments.authenticity)):
        if paths:
            head = paths[1] if len(paths) > 1 else None
            branch, found = load_official_branch(paths[0], head, network, task)
            reports += found
            save_branch(arguments.out / f"{task}.safetensors", branch, about)
    for entry in reports:
        print(entry)


def run_export(arguments: argparse.Namespace) -> None:
    from motionrft.reward.files import load_branch
    from motionrft.reward.official import export_branch, export_network

    network, _ = load_network(arguments.semantic)
    export_network(arguments.out / "stage1_retrieval_backbone.pth", network)
    for task, stem in (("preference", "stage2_critic"), ("authenticity", "stage3_ai_detection")):
        path = getattr(arguments, task)
        if path is not None:
            branch, _ = load_branch(path, network, task)
            out = arguments.out
            export_branch(out / f"{stem}_lora.pth", out / f"{stem}_head.pth", branch)


def run_evaluate(arguments: argparse.Namespace) -> None:
    from motionrft.reward.evaluate import evaluate_reward

    evaluate_reward(arguments)
