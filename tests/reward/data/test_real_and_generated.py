"""Real against generated motions: splits, lengths, held-out generators."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.corpus.samples import Samples, read_samples, write_samples
from motionrft.errors import InputError
from motionrft.reward.data.real_and_generated import authenticity_items


def samples(store, generator: str, clips: list[str]) -> Samples:
    joints = [
        torch.from_numpy(np.array(store.features("joint")[:45]).reshape(45, 22, 3)) for _ in clips
    ]
    return Samples(
        "joint", [j.flatten(1) for j in joints], joints, ["x"] * len(clips), clips, generator, {}
    )


def test_authenticity_keeps_held_out_generators_out_of_training(bodies, tmp_path):
    by_split = {
        s: bodies.clips[bodies.clips["split"] == s]["clip"].tolist()[:2]
        for s in ("train", "val", "test")
    }
    clips = [clip for names in by_split.values() for clip in names]
    for name in ("mdm", "mld"):
        write_samples(tmp_path / f"{name}.safetensors", samples(bodies, name, clips))
    both = [
        read_samples(path) for path in (tmp_path / "mdm.safetensors", tmp_path / "mld.safetensors")
    ]
    items = list(authenticity_items(bodies, both, ["mld"]))
    seen = {(item.split, item.generator) for item in items}
    assert ("train", "mld") not in seen
    assert ("held_out", "mld") in seen
    assert ("train", "mdm") in seen
    # neither the representation a generator has nor the class shows in a length
    for clip in clips:
        same = [item for item in items if item.clip == clip]
        assert len({len(f) for item in same for f in item.features.values()}) == 1
    assert ("held_out", "") in seen
    for split, names in by_split.items():
        assert {i.clip for i in items if i.split == split and not i.generator} == set(names)
    with pytest.raises(InputError, match="no samples of held-out generator 'flow'"):
        list(authenticity_items(bodies, both, ["flow"]))
    with pytest.raises(InputError, match="every generator is held out"):
        list(authenticity_items(bodies, both, ["mld", "mdm"]))
    only_test = [samples(bodies, "mdm", by_split["test"])]
    with pytest.raises(InputError, match="no sample of a caption of the train split"):
        list(authenticity_items(bodies, only_test, []))
