"""What a backbone file says of the data it learned from, so that the file alone is enough to generate with."""

from __future__ import annotations

from typing import Any

import numpy as np

from motionrft.corpus.store import FeatureStore
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.skeleton import SKELETONS, SMPL_22
from motionrft.text.features import TextCache

DECILES = np.linspace(0.0, 1.0, 11)


def corpus_facts(store: FeatureStore) -> dict[str, Any]:
    """Skeleton, variant, body and frame rate of a feature store, and the deciles of its training clips' frames."""
    skeleton = SKELETONS[store.about.get("skeleton", SMPL_22.name)]
    frames = store.clips.loc[store.clips["split"] == "train", "frames"]
    return {
        "skeleton": skeleton.name,
        "compat": store.about.get("compat", HUMANML3D),
        "bone_lengths": store.about.get("bone_lengths"),
        "fps": float(store.about.get("fps", skeleton.fps)),
        "frames": np.quantile(frames.to_numpy(), DECILES).tolist(),
    }


def text_facts(
    name: str, encoder: dict[str, Any], cache: TextCache | None = None
) -> dict[str, Any]:
    """An encoder's name and settings; with its cache, also what it says of the empty caption, to know it again by."""
    facts: dict[str, Any] = {"name": name, "encoder": encoder}
    if cache is not None:
        facts["empty"] = cache.empty().pooled[0].tolist()
    return facts
