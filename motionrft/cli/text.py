"""Captions through text encoders: a small encoder made for a corpus, and the features of every caption."""

from __future__ import annotations

from pathlib import Path

from motionrft.cli.app import app
from motionrft.cli.options import RunFile
from motionrft.loading import loading


@app.command
def text_encoder(*, run: RunFile = RunFile(), corpus: Path, name: str, out: Path) -> None:
    """Make a small seeded text encoder from a corpus's captions.

    For example:
        python -m motionrft text-encoder --corpus results/toy/corpus \\
            --name toy --out results/toy/text/toy

    Parameters
    ----------
    corpus
        Packed corpus folder.
    name
        Entry of the configuration's `text` section.
    out
        Folder to write, a transformers directory.
    """
    with loading():
        from motionrft.corpus.store import Corpus
        from motionrft.files import atomic_folder
        from motionrft.text.synthetic_encoder import make_encoder

    section = run.entry("text", name)
    with atomic_folder(out) as folder:
        make_encoder(
            folder,
            Corpus(corpus).captions(),
            width=section["width"],
            layers=section["layers"],
            seed=section["seed"],
        )


@app.command
def text(
    *,
    run: RunFile = RunFile(),
    corpus: Path,
    name: str,
    source: Path | None = None,
    out: Path,
    device: str = "auto",
) -> None:
    """Encode every caption of a corpus once, into one file.

    A command that was killed goes on after the last batch it has written.

    For example:
        python -m motionrft text --corpus results/toy/corpus --name toy \\
            --source results/toy/text/toy --out results/toy/text/toy.safetensors

    Parameters
    ----------
    corpus
        Packed corpus folder.
    name
        Entry of the configuration's `text` section.
    source
        Encoder directory (default: the section's `source`).
    out
        Feature file to write.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.configuration.encoders import text_widths
    from motionrft.corpus.store import Corpus
    from motionrft.device import pick_device
    from motionrft.errors import InputError
    from motionrft.files import provenance
    from motionrft.text.cache_writer import CacheWriter
    from motionrft.text.encoder import encode_all
    from motionrft.text.kinds import open_encoder

    section = run.entry("text", name)
    chosen = pick_device(device)
    captions = Corpus(corpus).captions()
    encoder = open_encoder(section, source).to(chosen)
    about = {"encoder": section, "name": name}
    writer = CacheWriter(
        out,
        captions,
        about,
        tokens=section.get("keep", "tokens") == "tokens",
        stored=section.get("stored", "float32"),
    )
    if writer.done:
        print(f"going on after {writer.done} of {len(captions)} captions")
    said = text_widths(section)
    for batch in encode_all(encoder, captions[writer.done :]):
        widths = {"pooled": batch.pooled.shape[1], "tokens": batch.tokens.shape[2]}
        if said not in (None, widths):
            raise InputError(
                f"its features are {widths}, the run says {said}",
                where=run.config,
                field=f"text.{name}.widths",
                fix="correct them: what was imported with them is wrong too",
            )
        writer.add(batch)
    about["provenance"] = provenance(section, device=str(chosen))
    writer.finish()
