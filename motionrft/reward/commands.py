"""Commands of the reward: its stages, their data, its evaluation, official files in and out."""

from __future__ import annotations

import argparse
from pathlib import Path

from motionrft.config.commands import add_config_option
from motionrft.training.launch import add_processes_option

STAGES = ("semantic", "preference", "authenticity", "spl")


def add_commands(stages: argparse._SubParsersAction) -> None:
    _add_train(stages)
    _add_data(stages)
    _add_evaluate(stages)
    _add_import(stages)
    _add_export(stages)


def _parser(
    stages: argparse._SubParsersAction, name: str, text: str, epilog: str
) -> argparse.ArgumentParser:
    return stages.add_parser(
        name, help=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def _add_train(stages: argparse._SubParsersAction) -> None:
    train = _parser(
        stages,
        "train-reward",
        "train one stage of the reward",
        "examples:\n"
        "  python -m motionrft train-reward --stage semantic --features results/toy/features "
        "--text results/toy/text/toy.safetensors --out results/toy/reward/semantic.safetensors\n"
        "  python -m motionrft train-reward --stage preference --from results/toy/reward/semantic.safetensors "
        "--data results/toy/reward/data/preference …\n"
        "  python -m motionrft train-reward --stage semantic … --processes 4   four GPUs as one batch",
    )
    add_config_option(train)
    train.add_argument("--stage", required=True, choices=STAGES)
    train.add_argument("--features", type=Path, required=True, help="feature store folder")
    train.add_argument("--text", type=Path, required=True, help="text feature file")
    train.add_argument("--from", dest="start", type=Path, help="semantic file the stage builds on")
    train.add_argument("--data", type=Path, help="judged motions (preference, authenticity)")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--out", type=Path, required=True, help=".safetensors file; history beside it"
    )
    train.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add_processes_option(train)
    train.set_defaults(run=_run("run_stage"))


def _add_data(stages: argparse._SubParsersAction) -> None:
    data = _parser(
        stages,
        "reward-data",
        "make, or convert, what the preference and authenticity stages learn from",
        "examples:\n"
        "  python -m motionrft reward-data --kind preference --features results/toy/features "
        "--out results/toy/reward/data/preference\n"
        "  python -m motionrft reward-data --kind authenticity --features results/toy/features "
        "--samples mdm.safetensors mld.safetensors --held-out mld --out results/toy/reward/data/authenticity\n"
        "  python -m motionrft reward-data --kind preference --features … --official critic_*.pth --out …",
    )
    add_config_option(data)
    data.add_argument("--kind", required=True, choices=("preference", "authenticity"))
    data.add_argument("--features", type=Path, required=True, help="feature store folder")
    data.add_argument(
        "--samples",
        type=Path,
        nargs="*",
        default=[],
        help="generated samples, one file a generator",
    )
    data.add_argument(
        "--held-out", nargs="*", default=None, help="generators that training never sees"
    )
    data.add_argument(
        "--official",
        type=Path,
        nargs="*",
        default=[],
        help="released .pth files to convert instead",
    )
    data.add_argument("--seed", type=int, default=0)
    data.add_argument("--out", type=Path, required=True, help="folder to write")
    data.set_defaults(run=_run("run_data"))


def _add_evaluate(stages: argparse._SubParsersAction) -> None:
    evaluate = _parser(
        stages,
        "evaluate-reward",
        "retrieval, preference, authenticity, calibration and faithfulness of a reward, as tidy tables",
        "example:\n"
        "  python -m motionrft evaluate-reward --semantic semantic.safetensors --preference preference.safetensors "
        "--preference-data data/preference --features … --text … --out results/toy/reward/scores.parquet",
    )
    add_config_option(evaluate)
    evaluate.add_argument("--features", type=Path, required=True, help="feature store folder")
    evaluate.add_argument("--text", type=Path, required=True, help="text feature file")
    evaluate.add_argument("--semantic", type=Path, required=True)
    for name in ("spl", "preference", "authenticity"):
        evaluate.add_argument(f"--{name}", type=Path, help=f"file of the {name} stage")
    for name in ("preference", "authenticity"):
        evaluate.add_argument(
            f"--{name}-data", type=Path, help=f"judged motions of the {name} stage"
        )
    evaluate.add_argument("--evaluator", type=Path, help="independent evaluator (for faithfulness)")
    evaluate.add_argument(
        "--only-scores", action="store_true", help="neither calibration nor faithfulness"
    )
    evaluate.add_argument("--split", default="test", choices=("val", "test"))
    evaluate.add_argument("--seed", type=int, default=0)
    evaluate.add_argument(
        "--out",
        type=Path,
        required=True,
        help="scores.parquet to write; calibration and faithfulness beside it",
    )
    evaluate.add_argument("--device", default="auto", help="auto, cpu or cuda")
    evaluate.set_defaults(run=_run("run_evaluate"))


def _add_import(stages: argparse._SubParsersAction) -> None:
    imported = _parser(
        stages,
        "import-reward",
        "read the released MotionReward checkpoints into this suite's files",
        "example:\n"
        "  python -m motionrft import-reward --backbone stage1_retrieval_backbone.pth "
        "--critic stage2_critic_lora.pth stage2_critic_head.pth "
        "--authenticity stage3_ai_detection_lora.pth stage3_ai_detection_head.pth --out results/official",
    )
    imported.add_argument(
        "--backbone", type=Path, required=True, help="stage1_retrieval_backbone.pth"
    )
    imported.add_argument(
        "--critic", type=Path, nargs="+", help="LoRA file and head file of stage 2"
    )
    imported.add_argument(
        "--authenticity", type=Path, nargs="+", help="LoRA file and head file of stage 3"
    )
    imported.add_argument("--out", type=Path, required=True, help="folder to write")
    imported.set_defaults(run=_run("run_import"))


def _add_export(stages: argparse._SubParsersAction) -> None:
    exported = _parser(
        stages,
        "export-reward",
        "write reward files in the released layout",
        "example:\n  python -m motionrft export-reward --semantic semantic.safetensors "
        "--preference preference.safetensors --out results/export",
    )
    exported.add_argument("--semantic", type=Path, required=True)
    exported.add_argument("--preference", type=Path, help="file of the preference stage")
    exported.add_argument("--authenticity", type=Path, help="file of the authenticity stage")
    exported.add_argument("--out", type=Path, required=True, help="folder to write")
    exported.set_defaults(run=_run("run_export"))


def _run(name: str):
    """The function `name` of `reward/stages.py`, imported only when the command runs."""

    def run(arguments: argparse.Namespace) -> int | None:
        from motionrft.reward import stages

        return getattr(stages, name)(arguments)

    return run
