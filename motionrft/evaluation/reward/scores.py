"""A reward's own scores as tidy tables: retrieval, agreement of representations, preference, authenticity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from motionrft.metrics.classification import auroc, authenticity, preference, preference_swapped
from motionrft.metrics.generation import GROUP
from motionrft.metrics.retrieval import TOP, recall
from motionrft.reward.branch_stage import BranchObjective, TaskItems, outputs_of
from motionrft.reward.data.labelled import HELD_OUT
from motionrft.reward.latent import Reading, mean
from motionrft.reward.retrieval import Embeddings, retrieval_scores, shuffled

COLUMNS = ("table", "model", "representation", "setting", "metric", "value", "count")
Rows = list[dict[str, Any]]


def row(*values: Any) -> dict[str, Any]:
    """A row of the tidy table: values of `COLUMNS`."""
    return dict(zip(COLUMNS, values, strict=True))


def retrieval_rows(model: str, embeddings: Embeddings) -> Rows:
    """R@k both ways for each representation and their mean, and between representations."""
    count = len(embeddings.text)
    group = min(GROUP, count)
    scored = count - count % group  # the last partial group is left out
    rows: Rows = []
    by_direction: dict[tuple[str, str], list[float]] = {}
    for key, scores in retrieval_scores(embeddings).items():
        direction, name = key.split("/")
        for metric, value in scores.items():
            rows.append(row("retrieval", model, name, direction, metric, value, scored))
            by_direction.setdefault((direction, metric), []).append(value)
    for (direction, metric), values in by_direction.items():
        mean = float(np.mean(values))
        rows.append(row("retrieval", model, "mean", direction, metric, mean, scored))
    order = shuffled(count)
    for a, b in permutations(embeddings.motion, 2):
        scores = recall(embeddings.motion[a][order], embeddings.motion[b][order], group=group)
        rows += [row("agreement", model, a, f"to {b}", *item, scored) for item in scores.items()]
    return rows


def caption_rows(embeddings: Embeddings, top: Sequence[int] = TOP) -> Rows:
    """What a perfect reward would reach (model `perfect`): of n motions in a group that share a caption, none
    can be told to be the caption's own, so it is among the first k with a probability of k / n at most."""
    group = min(GROUP, len(embeddings.captions))
    captions = [embeddings.captions[index] for index in shuffled(len(embeddings.captions)).tolist()]
    groups = [captions[i : i + group] for i in range(0, len(captions) - group + 1, group)]
    copies = np.array([copy for part in groups for copy in map(Counter(part).get, part)])
    return [
        row(
            "retrieval", "perfect", name, direction, f"R@{k}",
            100.0 * float(np.minimum(k / copies, 1.0).mean()), len(copies),
        )
        for name in (*embeddings.motion, "mean")
        for direction in ("t2m", "m2t")
        for k in top
    ]  # fmt: skip


def preference_rows(
    model: str, items: TaskItems, better: Tensor, worse: Tensor, seed: int = 42
) -> Rows:
    """Accuracy, precision, recall and F1 by representation, over all, and by kind of pair."""
    table = items.table
    swapped = torch.from_numpy(np.random.default_rng(seed).random(len(table)) < 0.5)
    rows: Rows = []
    for name, setting, chosen in _groups(table, "kind"):
        scores = {
            **preference(better[chosen], worse[chosen]),
            **preference_swapped(better[chosen], worse[chosen], swapped[chosen]),
        }
        count = int(scores.pop("count"))
        rows += [row("preference", model, name, setting, *entry, count) for entry in scores.items()]
    return rows


def authenticity_rows(
    model: str, setting: str, items: TaskItems, logits: Tensor, labels: Tensor
) -> Rows:
    """All scores by representation, over all, and against each generator alone."""
    rows: Rows = []
    generators = items.table["generator"]
    for name, _, chosen in _groups(items.table, None):
        scores = authenticity(logits[chosen], labels[chosen])
        count = int(scores.pop("count"))
        rows += [
            row("authenticity", model, name, setting, *entry, count) for entry in scores.items()
        ]
        for generator in sorted(set(generators) - {""}):
            mask = chosen & torch.tensor(generators.isin(["", generator]).tolist())
            value, count = (
                auroc(logits[mask][:, 1] - logits[mask][:, 0], labels[mask]),
                int(mask.sum()),
            )
            against = f"{setting}, {generator}"
            rows.append(row("authenticity", model, name, against, "auroc", value, count))
    return rows


def _groups(table: pd.DataFrame, kind: str | None) -> Iterable[tuple[str, str, Tensor]]:
    """(representation or "all", kind or "all", mask) of every group a table reports."""
    everything = torch.ones(len(table), dtype=torch.bool)
    yield "all", "all", everything
    for name in sorted(table["representation"].unique()):
        yield name, "all", torch.tensor((table["representation"] == name).tolist())
    if kind is not None:
        for value in sorted(table[kind].unique()):
            yield "all", value, torch.tensor((table[kind] == value).tolist())


def length_only(items: TaskItems, split: TaskItems) -> Tensor:
    """Logits [N, 2] of a detector that reads nothing but the length that a mask tells: a logistic fit on `split`.
    What it scores is what the masks give away."""

    def lengths(data: TaskItems) -> Tensor:
        return torch.from_numpy(data.marked_lengths() / 100.0)

    x, y = lengths(split), torch.from_numpy(split.generated.astype(np.float64))
    design = torch.stack([torch.ones_like(x), x], dim=1)
    weights = torch.zeros(2, dtype=torch.float64)
    for _ in range(20):  # Newton steps with a slight ridge
        p = torch.sigmoid(design @ weights)
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-3 * torch.eye(2).double()
        weights = weights + torch.linalg.solve(hessian, design.T @ (y - p) - 1e-3 * weights)
    logit = torch.stack([torch.ones_like(lengths(items)), lengths(items)], dim=1) @ weights
    return torch.stack([torch.zeros_like(logit), logit], dim=1)


def calibration(
    table: str, model: str, probability: Tensor, truth: Tensor, bins: int = 10
) -> pd.DataFrame:
    """Reliability: in each tenth of predicted probability, the mean prediction and the observed frequency."""
    edges = torch.linspace(0, 1, bins + 1)
    bin_of = torch.bucketize(probability.contiguous(), edges[1:-1])
    rows = []
    for index in range(bins):
        inside = bin_of == index
        if bool(inside.any()):
            rows.append(
                {
                    "table": table,
                    "model": model,
                    "lower": float(edges[index]),
                    "upper": float(edges[index + 1]),
                    "predicted": float(probability[inside].double().mean()),
                    "observed": float(truth[inside].double().mean()),
                    "count": int(inside.sum()),
                }
            )
    return pd.DataFrame(rows)


def preference_tables(
    models: dict[str, BranchObjective], items: TaskItems, read: Reading = mean
) -> tuple[Rows, list[pd.DataFrame]]:
    """Scores and reliability of each model on pairs."""
    rows: Rows = []
    curves = []
    for model, objective in models.items():
        outputs, _ = outputs_of(objective, items, read=read)
        better, worse = outputs[:, 0, 0], outputs[:, 1, 0]
        rows += preference_rows(model, items, better, worse)
        # each pair in both orders, so that "the second is better" has a frequency of one half
        margin = torch.cat([better - worse, worse - better])
        truth = torch.cat([torch.ones_like(better), torch.zeros_like(better)])
        curves.append(calibration("preference", model, torch.sigmoid(margin), truth))
    return rows, curves


def authenticity_tables(
    models: dict[str, BranchObjective],
    load: Callable[[str], TaskItems],
    read: Reading = mean,
) -> tuple[Rows, list[pd.DataFrame]]:
    """In-distribution generators (`test`), generators never trained on (`held_out`), and the length alone."""
    rows: Rows = []
    curves = []
    for split in ("test", HELD_OUT):
        items = load(split)
        if items.table.empty:
            continue
        labels = torch.from_numpy(items.generated.astype(np.int64))
        for model, objective in models.items():
            outputs, _ = outputs_of(objective, items, read=read)
            logits = outputs[:, 0]
            rows += authenticity_rows(model, split, items, logits, labels)
            probability = logits.softmax(dim=-1)[:, 1]
            curves.append(calibration(f"authenticity {split}", model, probability, labels))
        rows += authenticity_rows(
            "length only", split, items, length_only(items, load("train")), labels
        )
    return rows, curves
