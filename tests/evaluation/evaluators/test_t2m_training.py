from __future__ import annotations

import pytest
import torch
from conftest import SETTINGS

from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.evaluator_file import corpus_digest, load_evaluator
from motionrft.evaluation.evaluators.t2m.training import same_caption, train_evaluator
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
