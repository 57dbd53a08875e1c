from __future__ import annotations

import math

import pytest
import torch

from motionrft.errors import InputError
from motionrft.metrics.classification import (
    auroc,
    authenticity,
    confusion,
    precision_recall_f1,
    preference,
    preference_swapped,
)


def test_preference_counts_strictly_better_pairs():
    better = torch.tensor([1.0, 2.0, 3.0, 0.0])
    worse = torch.tensor([0.0, 2.0, 1.0, 1.0])
    found = preference(better, worse)
    assert found["accuracy"] == 0.5  # the tie and the inversion lose
    expected = [math.log1p(math.exp(-d)) for d in (1, 0, 2, -1)]
    assert found["loss"] == pytest.approx(sum(expected) / 4)


def test_batch_mean_overweights_a_small_last_batch():
    better, worse = torch.tensor([1.0, 1, 1, 1, 0]), torch.tensor([0.0, 0, 0, 0, 1])
    found = preference(better, worse, [4, 1])
    assert (found["accuracy"], found["accuracy_batch_mean"]) == (0.8, 0.5)
    with pytest.raises(InputError, match="batches of 4 pairs for 5"):
        preference(better, worse, [4])


def test_a_nan_score_loses_its_pair():
    assert preference(torch.tensor([float("nan"), 1.0]), torch.zeros(2))["accuracy"] == 0.5


def test_swapped_pairs_are_the_two_class_problem():
    better, worse = torch.tensor([1.0, 1.0, 0.0, 0.5]), torch.tensor([0.0, 0.0, 1.0, 0.5])
    swapped = torch.tensor([1, 0, 1, 0])
    # pair 0: right, "second"; 1: right, "first"; 2: wrong; 3: tie counts as "second", wrong
    found = preference_swapped(better, worse, swapped)
    assert found["precision"] == 0.5
    assert found["recall"] == 0.5


def test_confusion_and_empty_denominators():
    labels = torch.tensor([1, 1, 0, 0, 0])
    counts = confusion(torch.tensor([1, 0, 1, 0, 0]), labels)
    assert counts == {"tp": 1, "fp": 1, "fn": 1, "tn": 2}
    empty = precision_recall_f1(confusion(torch.zeros(5), labels))
    assert empty == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    with pytest.raises(InputError, match="labels"):
        confusion(labels, labels[:3])


def test_auroc_closed_forms():
    labels = torch.tensor([0, 0, 1, 1])
    assert auroc(torch.tensor([0.1, 0.2, 0.3, 0.4]), labels) == 1.0
    assert auroc(torch.tensor([0.4, 0.3, 0.2, 0.1]), labels) == 0.0
    assert auroc(torch.ones(4), labels) == 0.5
    assert auroc(torch.tensor([0.1, 0.3, 0.2, 0.4]), labels) == 0.75
    assert math.isnan(auroc(torch.ones(4), torch.ones(4)))


def test_authenticity_shows_what_an_unbalanced_set_hides():
    # nine generated, one real; everything is called generated
    labels = torch.tensor([1] * 9 + [0])
    logits = torch.tensor([[0.0, 1.0]] * 10)
    found = authenticity(logits, labels)
    assert (found["accuracy"], found["recall"], found["specificity"]) == (0.9, 1.0, 0.0)
    assert found["balanced_accuracy"] == 0.5
    assert found["auroc"] == 0.5
    assert found["loss"] == pytest.approx(
        0.9 * math.log1p(math.exp(-1)) + 0.1 * math.log1p(math.exp(1))
    )
    with pytest.raises(InputError, match="logits"):
        authenticity(logits[:, :1], labels)
