"""`finetune`: one backbone, one method, one seed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from motionrft.config.commands import add_config_option
from motionrft.training.launch import add_processes_option

ANALYSES = ("gradients", "similarity", "memory")


def add_commands(stages: argparse._SubParsersAction) -> None:
    add_finetune(stages)
    add_analyse(stages)


def add_analyse(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "analyse",
        help="gradient norms, similarity or memory per denoising step, as a tidy record",
        epilog="example:\n"
        "  python -m motionrft analyse gradients --backbone mld --method draft-50 --base … --reward … \\\n"
        "      --features … --text … --out results/toy/analyse/gradients/mld.parquet",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what",
        choices=ANALYSES,
        help="gradients: single Jacobian against the product; similarity: noised against clean motions; "
        "memory: what the method's graph holds, step by step",
    )
    add_config_option(parser)
    add_sources(parser)
    parser.add_argument(
        "--rows", type=int, default=64, help="captions or motions (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, help=".parquet file to write")
    parser.set_defaults(run=run_analyse)


def run_analyse(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import provenance, write_table
    from motionrft.device import pick_device
    from motionrft.finetune.analyse import ANALYSE

    run = load(arguments)
    device = pick_device(arguments.device)
    frame = ANALYSE[arguments.what](
        run,
        arguments.backbone,
        arguments.method,
        arguments.seed,
        sources(arguments),
        device,
        arguments.rows,
    )
    about = {
        "what": arguments.what,
        "backbone": arguments.backbone,
        "method": arguments.method,
        "provenance": provenance(run["finetune"], seed=arguments.seed, device=str(device)),
    }
    write_table(arguments.out, frame, about)


def add_finetune(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "finetune",
        help="fine-tune a backbone with a reward (resumes where it was killed)",
        epilog="examples:\n"
        "  python -m motionrft finetune --backbone mdm --method easytune --seed 0 \\\n"
        "      --base results/toy/backbones/mdm/denoiser.safetensors --reward results/toy/reward/semantic.safetensors \\\n"
        "      --features results/toy/features --text results/toy/text/toy.safetensors \\\n"
        "      --out results/toy/finetune/mdm/easytune/seed0\n"
        "  python -m motionrft finetune … --processes 4   four GPUs share each batch",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(parser)
    add_sources(parser)
    parser.add_argument(
        "--evaluator",
        type=Path,
        help="evaluator file: an independent judge on the validation split",
    )
    parser.add_argument(
        "--evaluator-text", type=Path, help="its text feature file (default: --text)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for model.safetensors, record.parquet and cost.json",
    )
    add_processes_option(parser)
    parser.set_defaults(run=run_finetune)


def add_sources(parser: argparse.ArgumentParser) -> None:
    """The files and names every command of this room reads."""
    parser.add_argument("--backbone", required=True, help="name in the configuration")
    parser.add_argument("--method", required=True, help="name in the configuration")
    parser.add_argument(
        "--seed", type=int, default=0, help="of prompts, noise and the method's draws"
    )
    parser.add_argument("--base", type=Path, required=True, help="pre-trained backbone file")
    parser.add_argument(
        "--reward",
        type=Path,
        nargs="+",
        required=True,
        help="files of the reward's stages, in any order",
    )
    parser.add_argument("--features", type=Path, required=True, help="feature store folder")
    parser.add_argument("--text", type=Path, required=True, help="the backbone's text feature file")
    parser.add_argument(
        "--reward-text", type=Path, help="the reward's text feature file (default: --text)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")


def run_finetune(arguments: argparse.Namespace) -> None:
    from motionrft.device import pick_device
    from motionrft.finetune.job import prepare
    from motionrft.finetune.loop import Training
    from motionrft.finetune.results import write_results
    from motionrft.training.processes import processes

    run = load(arguments)
    with processes(pick_device(arguments.device)) as (device, first):
        judge_of = judge_factory(arguments, run, device) if arguments.evaluator else None
        job = prepare(
            run,
            arguments.backbone,
            arguments.method,
            arguments.seed,
            sources(arguments),
            device,
            judge_of,
        )
        checkpoint = arguments.out / "checkpoint.pt"
        training = Training(job.course, checkpoint)
        record = training.run()
        if first:
            write_results(
                arguments.out, job, training, record, run["methods"][arguments.method], str(device)
            )
            checkpoint.unlink(missing_ok=True)


def load(arguments: argparse.Namespace) -> dict[str, Any]:
    """The resolved run; unknown names are errors that list the known ones."""
    from motionrft.config import load_run
    from motionrft.errors import InputError

    run = load_run(arguments.config, arguments.set)
    for kind, name in (("backbones", arguments.backbone), ("methods", arguments.method)):
        if name not in run[kind]:
            raise InputError(
                f"unknown name {name!r}",
                where=arguments.config,
                field=kind,
                fix=f"choose from {', '.join(run[kind])}",
            )
    return run


def sources(arguments: argparse.Namespace) -> Any:
    from motionrft.finetune.job import Sources

    return Sources(
        arguments.base, arguments.reward, arguments.features, arguments.text, arguments.reward_text
    )


def judge_factory(arguments: argparse.Namespace, run: dict[str, Any], device: Any) -> Any:
    """backbone -> a judge that samples and scores it on the validation split, and diversity's gap to real."""
    from dataclasses import replace

    from motionrft.evaluation.judge import Judge
    from motionrft.evaluation.protocol import PROTOCOLS, MultiModalityPlan
    from motionrft.text.features import TextCache

    text = TextCache(arguments.text)
    own = TextCache(arguments.evaluator_text) if arguments.evaluator_text else text
    rules = replace(PROTOCOLS["sound"], multimodality=MultiModalityPlan(texts=0))
    judge = Judge(arguments.features, arguments.evaluator, own, rules, split="val", device=device)
    real = judge.score_real(0).metrics["Diversity"]
    entry = run["backbones"][arguments.backbone]

    def of(backbone: Any) -> Any:
        def metrics() -> dict[str, float]:
            found = judge.score_backbone(
                backbone, entry["sampler"], text, arguments.backbone
            ).metrics
            return {**found, "Diversity gap": abs(found["Diversity"] - real)}

        return metrics

    return of
