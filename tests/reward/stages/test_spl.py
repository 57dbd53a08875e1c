"""Self-refinement on a tiny corpus: mining, learning, and the released formula."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from motionrft.errors import InputError
from motionrft.reward.retrieval import embed
from motionrft.reward.stages import load
from motionrft.reward.stages.spl import Miner, SplSettings
from motionrft.text.features import TextCache
from tests.reward.tiny import clips_of, section, training


@pytest.mark.parametrize("pool", ["split", "batch"])
def test_self_refinement_reports_before_and_after(corpus, trained, tmp_path, pool):
    network = copy.deepcopy(trained[0])
    value = section()
    value["stages"]["spl"] |= {"pool": pool}
    start = {k: v.clone() for k, v in network.state_dict().items()}
    refined, history = load("spl").train(training(corpus, tmp_path / "c", value, network=network))
    scores = history[history["name"] == "val/score"]
    assert scores["step"].tolist() == [-1, 3, 7]
    assert "spl" in set(history["name"])
    assert "solved" in set(history["name"])
    changed = [k for k, v in refined.state_dict().items() if not torch.equal(v, start[k])]
    assert changed
    assert not any(k.startswith("time_embedding_text") for k in changed)


def test_the_released_self_refinement_diverges_and_says_where(corpus, trained, tmp_path):
    """A temperature divided by twice soon underflows; the sound form at the same temperature does not."""
    ends = {}
    for released in (False, True):
        value = section(official={"spl_softmax": released})
        value["stages"]["spl"] |= {"temperature": 1e-3, "k": 1}
        network, history = load("spl").train(
            training(corpus, tmp_path / str(released), value, network=copy.deepcopy(trained[0]))
        )
        ends[released] = history[history["name"].eq("diverged")]["step"].tolist()
        assert all(bool(torch.isfinite(v).all()) for v in network.state_dict().values())
    assert ends[False] == []
    assert len(ends[True]) == 1


def test_mining_leaves_out_motions_of_the_same_caption(corpus, settings, trained):
    network, _ = trained
    clips = clips_of(corpus, "train")
    text = TextCache(corpus / "text.safetensors")
    miner = Miner(network, clips, text, SplSettings.read(settings))
    batch = clips.batch_at(0, 12, seed=0)
    mined = miner.mine(0, batch, "kinematic")
    pool = embed(network, clips, text).motion["kinematic"]
    table = clips.first.clips
    for index, caption in enumerate(batch.captions):
        own = table.index[table["clip"] == batch.clips[index]][0]
        hard = mined.features[index, : int(mined.lengths[index])]
        rows = [r for r in range(len(table)) if r == own or caption not in table["captions"][r]]
        known = [clips.sets["kinematic"].rows(np.array([r])).features[0] for r in rows]
        assert any(k.shape == hard.shape and torch.equal(k, hard) for k in known)
    assert pool.shape[0] == len(table)


def test_checkpoints_between_minings_are_refused(corpus, trained, tmp_path):
    value = section()
    value["stages"]["spl"] |= {"every": 3}
    with pytest.raises(InputError, match="multiple of `every`"):
        load("spl").train(training(corpus, tmp_path / "c", value, network=trained[0]))
