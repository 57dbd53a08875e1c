"""Motions of a pre-trained backbone: what the reward's later stages learn "generated" from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter
from cyclopts.types import PositiveInt

from motionrft.cli.app import app
from motionrft.cli.options import RunFile


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SamplingFiles:
    """What sampling reads."""

    model: Path
    """Backbone file."""

    features: Path
    """Feature store folder."""

    text: Path
    """Text feature file."""


@app.command
def sample(
    *,
    run: RunFile = RunFile(),
    backbone: str,
    files: SamplingFiles,
    prompts: PositiveInt = 256,
    seed: int = 0,
    out: Path,
    device: str = "auto",
) -> None:
    """Sample a model for captions of every split.

    The reward's preference and authenticity stages learn from such files.

    For example:
        python -m motionrft sample --backbone mdm \\
            --model results/toy/backbones/mdm/denoiser.safetensors \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --prompts 256 --out results/toy/backbones/mdm/samples.safetensors

    Parameters
    ----------
    backbone
        Name in the configuration.
    prompts
        Clips to prompt with, over all splits.
    seed
        Seed of prompts and noise.
    out
        File to write.
    device
        Where to compute: auto, cpu or cuda.
    """
    from dataclasses import replace

    from motionrft.backbones.io import load_backbone
    from motionrft.corpus.samples import write_samples
    from motionrft.device import pick_device
    from motionrft.evaluation.sample import sample_splits
    from motionrft.files import provenance
    from motionrft.text.features import TextCache

    entry = run.entry("backbones", backbone)
    sampler = entry["sampler"]
    chosen = pick_device(device)
    network, _ = load_backbone(files.model, chosen, family=entry["family"])
    text = TextCache(files.text, tokens=network.reads_tokens)
    samples = sample_splits(network, sampler, files.features, text, backbone, prompts, seed)
    about = {
        "sampler": sampler,
        "provenance": provenance(sampler, seed=seed, device=str(chosen)),
    }
    write_samples(out, replace(samples, about=about))
