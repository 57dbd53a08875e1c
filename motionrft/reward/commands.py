"""`train-reward`: one stage of MotionReward."""

from __future__ import annotations

import argparse
from pathlib import Path

from motionrft.config.commands import add_config_option

STAGES = ("semantic", "preference", "authenticity", "spl")


def add_commands(stages: argparse._SubParsersAction) -> None:
    train = stages.add_parser(
        "train-reward",
        help="train one stage of the reward",
        epilog="examples:\n"
        "  python -m motionrft train-reward --stage semantic --features results/toy/features "
        "--text results/toy/text/toy.safetensors --out results/toy/reward/semantic.safetensors\n"
        "  torchrun --nproc-per-node 4 -m motionrft train-reward --stage semantic …   four GPUs as one batch",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(train)
    train.add_argument("--stage", required=True, choices=STAGES)
    train.add_argument("--features", type=Path, required=True, help="feature store folder")
    train.add_argument("--text", type=Path, required=True, help="text feature file")
    train.add_argument(
        "--from", dest="start", type=Path, help="semantic file that later stages build on"
    )
    train.add_argument(
        "--data", type=Path, help="judged motions of the preference and authenticity stages"
    )
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--out", type=Path, required=True, help=".safetensors file to write; history goes beside it"
    )
    train.add_argument("--device", default="auto", help="auto, cpu or cuda")
    train.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> None:
    from motionrft.reward.stages import run_stage

    run_stage(arguments)
