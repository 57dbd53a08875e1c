"""The three representations of a packed corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cyclopts.types import PositiveInt

from motionrft.cli.app import app
from motionrft.cli.options import RunFile
from motionrft.loading import loading


@app.command
def features(
    *,
    run: RunFile = RunFile(),
    corpus: Path,
    out: Path,
    workers: PositiveInt = 1,
    batch: PositiveInt = 32,
    compat: Literal["humanml3d", "corrected"] | None = None,
) -> None:
    """Compute the three representations of a packed corpus, and their statistics.

    For example:
        python -m motionrft features --corpus results/toy/corpus \\
            --out results/toy/features

    Parameters
    ----------
    corpus
        Packed corpus folder.
    out
        Folder to write.
    workers
        Processes that compute.
    batch
        Clips at once.
    compat
        Variant of the features (default: the configuration's).
    """
    with loading():
        from motionrft.corpus.features import write_features
        from motionrft.files import provenance

    settings = run.load()["corpus"]
    write_features(
        corpus,
        out,
        {"provenance": provenance(settings)},
        compat=compat or settings.get("compat", "humanml3d"),
        batch=batch,
        workers=workers,
    )
