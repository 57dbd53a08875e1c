"""What the reward's preference and authenticity stages learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from motionrft.cli.app import app
from motionrft.cli.options import RunFile, Several
from motionrft.loading import loading


@app.command
def reward_data(
    *,
    run: RunFile = RunFile(),
    kind: str,
    features: Path,
    samples: Annotated[list[Path] | None, Several] = None,
    held_out: Annotated[list[str] | None, Several] = None,
    given: Annotated[list[Path] | None, Several] = None,
    seed: int = 0,
    out: Path,
) -> None:
    """Make, or convert, what the preference and authenticity stages learn from.

    For example:
        python -m motionrft reward-data --kind preference \\
            --features results/toy/features \\
            --out results/toy/reward/data/preference
        python -m motionrft reward-data --kind authenticity \\
            --features results/toy/features \\
            --samples mdm.safetensors mld.safetensors --held-out mld \\
            --out results/toy/reward/data/authenticity
        python -m motionrft reward-data --kind preference \\
            --features results/toy/features \\
            --given critic_train_263.pth critic_val_263.pth \\
            --out results/toy/reward/data/preference
        python -m motionrft reward-data --kind preference \\
            --features results/toy/features --given pairs.csv \\
            --out results/toy/reward/data/preference

    Parameters
    ----------
    kind
        The stage that learns from it: preference, authenticity, or another that learns from labelled motions.
    features
        Feature store folder.
    samples
        Generated samples, one file a generator.
    held_out
        Generators that training never sees (default: the configuration's).
    given
        What others have judged, in place of motions made here: released .pth files, or a table of pairs (.csv, .parquet).
    seed
        Seed of all draws.
    out
        Folder to write.
    """
    with loading():
        from motionrft.corpus.samples import read_samples
        from motionrft.corpus.store import FeatureStore
        from motionrft.files import provenance
        from motionrft.reward import stages
        from motionrft.reward.data.labelled import write_labelled
        from motionrft.reward.settings import RewardSettings
        from motionrft.reward.stage import DataSources

    section = run.load()["reward"]
    settings = RewardSettings.read(section, str(run.config))
    stage = stages.load(kind, "--kind")
    data = dict((settings.stages.get(kind) or {}).get("data", {}))
    hidden = list(data.get("held_out", []) if held_out is None else held_out)
    store = FeatureStore(features)
    generated = [read_samples(path) for path in samples or []]
    if not given:
        hidden = [name for name in hidden if name in {entry.generator for entry in generated}]
    sources = DataSources(store, generated, data, hidden, seed)
    items, about = stage.given_data(sources, given) if given else stage.made_data(sources)
    about["provenance"] = provenance(section, seed=seed)
    write_labelled(out, items, kind, about)
