"""What the reward's preference and authenticity stages learn from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from motionrft.cli.app import app
from motionrft.cli.options import RunFile, Several

if TYPE_CHECKING:
    from motionrft.corpus.store import FeatureStore
    from motionrft.reward.data.judged import Judged, JudgedPair

    Items = Iterator[Judged | JudgedPair]


@app.command
def reward_data(
    *,
    run: RunFile = RunFile(),
    kind: str,
    features: Path,
    samples: Annotated[list[Path] | None, Several] = None,
    held_out: Annotated[list[str] | None, Several] = None,
    official: Annotated[list[Path] | None, Several] = None,
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
            --official critic_train.pth critic_val.pth \\
            --out results/toy/reward/data/preference

    Parameters
    ----------
    kind
        The stage that learns from it, preference or authenticity.
    features
        Feature store folder.
    samples
        Generated samples, one file a generator.
    held_out
        Generators that training never sees (default: the configuration's).
    official
        Released .pth files to convert instead.
    seed
        Seed of all draws.
    out
        Folder to write.
    """
    from motionrft.corpus.store import FeatureStore
    from motionrft.files import provenance
    from motionrft.reward.data.judged import write_judged
    from motionrft.reward.settings import RewardSettings

    section = run.load()["reward"]
    settings = RewardSettings.read(section, str(run.config))
    making = settings.stages.get(kind, {}).get("data", {})
    hidden = list(making.get("held_out", []) if held_out is None else held_out)
    store = FeatureStore(features)
    if official:
        items, about = _converted(kind, store, official, hidden)
    else:
        clips = int(making.get("clips", 0))
        items, about = _made(kind, store, samples or [], hidden, clips, seed)
    about["provenance"] = provenance(section, seed=seed)
    write_judged(out, items, kind, about)


def _converted(
    kind: str, store: FeatureStore, official: list[Path], held_out: list[str]
) -> tuple[Items, dict[str, Any]]:
    """The released data, and what it says of itself."""
    from motionrft.reward.data import make as make_data
    from motionrft.reward.data.official import official_generated, official_pairs

    source = [path.name for path in official]
    if kind == "preference":
        return official_pairs(official), {"labels": "human", "source": source}
    items = make_data.with_real(store, official_generated(official, held_out))
    return items, {"labels": "real and generated", "source": source}


def _made(
    kind: str, store: FeatureStore, files: list[Path], held_out: list[str], clips: int, seed: int
) -> tuple[Items, dict[str, Any]]:
    """Data made from samples of pre-trained backbones, and what it says of itself."""
    from motionrft.errors import InputError
    from motionrft.reward.data import make as make_data

    samples = make_data.samples_of(files)
    hidden = [name for name in held_out if name in {entry.generator for entry in samples}]
    about = make_data.describe(kind, samples, hidden)
    if kind == "preference":
        return make_data.preference_items(store, samples, clips=clips, seed=seed), about
    if not samples:
        raise InputError(
            "missing",
            where="reward-data",
            field="--samples",
            fix="pass samples of pre-trained backbones",
        )
    return make_data.authenticity_items(store, samples, hidden), about
