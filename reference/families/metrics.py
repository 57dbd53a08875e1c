"""Every score on recorded embeddings, logits and joints, with the recorded draws."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from motionrft.metrics.classification import authenticity, preference, preference_swapped
from motionrft.metrics.generation import (
    diversity,
    fid,
    mm_dist,
    multimodality,
    r_precision,
)
from motionrft.metrics.retrieval import recall, recall_filled
from motionrft.metrics.statistics import interval95
from motionrft.motion.accuracy import mpjpe, trajectory_errors
from motionrft.motion.realism import skating_ratio, toe_speeds
from reference.case import Case
from reference.tolerance import UNIT, summed

FAMILY = "metrics"
# the official distances are float32: 512 squares each, and their means of hundreds
FLOAT32 = summed(1000)
# eigenvalues that rows too few leave at zero are off by 2^-53 of the largest: five hundred roots of that
DEFICIENT = 500 * 2.0**-26.5
RANK_DEFICIENT = re.compile(r"FID_rank_deficient_(\d+)")
RETRIEVAL = re.compile(r"tmr_(?:full|bs(?P<group>\d+))_(?P<direction>t2m|m2t)(?:_shuffled)?")
LAYOUT = re.compile(
    r"mpjpe_pred\[(\d+)\] \+ (\d+(?:\.\d+)?)\*mask vs skate_joints\[(\d+)\]; mpjpe rows = clip (\d+)"
)


def recognises(case: Case) -> bool:
    return "FID" in case.meta and {"text", "gt", "gen"} <= set(case.tensors)


def check(case: Case, cases: dict[str, Case]) -> None:
    del cases
    _generation(case)
    _retrieval(case)
    _preference(case)
    _authenticity(case)
    _physical(case)
    mean, half = interval95(case.input("rep_values"))
    case.compare("rep_mean", mean, atol=1e-12)
    case.compare("rep_ci95", half, atol=1e-12)
    case.require_numbers()


def _generation(case: Case) -> None:
    text, real, made = (case.input(key) for key in ("text", "gt", "gen"))
    for name, motions in (("gt", real), ("gen", made)):
        case.compare(f"R_precision_{name}", r_precision(text, motions), atol=1e-9)
        case.compare(f"MM_dist_{name}", mm_dist(text, motions), rtol=FLOAT32)
    score = fid(real, made)
    # the official mean is accumulated in float32, which moves FID by some 1e-7
    case.compare("FID", score, rtol=FLOAT32)
    case.compare("FID_float64_inputs", score, rtol=1e-7)
    case.compare("FID_self", fid(real, real), atol=1e-8)
    # other closed forms of the same numbers, where a set records them
    for key, value, tolerance in (
        ("FID_closed_eigvalsh_OURS", score, {"rtol": 1e-7}),
        ("FID_eig_OURS", score, {"rtol": FLOAT32}),
        ("FID_self_closed_OURS", fid(real, real), {"atol": 1e-8}),
    ):
        if key in case.meta:
            case.compare(key, value, **tolerance)
    for key in list(case.meta):
        found = RANK_DEFICIENT.fullmatch(key)
        if found:
            rows = int(found.group(1))
            deficient = fid(real[:rows], made[:rows])
            case.compare(key, deficient, rtol=DEFICIENT)
            if "FID_rank_deficient_closed_OURS" in case.meta:
                case.compare("FID_rank_deficient_closed_OURS", deficient, rtol=DEFICIENT)
    drawn = diversity(made, case.input("div_i1"), case.input("div_i2"))
    case.compare("Diversity_gen", drawn, rtol=FLOAT32)
    repeats = multimodality(case.input("mm"), case.input("mm_i1"), case.input("mm_i2"))
    case.compare("MultiModality", repeats, rtol=FLOAT32)


def _retrieval(case: Case) -> None:
    order, fill = _drawn(case, "tmr_shuffle"), case.input("tmr_fill_idx")
    text, motion = (case.input(key)[: len(order)] for key in ("text", "gt"))
    directions = {"t2m": (text, motion), "m2t": (motion, text)}
    for key in list(case.meta):
        found = RETRIEVAL.fullmatch(key)
        if found is None:
            continue
        queries, gallery = directions[found["direction"]]
        top = [int(rank.removeprefix("R")) for rank in case.meta[key]]
        if found["group"]:
            group = int(found["group"])
            scores = recall_filled(queries[order], gallery[order], fill, top=top, group=group)
        else:
            scores = recall(queries, gallery, top=top, group=None)
        # recorded values are rounded to three decimals of a percent
        recorded = [case.number(f"{key}.R{rank}") for rank in top]
        case.compare(key, [scores[f"R@{rank}"] for rank in top], atol=5.1e-4, expected=recorded)


def _drawn(case: Case, name: str) -> Tensor:
    """A recorded draw, whatever its seed."""
    keys = [found[0] for found in case.matching(rf"{name}_seed\d+")]
    return case.input(keys[0] if keys else name)


def _kinds(case: Case, key: str) -> tuple[list[str], list[int]]:
    """Representation and size of each recorded batch."""
    batches = case.number(key)
    return [str(kind) for kind, _ in batches], [int(size) for _, size in batches]


def _preference(case: Case) -> None:
    scores, swapped = case.input("critic_scores"), _drawn(case, "critic_swap")
    better, worse = scores[:, 0], scores[:, 1]
    kinds, sizes = _kinds(case, "critic_batches")
    whole = preference(better, worse, sizes)
    case.compare("critic_acc_sample_mean_OURS", whole["accuracy"], atol=1e-9)
    case.compare("pairwise_loss_official", [whole["loss"], whole["accuracy"]], rtol=FLOAT32)
    of_row = [kind for kind, size in zip(kinds, sizes, strict=True) for _ in range(size)]
    for kind in ("", *dict.fromkeys(kinds)):
        rows = torch.tensor([kind in ("", own) for own in of_row])
        chosen = [size for own, size in zip(kinds, sizes, strict=True) if kind in ("", own)]
        found = preference(better[rows], worse[rows], chosen)
        end = f"_{kind}" if kind else ""
        name = "critic_eval_official"
        case.compare(f"{name}.acc{end}", found["accuracy_batch_mean"], rtol=FLOAT32)
        case.compare(f"{name}.loss{end}", found["loss_batch_mean"], rtol=FLOAT32)
        if kind:
            case.compare(f"{name}.count{end}", len(chosen))
        for key, value in preference_swapped(better[rows], worse[rows], swapped[rows]).items():
            case.compare(f"{name}.{key}{end}", value, atol=1e-9)


def _authenticity(case: Case) -> None:
    logits, labels = case.input("ai_logits"), case.input("ai_labels")
    kinds, sizes = _kinds(case, "ai_batches")
    of_row = [kind for kind, size in zip(kinds, sizes, strict=True) for _ in range(size)]
    parts = [
        authenticity(*pair)["loss"]
        for pair in zip(logits.split(sizes), labels.split(sizes), strict=True)
    ]
    for kind in ("", *dict.fromkeys(kinds)):
        rows = torch.tensor([kind in ("", own) for own in of_row])
        found = authenticity(logits[rows], labels[rows])
        end = f"_{kind}" if kind else ""
        name = "ai_eval_official"
        case.compare(f"{name}.acc{end}", found["accuracy"], atol=1e-9)
        for key in ("precision", "recall", "f1"):
            case.compare(f"{name}.{key}{end}", found[key], atol=1e-9)
        # the official loss is a mean over batches
        losses = [loss for own, loss in zip(kinds, parts, strict=True) if kind in ("", own)]
        case.compare(f"{name}.loss{end}", sum(losses) / len(losses), rtol=FLOAT32)
        if kind:
            case.compare(f"{name}.count{end}", found["count"])
    counts = authenticity(logits, labels)
    for key in ("tp", "fp", "fn", "tn"):
        case.compare(f"ai_eval_official.{key}", counts[key])


def _physical(case: Case) -> None:
    joints = case.input("skate_joints")
    lengths = torch.full((len(joints),), joints.shape[1])
    case.compare("skate_ratio", skating_ratio(joints, lengths), atol=2 * UNIT)
    _, smooth, floor = toe_speeds(joints, lengths)
    predicted = case.input("mpjpe_pred")
    largest = float(torch.cat([joints.flatten(), predicted.flatten()]).abs().max())
    # differences of neighbouring frames, twenty a second, averaged over some; and means over the joints
    case.compare("skate_vel", torch.where(floor, smooth, 0.0), atol=20 * summed(6) * largest)
    apart = summed(3 * joints.shape[2]) * largest
    moved, offset, against, clip = case.stated("_layout", LAYOUT.pattern, 0, 0.25, 0, 0)
    for name, align in (("aligned", True), ("unaligned", False)):
        found = mpjpe(predicted[int(clip)], joints[int(clip)], align_root=align)
        case.compare(f"mpjpe_{name}", found, atol=apart)
    mask = case.input("traj_mask")
    errors = trajectory_errors(predicted[int(moved)] + offset * mask, joints[int(against)], mask)
    keys = case.number("traj_keys")
    case.compare("traj", [errors[key] for key in keys], atol=apart)
