"""`train-evaluator` makes the network that judges; `evaluate` samples a model and scores it."""

from __future__ import annotations

import argparse
from pathlib import Path

from motionrft.config.commands import add_config_option


def add_commands(stages: argparse._SubParsersAction) -> None:
    add_train(stages)
    add_evaluate(stages)
    add_sample(stages)


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
    from motionrft.evaluation.evaluator import save_evaluator
    from motionrft.evaluation.released import read_released

    evaluator, about, extra = read_released(
        settings, arguments.features, arguments.text, str(arguments.config)
    )
    about["provenance"] = provenance(settings)
    save_evaluator(arguments.out, evaluator, about, extra)


def add_evaluate(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "evaluate",
        help="score a model, or the recorded motions, over replications of a protocol",
        epilog="examples:\n"
        "  python -m motionrft evaluate --backbone mdm --model results/toy/backbones/mdm/denoiser.safetensors \\\n"
        "      --features results/toy/features --text results/toy/text/toy.safetensors \\\n"
        "      --evaluator results/toy/evaluator/model.safetensors --out results/toy/evaluate/mdm/base/seed0\n"
        "  python -m motionrft evaluate --features … --text … --evaluator … --out …/real/base/seed0    recorded motions",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(parser)
    parser.add_argument(
        "--backbone", default="real", help="name in the configuration; real: the recorded motions"
    )
    parser.add_argument("--model", type=Path, help="backbone file (none: the recorded motions)")
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    parser.add_argument(
        "--text", type=Path, required=True, help="text feature file of the backbone"
    )
    parser.add_argument(
        "--evaluator-text",
        type=Path,
        help="text feature file of the evaluator (default: the one of its encoder's name beside --text)",
    )
    parser.add_argument("--evaluator", type=Path, required=True, help="evaluator file")
    parser.add_argument(
        "--any-corpus",
        action="store_true",
        help="let an evaluator judge a corpus it was not trained on",
    )
    parser.add_argument(
        "--split",
        choices=("test", "val"),
        default="test",
        help="select on val, report test (default: %(default)s)",
    )
    parser.add_argument(
        "--replications", type=int, help="(default: the configuration's evaluate.replications)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of all draws; equal seeds make models comparable in pairs (default: %(default)s)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for replications.parquet, per_prompt.parquet, samples.safetensors",
    )
    parser.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import provenance
    from motionrft.backbones.assemble import load_backbone
    from motionrft.config import load_run
    from motionrft.device import pick_device
    from motionrft.errors import InputError
    from motionrft.evaluation.evaluate import file_digest, replicate, summary
    from motionrft.evaluation.judge import REAL, Judge
    from motionrft.evaluation.settings import EvaluateSettings
    from motionrft.text.features import TextCache

    run = load_run(arguments.config, arguments.set)
    settings = EvaluateSettings.read(run["evaluate"], str(arguments.config))
    count = settings.replications if arguments.replications is None else arguments.replications
    if count < 1:
        raise InputError(
            f"{count} replications", where="evaluate", field="--replications", fix="run at least 1"
        )
    if (arguments.model is None) != (arguments.backbone == REAL):
        raise InputError(
            "--backbone and --model go together",
            where="evaluate",
            field="--model",
            fix="give both, or neither for the recorded motions",
        )
    device = pick_device(arguments.device)
    text = TextCache(arguments.text)
    judge = Judge(
        arguments.features,
        arguments.evaluator,
        _evaluator_text(arguments, text),
        settings.rules(),
        split=arguments.split,
        seed=arguments.seed,
        device=device,
        any_corpus=arguments.any_corpus,
    )
    about = {
        "backbone": arguments.backbone,
        "corpus_digest": judge.corpus,
        "evaluator_digest": file_digest(arguments.evaluator),
        "evaluator": judge.about["label"],
        "model_digest": None if arguments.model is None else file_digest(arguments.model),
        "protocol": settings.protocol,
        "lengths": "reference" if judge.lengths is None else "estimated",
        "settings": run["evaluate"],
        "split": arguments.split,
        "seed": arguments.seed,
        "replications": count,
    }
    if arguments.model is None:
        one = judge.score_real
    else:
        backbone, facts = load_backbone(arguments.model, device)
        sampler = run["backbones"].get(arguments.backbone, facts["backbone"])["sampler"]
        about["sampler"] = sampler

        def one(replication: int):
            return judge.score_backbone(
                backbone, sampler, text, arguments.backbone, replication, settings.batch_size
            )

    frame = replicate(
        judge,
        one,
        arguments.out,
        count,
        about,
        keep_samples=settings.samples,
        finish=lambda: {
            "provenance": provenance(run["evaluate"], seed=arguments.seed, device=str(device))
        },
    )
    print(
        f"{arguments.backbone} on {arguments.split}, {judge.about['label']} evaluator, protocol {settings.protocol}"
    )
    print(summary(frame).to_string(index=False, float_format=lambda value: f"{value:.4f}"))


def _evaluator_text(arguments: argparse.Namespace, text):
    """The text cache the evaluator reads: as given, or the file of its encoder's name beside --text."""
    from motionrft.artefacts import read_tensors
    from motionrft.text.features import TextCache

    if arguments.evaluator_text is not None:
        return TextCache(arguments.evaluator_text)
    name = read_tensors(arguments.evaluator)[1].get("text", {}).get("name")
    if name is None or name == text.about.get("name"):
        return text
    return TextCache(arguments.text.with_name(f"{name}.safetensors"))


def add_sample(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "sample",
        help="sample a model for captions of every split (data for the reward's later stages)",
        epilog="example:\n"
        "  python -m motionrft sample --backbone mdm --model results/toy/backbones/mdm/denoiser.safetensors \\\n"
        "      --features results/toy/features --text results/toy/text/toy.safetensors \\\n"
        "      --prompts 256 --out results/toy/backbones/mdm/samples.safetensors",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(parser)
    parser.add_argument("--backbone", required=True, help="name in the configuration")
    parser.add_argument("--model", type=Path, required=True, help="backbone file")
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    parser.add_argument("--text", type=Path, required=True, help="text feature file")
    parser.add_argument(
        "--prompts", type=int, default=256, help="clips to prompt with (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of prompts and noise")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.set_defaults(run=run_sample)


def run_sample(arguments: argparse.Namespace) -> None:
    from dataclasses import replace

    from motionrft.artefacts import provenance
    from motionrft.backbones.assemble import load_backbone
    from motionrft.config import load_run
    from motionrft.corpus.samples import write_samples
    from motionrft.device import pick_device
    from motionrft.evaluation.sample import sample_splits
    from motionrft.text.features import TextCache

    run = load_run(arguments.config, arguments.set)
    device = pick_device(arguments.device)
    backbone, about = load_backbone(arguments.model, device)
    sampler = run["backbones"].get(arguments.backbone, about["backbone"])["sampler"]
    samples = sample_splits(
        backbone,
        sampler,
        arguments.features,
        TextCache(arguments.text),
        arguments.backbone,
        arguments.prompts,
        arguments.seed,
    )
    facts = {
        "sampler": sampler,
        "provenance": provenance(sampler, seed=arguments.seed, device=str(device)),
    }
    write_samples(arguments.out, replace(samples, about=facts))
