"""`corpus` packs the clips of any source; `features` computes their three representations."""

from __future__ import annotations

import argparse
from pathlib import Path

from motionrft.config.commands import add_config_option


def add_commands(stages: argparse._SubParsersAction) -> None:
    add_corpus(stages)
    add_features(stages)


def add_corpus(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "corpus",
        help="pack the clips, captions and splits of a source into one store",
        epilog="examples:\n"
        "  python -m motionrft corpus --config config/toy.yaml --out results/toy/corpus\n"
        "  python -m motionrft corpus --config config/mocap.yaml --set corpus.mocap_dir=/data/bvh --out results/mocap/corpus",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=run_corpus)


def run_corpus(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import provenance
    from motionrft.config import load_run
    from motionrft.corpus.kinds import facts, source
    from motionrft.corpus.report import Report
    from motionrft.corpus.splits import check_counts
    from motionrft.corpus.store import write_corpus

    run = load_run(arguments.config, arguments.set)
    settings, evaluate = run["corpus"], run["evaluate"]
    clips, fps = source(settings["kind"])
    where = str(arguments.config)
    report = Report(fatal=settings.get("on_error") == "fail")
    about = {
        "corpus": settings,
        "skipped": report.skipped,
        "remarks": report.remarks,
        "provenance": provenance(settings, seed=settings.get("seed")),
    }
    write_corpus(
        arguments.out,
        clips(settings, where, report),
        about,
        fps=fps,
        facts=facts(settings["kind"], settings, where),
        report=report,
        enough=lambda table: check_counts(table, evaluate["min_frames"], evaluate["group"], where),
    )
    report.summary()


def add_features(stages: argparse._SubParsersAction) -> None:
    parser = stages.add_parser(
        "features",
        help="compute the three representations of a packed corpus, and their statistics",
        epilog="example:\n  python -m motionrft features --corpus results/toy/corpus --out results/toy/features",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(parser)
    parser.add_argument("--corpus", type=Path, required=True, help="packed corpus to read")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument(
        "--batch", type=int, default=32, help="clips at once (default: %(default)s)"
    )
    parser.add_argument(
        "--compat",
        choices=("humanml3d", "corrected"),
        help="variant of the features (default: the configuration's)",
    )
    parser.set_defaults(run=run_features)


def run_features(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import provenance
    from motionrft.config import load_run
    from motionrft.corpus.features import write_features
    from motionrft.errors import InputError

    for name in ("workers", "batch"):
        if getattr(arguments, name) < 1:
            raise InputError(
                f"{getattr(arguments, name)} is not positive",
                where=f"--{name}",
                fix="use 1 or more",
            )
    settings = load_run(arguments.config, arguments.set)["corpus"]
    compat = arguments.compat or settings.get("compat", "humanml3d")
    write_features(
        arguments.corpus,
        arguments.out,
        {"provenance": provenance(settings)},
        compat=compat,
        batch=arguments.batch,
        workers=arguments.workers,
    )
