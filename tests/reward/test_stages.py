"""The stages end to end on a tiny corpus: learning, resuming, selection, self-refinement, the commands."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from motionrft.cli import main
from motionrft.errors import InputError
from motionrft.evaluation.reward.scores import caption_rows, length_only
from motionrft.files import read_table, read_tensors
from motionrft.metrics.classification import auroc
from motionrft.reward.data.clips import AlignedClips
from motionrft.reward.data.judged import Judged, JudgedMotions, JudgedPair, write_judged
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.network import OFFICIAL_NAMES
from motionrft.reward.retrieval import Embeddings, embed, retrieval_scores
from motionrft.reward.settings import OfficialBehaviour, RewardSettings
from motionrft.reward.stages.judged import TaskData, one_representation_batches, train_task
from motionrft.reward.stages.self_refinement import Refinement
from motionrft.reward.stages.semantic import new_network, train_semantic, train_spl
from motionrft.text.features import TextCache
from motionrft.training.loop import TrainSettings

from .conftest import section

REPRESENTATIONS = tuple(OFFICIAL_NAMES)


def clips_of(corpus, *splits):
    return {s: AlignedClips(corpus / "features", REPRESENTATIONS, s) for s in splits}


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """A semantic network trained for 60 steps, and its history."""
    value = section()
    value["stages"]["semantic"]["train"] |= {"steps": 40, "batch_size": 24, "validate_every": 20}
    text = TextCache(corpus / "text.safetensors")
    checkpoint = tmp_path_factory.mktemp("semantic") / "c.pt"
    return train_semantic(
        RewardSettings.read(value), clips_of(corpus, "train", "val"), text, checkpoint
    )


def test_aligned_batches_show_the_same_clips(corpus):
    clips = clips_of(corpus, "train")["train"]
    batch = clips.batch_at(3, 12, seed=1)
    again = clips.batch_at(3, 12, seed=1)
    assert batch.captions == again.captions
    for name, features in batch.features.items():
        assert torch.equal(features, again.features[name])
        assert features.shape[:2] == next(iter(batch.features.values())).shape[:2]
    halves = [clips.batch_at(3, 12, seed=1, rank=r, world=2) for r in range(2)]
    assert halves[0].clips + halves[1].clips == batch.clips
    assert halves[0].captions + halves[1].captions == batch.captions
    assert torch.equal(torch.cat([h.lengths for h in halves]), batch.lengths)


def test_semantic_stage_learns_retrieval(corpus, trained):
    network, history = trained
    text = TextCache(corpus / "text.safetensors")
    clips = clips_of(corpus, "test")["test"]
    scores = retrieval_scores(embed(network, clips, text))
    untrained = new_network(RewardSettings.read(section()), clips, text).eval()
    random = retrieval_scores(embed(untrained, clips, text))
    mean = {k: np.mean([v["R@1"] for v in s.values()]) for k, s in (("t", scores), ("r", random))}
    # six kinds, two clips each in twelve: a perfect reader of kinds scores 50 %
    assert mean["t"] > 30 > mean["r"]
    assert set(scores) == {f"{way}/{name}" for way in ("t2m", "m2t") for name in REPRESENTATIONS}
    assert (history["name"] == "val/score").sum() == 2
    assert network.time_embedding.linear_1.weight.requires_grad


def test_resumed_equals_uninterrupted(corpus, settings, tmp_path, monkeypatch):
    text = TextCache(corpus / "text.safetensors")
    clips = clips_of(corpus, "train", "val")
    whole, _ = train_semantic(settings, clips, text, tmp_path / "a.pt")

    original = AlignedClips.batch_at

    def killed(self, step, *rest, **options):
        if step == 6:
            raise KeyboardInterrupt
        return original(self, step, *rest, **options)

    monkeypatch.setattr(AlignedClips, "batch_at", killed)
    with pytest.raises(KeyboardInterrupt):
        train_semantic(settings, clips, text, tmp_path / "b.pt")
    monkeypatch.setattr(AlignedClips, "batch_at", original)
    resumed, _ = train_semantic(settings, clips, text, tmp_path / "b.pt")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("switch", ["noise", "reconstruction", "alignment", "sampled", "selection"])
def test_every_switch_of_the_semantic_stage_changes_the_result(corpus, tmp_path, switch):
    text = TextCache(corpus / "text.safetensors")
    clips = clips_of(corpus, "train", "val", "test")
    results = []
    for on in (False, True):
        value = section(official={switch: on})
        value["stages"]["semantic"]["train"] |= {"steps": 2, "validate_every": 1}
        network, history = train_semantic(
            RewardSettings.read(value), clips, text, tmp_path / f"{on}.pt"
        )
        weights = torch.cat([p.detach().flatten() for p in network.parameters()])
        results.append((weights, history[history["name"] == "val/score"]["value"].tolist()))
    changed_weights = not torch.equal(results[0][0], results[1][0])
    assert changed_weights or results[0][1] != results[1][1]


@pytest.mark.parametrize("pool", ["split", "batch"])
def test_self_refinement_reports_before_and_after(corpus, trained, tmp_path, pool):
    network, _ = trained
    value = section()
    value["stages"]["spl"] |= {"pool": pool}
    start = {k: v.clone() for k, v in network.state_dict().items()}
    text = TextCache(corpus / "text.safetensors")
    refined, history = train_spl(
        RewardSettings.read(value), network, clips_of(corpus, "train", "val"), text, tmp_path / "c"
    )
    scores = history[history["name"] == "val/score"]
    assert scores["step"].tolist() == [-1, 3, 7]
    assert "spl" in set(history["name"])
    assert "solved" in set(history["name"])
    changed = [k for k, v in refined.state_dict().items() if not torch.equal(v, start[k])]
    assert changed
    assert not any(k.startswith("time_embedding_text") for k in changed)
    network.load_state_dict(start)


def test_the_released_self_refinement_diverges_and_says_where(corpus, trained, tmp_path):
    """A temperature divided by twice soon underflows; the sound form at the same temperature does not."""
    text = TextCache(corpus / "text.safetensors")
    ends = {}
    for released in (False, True):
        value = section(official={"spl_softmax": released})
        value["stages"]["spl"]["temperature"] = 1e-3
        value["stages"]["spl"]["k"] = 1
        network, history = train_spl(
            RewardSettings.read(value),
            copy.deepcopy(trained[0]),
            clips_of(corpus, "train", "val"),
            text,
            tmp_path / str(released),
        )
        ends[released] = history[history["name"].eq("diverged")]["step"].tolist()
        assert all(bool(torch.isfinite(v).all()) for v in network.state_dict().values())
    assert ends[False] == []
    assert len(ends[True]) == 1


def test_mining_leaves_out_motions_of_the_same_caption(corpus, settings, trained):
    network, _ = trained
    clips = clips_of(corpus, "train")["train"]
    text = TextCache(corpus / "text.safetensors")
    refinement = Refinement(network, clips, text, settings.spl(), OfficialBehaviour())
    batch = clips.batch_at(0, 12, seed=0)
    mined = refinement.mined(0, batch)
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
    text = TextCache(corpus / "text.safetensors")
    with pytest.raises(InputError, match="multiple of `every`"):
        train_spl(
            RewardSettings.read(value),
            trained[0],
            clips_of(corpus, "train", "val"),
            text,
            tmp_path / "c",
        )


def judged_folder(folder, corpus, kind):
    """Pairs of a clip and its bloated, noisy copy; or both as real and generated."""
    from motionrft.corpus.store import FeatureStore

    store = FeatureStore(corpus / "features")
    rng = np.random.default_rng(0)
    items = []
    for _, clip in store.clips.iterrows():
        part = slice(clip["start"], clip["start"] + clip["frames"])
        real = {name: np.array(store.features(name)[part]) for name in REPRESENTATIONS}
        fake = {
            n: 2 * v + v.std(0) * rng.normal(size=v.shape).astype(np.float32)
            for n, v in real.items()
        }
        good = Judged(real, clip["split"], clip["clip"])
        bad = Judged(fake, clip["split"], clip["clip"], "noise" if kind == "authenticity" else "")
        items += [JudgedPair(good, bad, "noise", 1)] if kind == "preference" else [good, bad]
    write_judged(folder, items, kind, {"labels": "made, not human"})
    return folder, JudgedMotions(folder, kind, {n: store.normaliser(n) for n in REPRESENTATIONS})


@pytest.mark.parametrize("task", ["preference", "authenticity"])
def test_task_stage_learns_and_leaves_the_backbone(corpus, trained, tmp_path, task):
    network, _ = trained
    start = {k: v.clone() for k, v in network.state_dict().items()}
    value = section(noise={"probability": 0.2})
    value["stages"][task]["train"] |= {"steps": 40, "validate_every": 20, "lr": 1e-2}
    _, data = judged_folder(tmp_path, corpus, task)
    branch, history = train_task(RewardSettings.read(value), task, network, data, tmp_path / "c")
    scores = history[history["name"] == "val/score"]["value"]
    assert scores.max() > 0.7
    assert all(torch.equal(v, start[k]) for k, v in network.state_dict().items())
    network.requires_grad_(True)
    assert len(branch.trained()) == len(branch.tensors())


def test_nothing_retrieves_more_than_shared_captions_allow():
    captions = ["walk"] * 16 + [f"clip {index}" for index in range(16)]
    nothing = torch.zeros(32, 2)
    rows = caption_rows(Embeddings(nothing, {"joint": nothing}, captions, captions), top=(1, 8, 16))
    values = {entry["metric"]: entry["value"] for entry in rows if entry["setting"] == "t2m"}
    assert values == pytest.approx({"R@1": 100 * 17 / 32, "R@8": 75.0, "R@16": 100.0})


def test_what_a_mask_gives_away(corpus, tmp_path):
    """As released, real motions are marked full length; under one law, no length tells the classes apart."""
    _, data = judged_folder(tmp_path, corpus, "authenticity")
    found = {}
    for leaking in (False, True):
        official = OfficialBehaviour(leaking_mask=leaking)
        items, fitted = (TaskData(data, "authenticity", s, official) for s in ("test", "train"))
        labels = torch.tensor((items.table["generator"] != "").to_numpy(int))
        logits = length_only(items, fitted)
        found[leaking] = auroc(logits[:, 1] - logits[:, 0], labels)
        batch = list(range(4))
        ((_, lengths),), _, _ = items.batch(batch)
        assert lengths.tolist() == items.shown_lengths()[batch].tolist()
    assert found == {False: 0.5, True: 1.0}


def test_batches_hold_one_representation_and_drop_the_rest():
    batches = one_representation_batches([11, 9, 7], 4, seed=1, epoch=0)
    assert len(batches) == 5
    assert len({i for b in batches for i in b}) == 20
    bounds = ((0, 11), (11, 20), (20, 27))
    assert all(any(all(lo <= i < hi for i in b) for lo, hi in bounds) for b in batches)
    assert batches != one_representation_batches([11, 9, 7], 4, seed=1, epoch=1)


def test_commands_end_to_end(corpus, tmp_path, capsys):
    """Every file of the chain is written, and a fine-tuner can load what the stages wrote."""
    value = section()
    config = {
        "name": "t",
        "size": "small",
        "corpus": {"kind": "toy"},
        "backbones": [],
        "methods": [],
        "reward": value,
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    common = [
        "--config", str(tmp_path / "run.yaml"), "--features", str(corpus / "features"),
        "--text", str(corpus / "text.safetensors"), "--device", "cpu",
    ]  # fmt: skip
    files = {
        stage: tmp_path / f"{stage}.safetensors"
        for stage in ("semantic", "spl", "preference", "authenticity")
    }
    assert (
        main(["train-reward", *common, "--stage", "semantic", "--out", str(files["semantic"])]) == 0
    )
    start = ["--from", str(files["semantic"])]
    assert (
        main(["train-reward", *common, "--stage", "spl", *start, "--out", str(files["spl"])]) == 0
    )
    for task in ("preference", "authenticity"):
        folder, _ = judged_folder(tmp_path / task, corpus, task)
        arguments = ["--stage", task, *start, "--data", str(folder), "--out", str(files[task])]
        assert main(["train-reward", *common, *arguments]) == 0
    options = ["--reward", *map(str, files.values())]
    options += ["--data", *(str(tmp_path / task) for task in ("preference", "authenticity"))]
    assert (
        main(["evaluate-reward", *common, *options, "--out", str(tmp_path / "scores.parquet")]) == 0
    )
    scores, about = read_table(tmp_path / "scores.parquet")
    assert {"retrieval", "agreement", "preference", "authenticity", "reward"} == set(
        scores["table"]
    )
    assert {"semantic", "spl", "random"} <= set(scores[scores["table"] == "retrieval"]["model"])
    assert {"MotionReward", "random", "length only"} == set(
        scores[scores["table"] == "authenticity"]["model"]
    )
    assert about["labels"]["preference"] == "made, not human"
    blind, _ = read_table(tmp_path / "scores.faithfulness.parquet")
    assert {"grade", "jerk"} <= set(blind["against"])
    assert len(set(blind["kind"])) == 8
    curve, _ = read_table(tmp_path / "scores.calibration.parquet")
    assert curve.groupby(["table", "model"])["count"].sum().min() > 0
    drawn = ["--set", "reward.official.sampled=true", "--only-scores"]
    out = tmp_path / "drawn.parquet"
    assert main(["evaluate-reward", *common, *options, *drawn, "--out", str(out)]) == 0
    assert not out.with_suffix(".faithfulness.parquet").exists()
    means, draws = (
        frame[frame["metric"].isin(["R@1", "loss"]) & frame["model"].ne("random")]["value"]
        for frame in (scores, read_table(out)[0])
    )
    assert len(means) == len(draws)
    assert means.tolist() != draws.tolist()
    reward = MotionReward.load(
        files["semantic"], files["preference"], files["authenticity"], value["weights"]
    )
    assert reward.dimensions == ("semantic", "m2m", "preference", "authenticity")
    _, semantic = read_tensors(files["semantic"])
    assert semantic["provenance"]["seed"] == 0
    assert semantic["text"] == "toy"
    history, _ = read_table(tmp_path / "preference.history.parquet")
    assert isinstance(history, pd.DataFrame)
    assert "val/score" in set(history["name"])
    assert main(["train-reward", *common, "--stage", "preference", *start, "--out", "x"]) == 2
    assert "--data: missing" in capsys.readouterr().err
    misread = ["--stage", "semantic", *start, "--out", "x"]
    assert main(["train-reward", *common, *misread]) == 2
    assert "--from: 1 given, the stage reads 0" in capsys.readouterr().err


def test_settings_mistakes_are_named():
    with pytest.raises(InputError, match="'lambda'"):
        RewardSettings.read(section(losses={"lambda": 1}))
    with pytest.raises(InputError, match="'sematic'"):
        RewardSettings.read(section(stages={"sematic": {}}))
    without = section()
    del without["weights"]
    with pytest.raises(InputError, match=r"reward\.weights: missing"):
        RewardSettings.read(without)
    with pytest.raises(InputError, match=r"reward\.stages\.spl\.train"):
        RewardSettings.read(section(stages={"semantic": {}})).train("spl")
    assert isinstance(RewardSettings.read(section()).train("spl"), TrainSettings)


def test_the_released_step_law_comes_with_the_noise_switch():
    assert not RewardSettings.read(section()).noise.official
    assert RewardSettings.read(section(official={"noise": True})).noise.official
