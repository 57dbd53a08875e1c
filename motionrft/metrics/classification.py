"""Scores of the reward's two classifiers: preference pairs and authenticity (paper tables II, III)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy.stats import mannwhitneyu
from torch import Tensor

from motionrft.errors import InputError


def confusion(predicted: Tensor, labels: Tensor) -> dict[str, int]:
    """Counts tp, fp, fn, tn of boolean predictions against boolean labels [N]."""
    if predicted.shape != labels.shape:
        raise InputError(
            f"{tuple(predicted.shape)} predictions for {tuple(labels.shape)} labels",
            field="labels",
            fix="pass one label a prediction",
        )
    predicted, labels = predicted.bool(), labels.bool()
    return {
        "tp": int((predicted & labels).sum()),
        "fp": int((predicted & ~labels).sum()),
        "fn": int((~predicted & labels).sum()),
        "tn": int((~predicted & ~labels).sum()),
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def precision_recall_f1(counts: dict[str, int]) -> dict[str, float]:
    """Of the positive class; 0 where a denominator is empty, as the field reports it."""
    precision = _share(counts["tp"], counts["tp"] + counts["fp"])
    recall = _share(counts["tp"], counts["tp"] + counts["fn"])
    f1 = _share(2 * precision * recall, precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1}


def auroc(scores: Tensor, labels: Tensor) -> float:
    """Probability that a positive scores above a negative, ties counting one half: the Mann-Whitney U statistic
    over its largest value; NaN without both classes, or where a score is NaN."""
    positive, negative = scores[labels.bool()].double(), scores[~labels.bool()].double()
    if not len(positive) or not len(negative):
        return float("nan")
    wins = mannwhitneyu(positive.numpy(), negative.numpy(), method="asymptotic").statistic
    return float(wins) / (len(positive) * len(negative))


def preference(better: Tensor, worse: Tensor, batches: Sequence[int] = ()) -> dict[str, float]:
    """Preference accuracy: how often the preferred motion of a pair has the strictly higher score.

    better, worse [N]. `accuracy` is over pairs; `accuracy_batch_mean`, given the batch sizes, is the
    unweighted mean over batches that the official code reports (a small last batch weighs as much
    as a full one). `loss` is the mean of -log σ(better - worse). A NaN score loses its pair.
    """
    if better.shape != worse.shape or better.ndim != 1 or not len(better):
        raise InputError(
            f"scores of shapes {tuple(better.shape)} and {tuple(worse.shape)}",
            field="pairs",
            fix="pass two [N] tensors, N > 0",
        )
    right = (better > worse).double()
    losses = torch.nn.functional.softplus(worse.double() - better.double())
    result = {"accuracy": float(right.mean()), "loss": float(losses.mean()), "count": len(right)}
    if batches:
        if sum(batches) != len(right):
            raise InputError(
                f"batches of {sum(batches)} pairs for {len(right)} scores",
                field="batches",
                fix="pass the sizes the scores were computed in",
            )
        parts, loss_parts = right.split(list(batches)), losses.split(list(batches))
        result["accuracy_batch_mean"] = float(torch.stack([p.mean() for p in parts]).mean())
        result["loss_batch_mean"] = float(torch.stack([p.mean() for p in loss_parts]).mean())
    return result


def preference_swapped(better: Tensor, worse: Tensor, swapped: Tensor) -> dict[str, float]:
    """Precision, recall and F1 of "the second is better" after the pairs in `swapped` change places.

    This is how the official table makes a two-class problem of pairs; a tie counts as "the second".
    The three are noisy copies of the accuracy and depend on the draw `swapped`.
    """
    first = torch.where(swapped.bool(), worse, better)
    second = torch.where(swapped.bool(), better, worse)
    return precision_recall_f1(confusion(first <= second, swapped))


def authenticity(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Real-or-generated scores. logits [N, 2] (real, generated); labels [N], 1 = generated.

    Beside the table's accuracy, precision, recall and F1 of the generated class: specificity,
    balanced accuracy and AUROC, since an unbalanced set hides real clips that are called fake.
    """
    if logits.ndim != 2 or logits.shape[1] != 2 or len(logits) != len(labels):
        raise InputError(
            f"logits {tuple(logits.shape)} for {len(labels)} labels",
            field="logits",
            fix="pass [N, 2] logits and [N] labels",
        )
    counts = confusion(logits.argmax(dim=1) == 1, labels)
    scores = precision_recall_f1(counts)
    specificity = _share(counts["tn"], counts["tn"] + counts["fp"])
    return {
        "accuracy": (counts["tp"] + counts["tn"]) / max(len(labels), 1),
        **scores,
        "specificity": specificity,
        "balanced_accuracy": (scores["recall"] + specificity) / 2,
        "auroc": auroc(logits[:, 1].double() - logits[:, 0].double(), labels),
        "loss": float(torch.nn.functional.cross_entropy(logits.double(), labels.long())),
        **counts,
        "count": len(labels),
    }
