"""`text-encoder` makes a small encoder for a corpus; `text` caches the features of its captions."""

from __future__ import annotations

import argparse
from pathlib import Path

from motionrft.config.commands import add_config_option


def add_commands(stages: argparse._SubParsersAction) -> None:
    make = stages.add_parser(
        "text-encoder",
        help="make a small seeded text encoder from a corpus's captions",
        epilog="example:\n  python -m motionrft text-encoder --corpus results/toy/corpus --name toy --out results/toy/text/toy",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(make)
    make.add_argument("--corpus", type=Path, required=True, help="packed corpus folder")
    make.add_argument(
        "--name", required=True, help="which entry of the configuration's `text` section"
    )
    make.add_argument(
        "--out", type=Path, required=True, help="folder to write, a transformers directory"
    )
    make.set_defaults(run=run_make)
    cache = stages.add_parser(
        "text",
        help="encode every caption of a corpus once, into one file",
        epilog="example:\n  python -m motionrft text --corpus results/toy/corpus --name toy --source results/toy/text/toy "
        "--out results/toy/text/toy.safetensors",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_option(cache)
    cache.add_argument("--corpus", type=Path, required=True, help="packed corpus folder")
    cache.add_argument(
        "--name", required=True, help="which entry of the configuration's `text` section"
    )
    cache.add_argument(
        "--source", type=Path, help="encoder directory (default: the section's `source`)"
    )
    cache.add_argument("--out", type=Path, required=True, help="feature file to write")
    cache.add_argument("--device", default="auto", help="auto, cpu or cuda")
    cache.set_defaults(run=run_cache)


def _section(arguments: argparse.Namespace) -> dict:
    from motionrft.config import load_run
    from motionrft.errors import InputError

    encoders = load_run(arguments.config, arguments.set)["text"]
    if arguments.name not in encoders:
        raise InputError(
            f"no text encoder {arguments.name!r}",
            where=arguments.config,
            field="text",
            fix=f"choose from {', '.join(encoders)}",
        )
    return encoders[arguments.name]


def run_make(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import atomic_folder
    from motionrft.corpus.store import Corpus
    from motionrft.text.made import make_encoder

    section = _section(arguments)
    with atomic_folder(arguments.out) as folder:
        make_encoder(
            folder,
            Corpus(arguments.corpus).captions(),
            width=section["width"],
            layers=section["layers"],
            seed=section["seed"],
        )


def run_cache(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import provenance
    from motionrft.corpus.store import Corpus
    from motionrft.device import pick_device
    from motionrft.text.encoder import encode_all, open_encoder
    from motionrft.text.features import write_cache

    section = _section(arguments)
    device = pick_device(arguments.device)
    captions = Corpus(arguments.corpus).captions()
    encoder = open_encoder(section, arguments.source).to(device)
    batches = encode_all(encoder, captions)
    about = {
        "encoder": section,
        "name": arguments.name,
        "provenance": provenance(section, device=str(device)),
    }
    write_cache(arguments.out, captions, batches, about)
