"""What each switch of `reward.official` changes."""

from __future__ import annotations

import pytest
import torch

from motionrft.errors import InputError
from motionrft.evaluation.reward.scores import length_only
from motionrft.metrics.classification import auroc
from motionrft.motion.normaliser import Normaliser
from motionrft.reward.data.labelled import LabelledMotion, LabelledMotions, write_labelled
from motionrft.reward.latent import Latent
from motionrft.reward.noise_schedule import cumulative_alphas
from motionrft.reward.released import (
    SWITCHES,
    LeakingMask,
    ReleasedNoiseLaw,
    Unbalanced,
    rules_of,
    spl_softmax_loss,
)
from motionrft.reward.rules import Rules
from motionrft.reward.self_refinement import spl_loss
from motionrft.reward.stages import load

from .tiny import IDENTITY, random_motion, section, tiny_network, training, write_labels


def test_switches_go_together_and_an_unknown_one_is_named():
    rules = rules_of({"selection": True, "no_clean_token": True, "noise": False})
    assert (rules.selection_split, rules.clean_token) == ("test", False)
    assert rules.noise_law is Rules.noise_law
    latent = Latent(torch.zeros(2, 3), torch.zeros(2, 3))
    read = rules_of(dict.fromkeys(SWITCHES, True)).reading(torch.Generator().manual_seed(0))
    assert (read(latent) != latent.mean).all()
    with pytest.raises(InputError, match=r"reward\.official.*'slection'"):
        rules_of({"slection": True})


def test_the_released_step_law_is_not_normalised():
    weights = ReleasedNoiseLaw().weights()
    assert float(weights[:50].sum() / weights.sum()) == pytest.approx(0.262, abs=1e-3)


def test_official_noise_is_one_coin_and_a_token_for_all():
    generator = torch.Generator().manual_seed(3)
    law = ReleasedNoiseLaw(probability=0.1)
    levels = law.levels(8, generator)
    assert len(levels.noisy.unique()) == 1
    assert (levels.t == levels.steps).all()
    clean, lengths = torch.zeros(8, 4, 2), torch.full((8,), 2)
    always = ReleasedNoiseLaw(probability=1.0)
    levels = always.levels(8, generator)
    noised = always.corrupted(clean, lengths, levels, cumulative_alphas(), generator)
    assert (noised[:, 2:] != 0).any()
    assert always.target(clean, noised) is noised


def test_released_items_tell_the_classes_apart(tmp_path):
    items = [LabelledMotion({"joint": random_motion(10)}, "train", "a", g) for g in ("", "mld")]
    write_labelled(tmp_path, items, "authenticity", {})
    shifted = {"joint": Normaliser(torch.ones(66), torch.ones(66))}
    data = LabelledMotions(tmp_path, "authenticity", shifted)
    features, lengths = LeakingMask.authenticity_views.batch(data, [0, 1], None)
    assert lengths.tolist() == [196, 10]
    assert (features[0, 10:] == 0).all()
    assert (features[1, 10:] == -1).all()


def test_classes_weigh_the_same_however_many_generators(tmp_path):
    items = [
        LabelledMotion({"joint": random_motion(9)}, "train", "a", g) for g in ("", "a", "b", "c")
    ]
    write_labelled(tmp_path, items, "authenticity", {})
    data = LabelledMotions(tmp_path, "authenticity", IDENTITY)
    stage = load("authenticity")
    ours, released = (
        stage.class_weights(stage.items(data, "train", rules), rules)
        for rules in (Rules(), Unbalanced())
    )
    real, generated = ours
    assert real == pytest.approx(3 * generated)
    assert real + 3 * generated == pytest.approx(4.0)
    assert released == (1.0, 1.0)


def test_what_a_mask_gives_away(corpus, tmp_path):
    """As released, real motions are marked full length; under one law, no length tells the classes apart."""
    data = write_labels(tmp_path, corpus, "authenticity")
    area = {}
    for leaking in (False, True):
        rules = rules_of({"leaking_mask": leaking})
        items, fitted = (load("authenticity").items(data, s, rules) for s in ("test", "train"))
        labels = torch.tensor((items.table["generator"] != "").to_numpy(int))
        logits = length_only(items, fitted)
        area[leaking] = auroc(logits[:, 1] - logits[:, 0], labels)
        rows = list(range(4))
        ((_, lengths),) = items.batch(rows).motions
        assert lengths.tolist() == items.marked_lengths()[rows].tolist()
    assert area == {False: 0.5, True: 1.0}


def test_spl_stays_finite_where_the_released_formula_does_not():
    own = torch.tensor([-1.0], requires_grad=True)
    best, unsolved = torch.tensor([1.0]), torch.tensor([False])
    loss = spl_loss(own, best, unsolved, 0.01)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(200.0)
    assert float(own.grad) == pytest.approx(-100.0)
    assert spl_softmax_loss(own, best, unsolved, 0.01).isinf()


@pytest.mark.parametrize("switch", ["noise", "reconstruction", "alignment", "sampled", "selection"])
def test_every_switch_of_the_semantic_stage_changes_the_result(corpus, tmp_path, switch):
    results = []
    for on in (False, True):
        value = section(official={switch: on})
        value["stages"]["semantic"]["train"] |= {"steps": 2, "validate_every": 1}
        network, history = load("semantic").train(training(corpus, tmp_path / f"{on}.pt", value))
        weights = torch.cat([p.detach().flatten() for p in network.parameters()])
        results.append((weights, history[history["name"] == "val/score"]["value"].tolist()))
    changed_weights = not torch.equal(results[0][0], results[1][0])
    assert changed_weights or results[0][1] != results[1][1]


@pytest.mark.parametrize(
    ("stage", "switch"),
    [
        ("preference", "padded_pairs"), ("preference", "sampled"),
        ("authenticity", "leaking_mask"), ("authenticity", "alignment"), ("authenticity", "sampled"),
    ],
)  # fmt: skip
def test_every_switch_of_a_task_stage_changes_the_result(corpus, tmp_path, stage, switch):
    write_labels(tmp_path / "data", corpus, stage)
    weights = []
    for on in (False, True):
        value = section(official={switch: on})
        value["stages"][stage]["train"] |= {"steps": 2, "validate_every": 0}
        network = tiny_network(latent_dim=16, heads=2, patch=4)
        options = {"network": network, "data": tmp_path / "data"}
        branch, _ = load(stage).train(training(corpus, tmp_path / f"{on}.pt", value, **options))
        weights.append(torch.cat([p.detach().flatten() for p in branch.trained()]))
    assert not torch.equal(*weights)
