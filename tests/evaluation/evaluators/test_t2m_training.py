from __future__ import annotations

import pytest
import torch
from conftest import SETTINGS

from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.evaluator_file import corpus_digest, load_evaluator
from motionrft.evaluation.evaluators.t2m.training import (
    Regularisation,
    same_caption,
    train_evaluator,
)
from motionrft.files import read_tensors


def test_training_beats_chance_and_keeps_the_best_validated_weights(trained, store, text):
    path, history = trained
    top1 = history[history["name"] == "val/top1"]["value"]
    assert top1.max() > 6 / 32  # eight kinds of motion in groups of 32: 4 alike, so 0.25 at best
    score = history[history["name"] == "val/score"]["value"]
    evaluator, about, _ = load_evaluator(path, corpus=corpus_digest(FeatureStore(store)))
    assert about["label"] == "self-trained"
    assert score.max() >= score.iloc[-1]
    assert not evaluator.training


def test_training_is_a_function_of_the_seed_and_resumes(
    store, text, trained, tmp_path, monkeypatch
):
    first, _ = read_tensors(trained[0])
    # killed after the checkpoint of step 50
    import motionrft.training.loop as loop

    genuine, seen = loop.step_generator, []

    def killed(seed, step, device="cpu"):
        seen.append(step)
        if step == 52 and seen.count(52) == 1:
            raise KeyboardInterrupt
        return genuine(seed, step, device)

    monkeypatch.setattr(loop, "step_generator", killed)
    with pytest.raises(KeyboardInterrupt):
        train_evaluator(SETTINGS, store, text, tmp_path / "checkpoint", "cpu")
    evaluator, _, _ = train_evaluator(SETTINGS, store, text, tmp_path / "checkpoint", "cpu")
    assert seen[-1] == 59
    assert seen.count(50) == 2
    for name, tensor in evaluator.state_dict().items():
        assert torch.equal(tensor, first[name]), name


def test_margin_loss_trains_and_an_unknown_loss_is_refused(store, text, tmp_path):
    settings = {**SETTINGS, "loss": "margin", "train": {**SETTINGS["train"], "steps": 3}}
    _, _, history = train_evaluator(settings, store, text, tmp_path / "c", "cpu")
    assert {"positive", "negative"} <= set(history["name"])
    with pytest.raises(InputError, match="unknown loss 'triplet'"):
        train_evaluator({**settings, "loss": "triplet"}, store, text, tmp_path / "d", "cpu")


def test_same_caption():
    assert same_caption(["a", "b", "a"]).int().tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_noise_on_motions_has_its_deviation_and_leaves_what_lies_after_a_length_alone():
    torch.manual_seed(0)
    features, lengths = torch.zeros(64, 40, 30), torch.full((64,), 32)
    noisy = Regularisation(motion_noise=0.25).on_motions(features, lengths)
    assert torch.equal(noisy[:, 32:], features[:, 32:])
    assert noisy[:, :32].std() == pytest.approx(0.25, rel=0.02)  # of 61,440 draws: .3 % by chance
    assert noisy[:, :32].mean() == pytest.approx(0.0, abs=0.005)


def test_dropout_on_words_keeps_their_mean():
    torch.manual_seed(0)
    words = Regularisation(text_dropout=0.2).on_words(torch.ones(64, 20, 48))
    assert set(words.unique().tolist()) == {0.0, 1.25}
    assert (words == 0).float().mean() == pytest.approx(0.2, abs=0.01)  # of 61,440 draws


def test_training_draws_the_noise_anew_at_every_step_from_the_seed(store, text, tmp_path):
    plan = {**SETTINGS["train"], "steps": 4, "validate_every": 0}

    def weights_of(name, **changes):
        settings = {**SETTINGS, "train": plan, **changes}
        evaluator, about, _ = train_evaluator(settings, store, text, tmp_path / name, "cpu")
        assert about["settings"] == settings
        return evaluator.state_dict()

    without = weights_of("without")
    for option in ("text_dropout", "motion_noise"):
        once, again = (weights_of(f"{option}{k}", **{option: 0.3}) for k in (1, 2))
        for name, tensor in once.items():
            assert torch.equal(tensor, again[name]), name
        assert any(not torch.equal(tensor, without[name]) for name, tensor in once.items())
