"""`train-evaluator` makes the network that judges; `evaluate` samples a model and scores it."""

from __future__ import annotations

import argparse
from pathlib import Path

from motionrft.config.commands import add_config_option


def add_commands(stages: argparse._SubParsersAction) -> None:
    add_train(stages)


def add_train(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "train-evaluator",
        help="train the suite's own evaluator, or read an official one (evaluator.checkpoint)",
        epilog="example:\n  python -m motionrft train-evaluator --features results/toy/features "
        "--text results/toy/text/toy.safetensors \\\n      --out results/toy/evaluator/model.safetensors",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(parser)
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    parser.add_argument("--text", type=Path, help="text feature file of the evaluator's encoder")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write; a history goes beside it"
    )
    parser.set_defaults(run=run_train)


def run_train(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import provenance
    from motionrft.config import load_run
    from motionrft.device import pick_device
    from motionrft.errors import InputError
    from motionrft.evaluation.evaluator import save_evaluator

    settings = load_run(arguments.config, arguments.set)["evaluator"]
    device = pick_device(arguments.device)
    if settings.get("checkpoint"):
        _import_official(arguments, settings)
        return
    if arguments.text is None:
        raise InputError(
            "needed to train an evaluator",
            where="train-evaluator",
            field="--text",
            fix="name the file",
        )
    from motionrft.artefacts import write_table
    from motionrft.evaluation.train import train_evaluator
    from motionrft.text.features import TextCache

    checkpoint = arguments.out.with_suffix(".checkpoint")
    evaluator, about, history = train_evaluator(
        settings, arguments.features, TextCache(arguments.text), checkpoint, device, arguments.seed
    )
    about["provenance"] = provenance(settings, seed=arguments.seed, device=str(device))
    write_table(arguments.out.with_name("history.parquet"), history, about)
    save_evaluator(arguments.out, evaluator, about)
    checkpoint.unlink(missing_ok=True)


def _import_official(arguments: argparse.Namespace, settings: dict) -> None:
    from motionrft.artefacts import provenance
    from motionrft.errors import InputError
    from motionrft.evaluation.evaluator import OFFICIAL, save_evaluator
    from motionrft.evaluation.official import load_official, read_statistics, table_tensors
    from motionrft.evaluation.words import read_glove

    for key in ("mean", "std", "glove"):
        if not settings.get(key):
            raise InputError(
                "needed with evaluator.checkpoint",
                where=arguments.config,
                field=f"evaluator.{key}",
                fix="name the file or folder of the official release",
            )
    normaliser = read_statistics(settings["mean"], settings["std"])
    evaluator, build, report = load_official(
        settings["checkpoint"], normaliser, settings["channels"]
    )
    print(report)
    about = {
        "label": OFFICIAL,
        "corpus": "",
        "build": build,
        "settings": settings,
        "provenance": provenance(settings),
    }
    save_evaluator(arguments.out, evaluator, about, table_tensors(read_glove(settings["glove"])))
