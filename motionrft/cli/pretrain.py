"""Backbones trained from scratch, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import RunFile, Several, named, required_widths, tracking


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PretrainingFiles:
    """What a stage learns from."""

    features: Path
    """Feature store folder."""

    text: Path | None = None
    """Text feature file (a stage that learns from motions alone needs none, where the run says the encoder's widths)."""

    start: Annotated[list[Path], Several, Parameter(name="--from", show_default=False)] = field(
        default_factory=list
    )
    """Weights to start from: the earlier stage's, or those of a distilled backbone's teacher."""


@app.command
def pretrain(
    *,
    run: RunFile = RunFile(),
    backbone: str,
    stage: str,
    files: PretrainingFiles,
    seed: int = 0,
    out: Path,
    device: str = "auto",
) -> None:
    """Train one stage of a backbone from scratch.

    A command that was killed goes on from its last checkpoint.

    For example:
        python -m motionrft pretrain --backbone mdm --stage denoiser \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --out results/toy/backbones/mdm/denoiser.safetensors

    Parameters
    ----------
    backbone
        Name in the configuration.
    stage
        One of the backbone's stages.
    seed
        Seed of first weights, batches and noise.
    out
        File to write; the history goes beside it.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.backbones import pretrain as training
    from motionrft.backbones.io import save_backbone
    from motionrft.device import pick_device
    from motionrft.files import provenance, write_table
    from motionrft.text.features import TextCache, UnreadText

    resolved = run.load()
    settings = named(resolved, "backbones", backbone, run.config)
    text: TextCache | UnreadText
    if files.text is None:
        encoder = resolved["text"][settings["text"]]
        text = UnreadText(
            required_widths(settings["text"], encoder, "pretrain"), {"encoder": encoder}
        )
    else:
        text = TextCache(files.text, tokens=False)
    chosen = pick_device(device)
    checkpoint = out.with_suffix(".checkpoint")
    with tracking(resolved, out):
        network, about, history = training.pretrain(
            settings,
            stage,
            files.features,
            text,
            files.start,
            checkpoint,
            chosen,
            seed,
        )
    about["provenance"] = provenance(settings, seed=seed, device=str(chosen))
    write_table(out.with_name(f"{stage}.history.parquet"), history, about)
    save_backbone(out, network, about)
    checkpoint.unlink(missing_ok=True)
