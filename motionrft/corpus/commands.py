"""`corpus` packs the clips of any source; `features` computes their three representations."""

from __future__ import annotations

import argparse
from pathlib import Path

from motionrft.config.commands import add_config_option


def add_commands(stages: argparse._SubParsersAction) -> None:
    add_corpus(stages)


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
    from motionrft.corpus.sources import source
    from motionrft.corpus.store import write_corpus

    settings = load_run(arguments.config, arguments.set)["corpus"]
    clips, fps = source(settings["kind"])
    skipped: list[str] = []
    about = {"corpus": settings, "skipped": skipped, "provenance": provenance(settings, seed=settings.get("seed"))}
    write_corpus(arguments.out, clips(settings, str(arguments.config), skipped), about, fps=fps)
