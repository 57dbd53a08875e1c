"""The corpus: clips of any source packed into one store."""

from __future__ import annotations

from pathlib import Path

from motionrft.cli.app import app
from motionrft.cli.options import RunFile


@app.command
def corpus(*, run: RunFile = RunFile(), out: Path) -> None:
    """Pack the clips, captions and splits of a source into one store.

    For example:
        python -m motionrft corpus --config config/toy.yaml \\
            --out results/toy/corpus
        python -m motionrft corpus --config config/mocap.yaml \\
            --set corpus.mocap_dir=/data/bvh --out results/mocap/corpus

    Parameters
    ----------
    out
        Folder to write.
    """
    from motionrft.corpus.kinds import facts, source
    from motionrft.corpus.store import write_corpus
    from motionrft.files import provenance

    settings = run.load()["corpus"]
    clips, fps = source(settings["kind"])
    where = str(run.config)
    skipped: list[str] = []
    about = {
        "corpus": settings,
        "skipped": skipped,
        "provenance": provenance(settings, seed=settings.get("seed")),
    }
    described = facts(settings["kind"], settings, where)
    write_corpus(out, clips(settings, where, skipped), about, fps=fps, facts=described)
