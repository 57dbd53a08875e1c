"""Sentences to motions, with a trained model alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter
from cyclopts.types import NonNegativeInt, PositiveFloat, PositiveInt

from motionrft.cli.app import app

if TYPE_CHECKING:
    from motionrft.inference.motion import Motion


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is drawn, and how."""

    seconds: PositiveFloat | None = None
    """Length of each motion (default: drawn, as the lengths of the training clips are)."""

    count: PositiveInt = 1
    """Motions of each sentence."""

    seed: NonNegativeInt = 0
    """Seed of noise and lengths: the same seed gives the same bytes."""

    guidance: float | None = None
    """Scale of classifier-free guidance (default: the model's own)."""

    steps: PositiveInt | None = None
    """Denoising steps (default: the model's own)."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TextSource:
    """Sentences from a file, and who reads them."""

    text: Path | None = None
    """File with a sentence a line."""

    encoder: Path | None = None
    """Folder of the model's text encoder, where the model file has left its run."""


@app.command
def generate(
    *sentences: str,
    model: Path,
    beside: Path | None = None,
    source: TextSource = TextSource(),
    draws: Draws = Draws(),
    mp4: bool = False,
    out: Path,
    device: str = "auto",
) -> None:
    """Make motions of sentences: .npz files, a page that plays them, films.

    For example:
        python -m motionrft generate \\
            --model results/toy/finetune/mldpp/easytune/seed0/model.safetensors \\
            "a person waves the left hand" --seconds 2.4 --out wave
    writes wave.npz (joints, features, caption, provenance), wave.html and
    wave.gif. With several motions they are wave-1, wave-2, …; `export-motion`
    makes .bvh files of them.

    Parameters
    ----------
    sentences
        What the person does.
    model
        Backbone file, of `pretrain`, `finetune` or `import`.
    beside
        Another model file: its motions from the same noise, in <out>-beside.npz, and a page of both.
    mp4
        Films as .mp4 too (needs ffmpeg).
    out
        Begin of the names of the files to write.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.contents import read_text
    from motionrft.device import pick_device
    from motionrft.errors import InputError
    from motionrft.inference.model import load_model
    from motionrft.inference.show import write_motions
    from motionrft.player.film import find_ffmpeg

    if mp4:
        find_ffmpeg()
    said = list(sentences)
    if source.text is not None:
        # not splitlines(), which also breaks at characters inside a sentence (U+2028, form feeds)
        lines = read_text(source.text, "sentences", "write a sentence a line").split("\n")
        said += [line for line in lines if line.strip()]
    chosen = pick_device(device)
    models = [load_model(model, encoder=source.encoder, device=chosen)]
    if beside is not None:
        models.append(load_model(beside, encoder=source.encoder, device=chosen))
        if models[0].skeleton is not models[1].skeleton or models[0].fps != models[1].fps:
            raise InputError(
                "another skeleton or frame rate",
                where=beside,
                fix="name a model of the same corpus",
            )

    lengths = models[0].frames(draws.seconds, draws.seed, max(len(said), 1) * draws.count)
    made: list[list[Motion]] = [
        each.generate(
            said,
            seconds=draws.seconds,
            seed=draws.seed,
            count=draws.count,
            guidance=draws.guidance,
            steps=draws.steps,
            lengths=lengths,
        )
        for each in models
    ]
    for path in write_motions(out, [each.name for each in models], made, mp4=mp4):
        print(f"wrote {path}")
