"""People's choices between motions."""

from __future__ import annotations

from pathlib import Path

from cyclopts.types import NonNegativeInt, PositiveInt

from motionrft.cli.app import app


@app.command
def preferences(
    first: Path,
    second: Path,
    /,
    *,
    pairs: PositiveInt = 40,
    seed: NonNegativeInt = 0,
    out: Path,
) -> None:
    """Make a page on which people choose between two models' motions.

    The page is one file that needs no network. It shows two motions of a
    sentence, does not say which model made which, keeps the choices, and saves
    pairs.csv, which the preference stage learns from
    (reward.stages.preference.pairs).

    For example:
        python -m motionrft preferences --out preferences.html \\
            results/toy/backbones/mdm/samples.safetensors \\
            results/toy/backbones/mld/samples.safetensors

    Parameters
    ----------
    first
        Samples of a model, from `sample` or `evaluate`.
    second
        Samples of another, for the same prompts.
    pairs
        Comparisons on the page, at most.
    seed
        Seed of their draw, their order and their sides.
    out
        File to write, .html.
    """
    from motionrft.inference.comparisons import compare_samples

    count = compare_samples(first, second, out, pairs=pairs, seed=seed)
    print(f"wrote {out}: {count} comparisons; open it in a browser")
