"""Official checkpoints in and out: backbones, the CLIP inside them, the released reward."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import RunFile, Several, named, required_widths


@app.command
def import_(
    *,
    run: RunFile = RunFile(),
    backbone: str,
    checkpoint: Path,
    features: Path,
    text: Path | None = None,
    out: Path,
) -> None:
    """Read an official checkpoint into the suite's own file, and say what was read.

    For example:
        python -m motionrft import --config config/humanml3d.yaml \\
            --backbone mld --checkpoint mld_humanml_v1.ckpt \\
            --features results/humanml3d/features \\
            --out results/humanml3d/backbones/mld/denoiser.safetensors

    Parameters
    ----------
    backbone
        Name in the configuration (a run of `size: paper`).
    checkpoint
        Official file.
    features
        Feature store folder whose statistics apply.
    text
        Text feature file, read for its two widths where the run does not say them (`text.<name>.widths`).
    out
        File to write.
    """
    from motionrft.backbones.header import corpus_facts, text_facts
    from motionrft.backbones.io import build_backbone, load_official, save_backbone
    from motionrft.corpus.store import FeatureStore
    from motionrft.files import provenance
    from motionrft.text.features import TextCache

    resolved = run.load()
    settings = named(resolved, "backbones", backbone, run.config)
    store, encoder = FeatureStore(features), resolved["text"][settings["text"]]
    cache = None if text is None else TextCache(text, tokens=False)
    if cache is None:
        widths = required_widths(settings["text"], encoder, "import")
    else:
        widths = {"pooled": cache.pooled_dim, "tokens": cache.token_dim}
    normaliser = store.normaliser(settings["representation"])
    dim = len(normaliser.mean)
    network = build_backbone(settings, dim=dim, text=widths, normaliser=normaliser)
    report = load_official(network, checkpoint, encoder["kind"])
    print(report)
    for name in report.ignored:
        print(f"  ignored: {name}")
    about = {
        "backbone": settings,
        "dim": dim,
        "text": widths,
        "stage": "imported",
        "imported_from": checkpoint.name,
        "text_encoder": text_facts(settings["text"], encoder, cache),
        "corpus": corpus_facts(store),
        "provenance": provenance(settings),
    }
    save_backbone(out, network, about)


@app.command
def export(*, model: Path, out: Path, like: Path | None = None) -> None:
    """Write weights back in the official file layout.

    Refused are networks that the official code reads otherwise: those of all
    small sizes, MDM's for `network.temporal_kernel`, HY-Motion's and ACMDM's
    for `network.principal` and `network.clean`, MotionDiffuse's for
    `network.prediction`, those of MLD, MLD++ and MotionLCM for
    `network.prediction` and `network.principal`; and MDM with other than four
    heads or another noise schedule than the cosine. MDM's args.json is written
    beside its weights.

    For example:
        python -m motionrft export \\
            --model results/toy/finetune/mld/easytune/seed0/model.safetensors \\
            --out mld_easytune.ckpt

    Parameters
    ----------
    model
        Backbone file of this suite.
    out
        File to write.
    like
        Official file whose text encoder or evaluators, which official code loads too, are carried over.
    """
    from motionrft.backbones.io import export_official, load_backbone

    backbone, _ = load_backbone(model)
    export_official(backbone, out, like)
    print(f"wrote {out}")


@app.command
def import_text(*, checkpoint: Path, tokenizer: str, out: Path) -> None:
    """Take the CLIP that an official checkpoint embeds, for `text --source`.

    For example:
        python -m motionrft import-text \\
            --checkpoint t2m_motiondiffuse/model/latest.tar \\
            --tokenizer openai/clip-vit-base-patch32 \\
            --out results/humanml3d/text/clip-b32

    Parameters
    ----------
    checkpoint
        Official file.
    tokenizer
        Directory or hub name of CLIP's tokeniser.
    out
        Folder to write.
    """
    from motionrft.backbones.embedded_clip import write_encoder

    write_encoder(checkpoint, tokenizer, out)
    print(f"wrote {out}")


@app.command
def import_reward(
    *,
    run: RunFile = RunFile(),
    stage: Literal["semantic", "preference", "authenticity"],
    checkpoint: Annotated[list[Path], Several],
    start: Annotated[list[Path] | None, Several, Parameter(name="--from")] = None,
    out: Path,
) -> None:
    """Read one stage of the released MotionReward into this suite's file.

    For example:
        python -m motionrft import-reward --stage semantic \\
            --checkpoint stage1_retrieval_backbone.pth \\
            --out official/semantic.safetensors
        python -m motionrft import-reward --stage preference \\
            --checkpoint stage2_critic_lora.pth stage2_critic_head.pth \\
            --from official/semantic.safetensors \\
            --out official/preference.safetensors

    Parameters
    ----------
    stage
        Which stage the files are of.
    checkpoint
        Its released file; of preference and authenticity the LoRA file and the head file.
    start
        The imported semantic stage, which LoRA and head stand on (not for that stage itself).
    out
        File to write.
    """
    from motionrft.errors import InputError
    from motionrft.files import provenance
    from motionrft.reward.files import load_network, save_branch, save_network
    from motionrft.reward.official import RELEASED, load_official_branch, load_official_network

    section = run.load()["reward"]
    about = {
        "stage": "official",
        "imported_from": [path.name for path in checkpoint],
        "settings": section,
        "text": section["text"],
        **RELEASED,
        "provenance": provenance(section),
    }
    if stage == "semantic":
        network, report = load_official_network(checkpoint[0])
        save_network(out, network, about)
        print(report)
        return
    if not start:
        raise InputError(
            "missing", where="import-reward", field="--from", fix="name the imported semantic stage"
        )
    network, facts = load_network(start[0])
    if facts.get("stage") != "official":
        raise InputError(
            "trained here: released LoRA and head stand on the released network alone",
            where=start[0],
            field="--from",
            fix="import stage1_retrieval_backbone.pth too (reward.stages.semantic.checkpoint)",
        )
    head = checkpoint[1] if len(checkpoint) > 1 else None
    branch, reports = load_official_branch(checkpoint[0], head, network, stage)
    save_branch(out, branch, about)
    for entry in reports:
        print(entry)


@app.command
def export_reward(
    *,
    semantic: Path,
    preference: Path | None = None,
    authenticity: Path | None = None,
    out: Path,
) -> None:
    """Write reward files in the released layout.

    Refused are networks that read several frames a token (`network.patch`), as
    the toy run's do: the released code has no such layout.

    For example:
        python -m motionrft export-reward --semantic semantic.safetensors \\
            --preference preference.safetensors --out results/export

    Parameters
    ----------
    semantic
        File of the semantic stage.
    preference
        File of the preference stage.
    authenticity
        File of the authenticity stage.
    out
        Folder to write.
    """
    from motionrft.reward.files import load_branch, load_network
    from motionrft.reward.official import export_branch, export_network

    network, _ = load_network(semantic)
    export_network(out / "stage1_retrieval_backbone.pth", network)
    for task, stem, path in (
        ("preference", "stage2_critic", preference),
        ("authenticity", "stage3_ai_detection", authenticity),
    ):
        if path is not None:
            branch, _ = load_branch(path, network, task)
            export_branch(out / f"{stem}_lora.pth", out / f"{stem}_head.pth", branch)
