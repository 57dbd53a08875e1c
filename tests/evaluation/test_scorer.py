from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.convert import Converter
from motionrft.evaluation.scorer import Scorer
from motionrft.motion.representation import representation


def copying(scorer: Scorer, replication: int):
    """A source that returns the recorded motions themselves."""

    def source(captions, lengths, seeds):
        motions = scorer.real(scorer.draw(replication))
        if len(captions) == len(motions):
            return motions
        return [torch.randn(int(length), 263) for length in lengths]

    return source


def test_a_perfect_generator_scores_as_the_recorded_motions(scorer):
    real = scorer.score_real(0)
    copied = scorer.score(copying(scorer, 0), "kinematic", "copy", 0)
    for key, value in real.metrics.items():
        if key != "FID":
            assert copied.metrics[key] == pytest.approx(value, nan_ok=True), key
    assert copied.metrics["FID"] == pytest.approx(0.0, abs=1e-6)  # same crops
    assert real.metrics["FID"] > 1e-6  # a second draw of crops and captions
    assert "MultiModality" not in real.metrics
    assert copied.metrics["MultiModality"] > 0
    assert real.metrics["non_finite"] == 0
    physics = ("skating_ratio", "penetration_mm", "floating_mm", "jerk", "self_consistency_mm")
    assert np.isfinite([real.metrics[key] for key in physics]).all()
    assert real.metrics["bone_drift_mm"] < 0.01  # recorded bodies are rigid


def test_realism_of_the_first_replications_alone(scorer, monkeypatch):
    every = scorer.score_real(0).metrics
    monkeypatch.setattr(scorer, "rules", replace(scorer.rules, realism_replications=1))
    first, second = scorer.score_real(0).metrics, scorer.score_real(1).metrics
    assert first == pytest.approx(every, nan_ok=True)
    left_out = set(first) - set(second)
    assert {"jerk", "skating_ratio", "T2M R@1 full", "M2T R@10 full"} <= left_out
    assert {"FID", "R-Precision Top-1", "T2M R@1", "non_finite"} <= set(second)


def test_an_evaluator_in_bf16_moves_its_scores_and_nothing_else(scorer, store, text, trained):
    """Mean distances move by at most how far the two ends of them do (the triangle inequality), physics not at all."""
    half = Scorer(store, trained[0], text, replace(scorer.rules, precision="bf16"))
    exact, found = scorer.score_real(0), half.score_real(0)
    measured = ("jerk", "skating_ratio", "penetration_mm", "floating_mm", "bone_drift_mm")
    assert {key: found.metrics[key] for key in measured} == {
        key: exact.metrics[key] for key in measured
    }
    assert all(
        torch.equal(*pair)
        for pair in zip(exact.samples.features, found.samples.features, strict=True)
    )
    drawn, facts = scorer.draw(0), scorer.data.store.about
    converter = Converter("kinematic", facts)
    captions, _ = scorer.prompts(drawn)
    rows = [scorer._row[caption] for caption in captions]
    moved = (
        half.embed(half.real(drawn), converter) - scorer.embed(scorer.real(drawn), converter)
    ).norm(dim=1)
    moved += (half._texts - scorer._texts)[rows].norm(dim=1)
    apart = np.abs(found.prompts["matching"] - exact.prompts["matching"])
    assert (apart <= moved.numpy() + 1e-4).all()
    assert found.metrics["MM-Dist"] != exact.metrics["MM-Dist"]
    assert found.metrics["FID"] != exact.metrics["FID"]


def test_joint_motions_are_read_as_well_as_kinematic_ones(scorer):
    """The same motions by way of joints: nearly the same embeddings, T frames stay T frames."""
    drawn = scorer.draw(0)
    motions = scorer.real(drawn)[:6]
    facts = scorer.data.store.about
    joints = [representation("kinematic").decode(motion[None])[0].flatten(1) for motion in motions]
    converted = Converter("joint", facts).kinematic_features(joints)
    assert [len(motion) for motion in converted] == [len(motion) for motion in motions]
    ours = scorer.embed(joints, Converter("joint", facts))
    theirs = scorer.embed(motions, Converter("kinematic", facts))
    spread = torch.cdist(theirs, theirs).mean()
    # a crop is canonicalised anew, so the yaw smoothing sees another edge: near, not equal
    assert (ours - theirs).norm(dim=1).mean() < 0.25 * spread


def test_broken_generations_are_counted(scorer):
    drawn = scorer.draw(0)

    def source(captions, lengths, seeds):
        motions = [motion.clone() for motion in scorer.real(drawn)[: len(captions)]]
        motions = [m[: int(n)] for m, n in zip(motions, lengths, strict=False)]
        motions[1][3, 5] = float("nan")
        motions[2][:] = float("inf")
        return motions

    result = scorer.score(source, "kinematic", "broken", 0)
    assert result.metrics["non_finite"] == 2
    assert np.isfinite(result.metrics["FID"])
    assert np.isfinite(result.metrics["skating_ratio"])
    joints = [torch.full((40, 66), float("nan"))]
    assert Converter("joint", {}).kinematic_features(joints)[0].isnan().all()


def test_draws_are_the_same_for_every_model(scorer):
    prompts = []

    def source(captions, lengths, seeds):
        prompts.append((list(captions), lengths.tolist(), list(seeds)))
        return [torch.zeros(int(length), 263) for length in lengths]

    for name in ("one", "two"):
        scorer.score(source, "kinematic", name, 3)
    assert prompts[0] == prompts[1]


def test_the_validation_split_shares_no_clip_with_the_test_split(store, text, trained, scorer):
    val = Scorer(store, trained[0], text, scorer.rules, split="val")
    assert not set(val.data.clips["clip"]) & set(scorer.data.clips["clip"])
    assert val.score_real(0).metrics["R-Precision Top-1"] > 2 / 16


def test_an_evaluator_of_another_corpus_or_encoder_is_refused(trained, text, scorer, tmp_path):
    from small_corpus import write_store, write_text

    other = write_store(tmp_path / "other", train=4, held=16, seed=7)
    with pytest.raises(InputError, match="asked to judge corpus"):
        Scorer(other, trained[0], text, scorer.rules)
    Scorer(other, trained[0], text, scorer.rules, any_corpus=True)
    narrow = write_text(tmp_path / "narrow.safetensors", width=5)
    store = FeatureStore(scorer.data.store.folder).folder
    with pytest.raises(InputError, match="the evaluator was trained on"):
        Scorer(store, trained[0], narrow, scorer.rules)
    with pytest.raises(InputError, match="evaluator-text"):
        Scorer(store, trained[0], None, scorer.rules)
