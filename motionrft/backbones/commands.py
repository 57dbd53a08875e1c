"""`pretrain` one stage of a backbone; `import` and `export` official checkpoints, and the CLIP in them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from motionrft.config.commands import add_config_option

if TYPE_CHECKING:
    from motionrft.backbones.base import Backbone


def add_commands(stages: argparse._SubParsersAction) -> None:
    add_pretrain(stages)
    add_import(stages)
    add_export(stages)
    add_import_text(stages)


def _parser(
    stages: argparse._SubParsersAction, name: str, summary: str, example: str
) -> argparse.ArgumentParser:
    return stages.add_parser(
        name,
        help=summary,
        epilog=f"example:\n  python -m motionrft {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_pretrain(stages: argparse._SubParsersAction) -> None:
    parser = _parser(
        stages,
        "pretrain",
        "train one stage of a backbone from scratch (resumes where it was killed)",
        "pretrain --backbone mdm --stage denoiser --features results/toy/features \\\n"
        "    --text results/toy/text/toy.safetensors --out results/toy/backbones/mdm/denoiser.safetensors",
    )
    add_config_option(parser)
    parser.add_argument("--backbone", required=True, help="name in the configuration")
    parser.add_argument("--stage", required=True, help="one of the backbone's stages")
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    parser.add_argument("--text", type=Path, required=True, help="text feature file")
    parser.add_argument(
        "--from",
        type=Path,
        action="append",
        default=[],
        dest="sources",
        metavar="FILE",
        help="weights to start from: the earlier stage, or the teacher of a distilled backbone",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write; the history goes beside it"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.set_defaults(run=run_pretrain)


def run_pretrain(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import provenance, write_table
    from motionrft.backbones.assemble import save_backbone
    from motionrft.backbones.pretrain import pretrain
    from motionrft.device import pick_device
    from motionrft.text.features import TextCache

    settings = _settings(arguments)
    device = pick_device(arguments.device)
    checkpoint = arguments.out.with_suffix(".checkpoint")
    backbone, about, history = pretrain(
        settings,
        arguments.stage,
        arguments.features,
        TextCache(arguments.text),
        arguments.sources,
        checkpoint,
        device,
        arguments.seed,
    )
    about["provenance"] = provenance(settings, seed=arguments.seed, device=str(device))
    write_table(arguments.out.with_name(f"{arguments.stage}.history.parquet"), history, about)
    save_backbone(arguments.out, backbone, about)
    checkpoint.unlink(missing_ok=True)


def _settings(arguments: argparse.Namespace) -> dict:
    from motionrft.config import load_run
    from motionrft.errors import InputError

    backbones = load_run(arguments.config, arguments.set)["backbones"]
    if arguments.backbone not in backbones:
        raise InputError(
            f"unknown backbone {arguments.backbone!r}",
            where=arguments.config,
            field="backbones",
            fix=f"choose from {', '.join(backbones)}",
        )
    return backbones[arguments.backbone]


def add_import(stages: argparse._SubParsersAction) -> None:
    parser = _parser(
        stages,
        "import",
        "read an official checkpoint into the suite's own file, with a report",
        "import --config config/humanml3d.yaml --backbone mld --checkpoint mld_humanml_v1.ckpt \\\n"
        "    --features results/humanml3d/features --out results/humanml3d/backbones/mld/denoiser.safetensors",
    )
    add_config_option(parser)
    parser.add_argument(
        "--backbone", required=True, help="name in the configuration (use size: paper)"
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="official file")
    parser.add_argument(
        "--features", type=Path, required=True, help="feature store whose statistics apply"
    )
    parser.add_argument(
        "--pooled", type=int, default=0, help="width of the text vector (default: the encoder's)"
    )
    parser.add_argument(
        "--tokens", type=int, default=0, help="width of the token states (default: the encoder's)"
    )
    parser.add_argument("--text", type=Path, help="text feature file, read for the two widths")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.set_defaults(run=run_import)


def run_import(arguments: argparse.Namespace) -> None:
    from motionrft.artefacts import provenance
    from motionrft.backbones.assemble import build_backbone, save_backbone
    from motionrft.corpus.store import FeatureStore
    from motionrft.errors import InputError
    from motionrft.text.features import TextCache

    settings = _settings(arguments)
    widths = {"pooled": arguments.pooled, "tokens": arguments.tokens}
    if arguments.text is not None:
        cache = TextCache(arguments.text)
        widths = {"pooled": cache.pooled_dim, "tokens": cache.token_dim}
    if not any(widths.values()):
        raise InputError(
            "the text widths are unknown",
            where="import",
            field="--text",
            fix="name a text feature file, or --pooled and --tokens",
        )
    normaliser = FeatureStore(arguments.features).normaliser(settings["representation"])
    dim = len(normaliser.mean)
    backbone = build_backbone(settings, dim=dim, text=widths, normaliser=normaliser)
    _refuse_unofficial(backbone, arguments.checkpoint)
    report = backbone.load_official(arguments.checkpoint)
    print(report)
    for name in report.ignored:
        print(f"  ignored: {name}")
    about = {
        "backbone": settings,
        "dim": dim,
        "text": widths,
        "stage": "imported",
        "imported_from": arguments.checkpoint.name,
        "provenance": provenance(settings),
    }
    save_backbone(arguments.out, backbone, about)


def add_export(stages: argparse._SubParsersAction) -> None:
    parser = _parser(
        stages,
        "export",
        "write weights back in the official file layout",
        "export --model results/toy/finetune/mld/easytune/seed0/model.safetensors --out mld_easytune.ckpt",
    )
    parser.add_argument("--model", type=Path, required=True, help="backbone file of this suite")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--like",
        type=Path,
        help="official file whose text encoder or evaluators, which official code loads too, are carried over",
    )
    parser.set_defaults(run=run_export)


def run_export(arguments: argparse.Namespace) -> None:
    from motionrft.backbones.assemble import load_backbone

    backbone, _ = load_backbone(arguments.model)
    _refuse_unofficial(backbone, arguments.model)
    backbone.export_official(arguments.out, arguments.like)
    print(f"wrote {arguments.out}")


def _refuse_unofficial(backbone: Backbone, where: Path) -> None:
    """The shapes may agree where the meaning does not."""
    from motionrft.errors import InputError

    if backbone.unofficial:
        raise InputError(
            "the official code reads this network's output otherwise",
            where=where,
            field=f"network.{backbone.unofficial}",
            fix="leave the option out and train again: only such networks have official files",
        )


def add_import_text(stages: argparse._SubParsersAction) -> None:
    parser = _parser(
        stages,
        "import-text",
        "take the CLIP that an official checkpoint embeds, for `text --source`",
        "import-text --checkpoint t2m_motiondiffuse/model/latest.tar \\\n"
        "    --tokenizer openai/clip-vit-base-patch32 --out results/humanml3d/text/clip-b32",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="official file")
    parser.add_argument(
        "--tokenizer", required=True, help="directory or hub name of CLIP's tokeniser"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=run_import_text)


def run_import_text(arguments: argparse.Namespace) -> None:
    from motionrft.backbones.embedded_clip import write_encoder

    write_encoder(arguments.checkpoint, arguments.tokenizer, arguments.out)
    print(f"wrote {arguments.out}")
