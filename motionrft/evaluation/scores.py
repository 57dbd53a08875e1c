"""All scores of one replication, from embeddings and a draw."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.evaluation.protocol import Draw, Protocol
from motionrft.metrics.distances import check_pairs, euclidean, hits, ranks
from motionrft.metrics.fid_influence import fid_influence
from motionrft.metrics.generation import diversity, fid, matching_distance, multimodality
from motionrft.metrics.retrieval import TOP, recall

NAN = float("nan")


def group_ranks(
    queries: Tensor, gallery: Tensor, order: Tensor, group: int, keep_tail: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Positions [K] that were ranked, and for each how many are closer and as close within its group.

    order: positions in the order of their groups; the short last group is ranked only with `keep_tail`.
    """
    whole = len(order) // group * group
    blocks = [order[:whole].reshape(-1, group)]
    if keep_tail and whole < len(order):
        blocks.append(order[whole:][None])
    ranked = [ranks(euclidean(queries[block], gallery[block])) for block in blocks]
    return (
        torch.cat([block.flatten() for block in blocks]),
        torch.cat([closer.flatten() for closer, _ in ranked]),
        torch.cat([ties.flatten() for _, ties in ranked]),
    )


def score_embeddings(
    texts: Tensor,
    motions: Tensor,
    reference: Tensor | None,
    drawn: Draw,
    rules: Protocol,
    *,
    paired: bool = False,
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Metrics by name, and per prompt (row): matching distance, expected rank, expected hits among the first 1, 2
    and 3, and FID's pseudo-value (FID and the prompt's influence on it: its mean over the prompts is FID).

    texts, motions [N, E] are pairs; reference [M, E] real motions for FID (None: FID is 0 by definition); paired:
    whether its rows are those of the same prompts.
    A motion without a finite embedding is counted in `non_finite`, misses in R-Precision and
    retrieval, and is left out of FID, MM-Dist and Diversity, which are NaN when nothing is left.
    """
    check_pairs(texts, motions)
    texts, motions = rules.scaled(texts), rules.scaled(motions)
    finite = motions.isfinite().all(dim=1)
    rows, closer, ties = group_ranks(texts, motions, drawn.order, rules.group, rules.keeps_tail)
    share = hits(closer, ties, TOP).mean(dim=0)
    reverse = hits(
        *group_ranks(motions, texts, drawn.order, rules.group, rules.keeps_tail)[1:], TOP
    ).mean(dim=0)
    matching = matching_distance(texts, motions)
    metrics = {f"R-Precision Top-{k}": float(share[k - 1]) for k in (1, 2, 3)}
    metrics["FID"] = 0.0 if reference is None else _fid(rules.scaled(reference), motions[finite])
    grouped = matching[rows]
    metrics["MM-Dist"] = float(grouped[grouped.isfinite()].mean()) if finite[rows].any() else NAN
    first, second = drawn.diversity
    both = finite[first] & finite[second]
    metrics["Diversity"] = diversity(motions, first[both], second[both]) if both.any() else NAN
    for k, forward, backward in zip(TOP, share, reverse, strict=True):
        metrics[f"T2M R@{k}"], metrics[f"M2T R@{k}"] = 100 * float(forward), 100 * float(backward)
    if rules.measures_realism(drawn.replication):
        for name, pair in (("T2M", (texts, motions)), ("M2T", (motions, texts))):
            full = recall(*pair, group=None, distance=euclidean)
            metrics |= {f"{name} {key} full": value for key, value in full.items()}
    metrics["non_finite"] = float((~finite).sum())
    rank, top = torch.full_like(matching, NAN), torch.full((3, *matching.shape), NAN).to(matching)
    rank[rows] = (1 + closer + ties / 2).to(rank)
    top[:, rows] = hits(closer, ties, (1, 2, 3)).T.to(top)
    by_prompt = {"matching": matching, "rank": rank, "top1": top[0], "top2": top[1], "top3": top[2]}
    by_prompt["fid"] = metrics["FID"] + _influence(reference, motions, finite, rules, paired)
    return metrics, by_prompt


def _fid(reference: Tensor, motions: Tensor) -> float:
    usable = reference[reference.isfinite().all(dim=1)]
    return fid(usable, motions) if min(len(usable), len(motions)) > 1 else NAN


def _influence(
    reference: Tensor | None, motions: Tensor, finite: Tensor, rules: Protocol, paired: bool
) -> Tensor:
    """[N]: what each prompt's motions, generated and (if paired) recorded, contribute to FID."""
    influence = torch.full(motions.shape[:1], NAN, dtype=torch.float64, device=motions.device)
    if reference is None:
        return torch.zeros_like(influence)
    known = reference.isfinite().all(dim=1)
    if min(int(known.sum()), int(finite.sum())) > 1:
        recorded, generated = fid_influence(rules.scaled(reference[known]), motions[finite])
        influence[finite] = generated
        if paired:
            both = torch.full_like(influence, NAN)
            both[known] = recorded
            influence += both
    return influence


def score_repeats(motions: Tensor, drawn: Draw, rules: Protocol) -> float:
    """MultiModality of [texts, repeats, E]; texts with a non-finite generation are left out."""
    motions = rules.scaled(motions)
    finite = (
        motions.isfinite().all(dim=(1, 2)) if motions.numel() else torch.zeros(0, dtype=torch.bool)
    )
    return multimodality(motions[finite], *drawn.columns) if finite.any() else NAN
