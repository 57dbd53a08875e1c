"""MotionReward's functions: InfoNCE, KL, pairwise, SPL, noise law, retrieval and classification scores,
released data-set items and batch order."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.metrics.classification import (
    authenticity,
    preference,
    preference_swapped,
)
from motionrft.metrics.retrieval import recall, recall_filled
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.positions import timestep_sinusoid
from motionrft.reward.branch_stage import one_representation_batches
from motionrft.reward.data.official import DIMS, frames_of
from motionrft.reward.latent import Latent
from motionrft.reward.losses import (
    false_negatives,
    infonce,
    kl_divergence,
    preference_loss,
    smooth_l1,
)
from motionrft.reward.network import OFFICIAL_NAMES
from motionrft.reward.noise_schedule import add_noise, cumulative_alphas
from motionrft.reward.released import ReleasedNoiseLaw, padded_item, spl_softmax_loss
from motionrft.reward.self_refinement import mine, spl_loss
from motionrft.training.schedule import learning_rate
from reference.case import Case
from reference.reward_networks import representation, tolerance
from reference.tolerance import ALPHAS, phase_tolerance, summed

FAMILY = "motionreward"
SPL_K, SPL_CONFIDENT = 10, 0.8
BATCH, CRITIC_SEED = 16, 42  # the released evaluation's
PERCENT = {"atol": 5.01e-4}  # recorded with three decimals


def recognises(case: Case) -> bool:
    return "infonce/x" in case.tensors and "noise/timestep_weights" in case.tensors


def check(case: Case, cases: dict[str, Case]) -> None:
    _contrastive(case)
    _terms(case)
    for name in sorted({key.split("/")[1] for key in case.tensors if key.startswith("spl/")}):
        _spl(case, name)
    _noise(case)
    numbers = case.meta.get("numbers", {})
    for name in [name for name in numbers if name.startswith("lr_")]:
        _learning_rate(case, name, numbers[name])
    _retrieval(case, numbers)
    _preference_scores(case, numbers.get("eval_critic"))
    _authenticity_scores(case, numbers.get("eval_authenticity"))
    _pairs(case)
    _authenticity_items(case, numbers)
    if "batch_order" in numbers:
        order = numbers["batch_order"]
        for key in [key for key in order if re.fullmatch(r"epoch\d+", key)]:
            epoch = int(key.removeprefix("epoch"))
            batches = one_representation_batches(
                order["groups"], order["batch"], order["seed"], epoch
            )
            case.compare(f"batch_order/{key}", batches, expected=order[key])


def _contrastive(case: Case) -> None:
    x, y, sentences = (case.input(f"infonce/{key}") for key in ("x", "y", "sent"))
    what = "tensors.infonce/filtered.what"
    (threshold,) = case.stated(what, r"thr (\d*\.?\d+)", 0.9)
    (temperature,) = case.stated(what, r"temp (\d*\.?\d+)", 0.1)
    settings = {"temperature": temperature, "threshold": threshold}
    dropped = false_negatives(sentences, threshold).nonzero()
    case.compare("infonce/dropped_pairs", dropped)
    case.compare("infonce/plain", infonce(x, y, None, **settings), **tolerance(case))
    with torch.enable_grad():
        x = x.clone().requires_grad_(True)
        filtered = infonce(x, y, sentences, **settings)
        (gradient,) = torch.autograd.grad(filtered, x)
    case.compare("infonce/filtered", filtered, **tolerance(case))
    case.compare("infonce/filtered_spm_class", filtered, **tolerance(case))
    case.compare("infonce/filtered_grad_x", gradient, **tolerance(case))


def _terms(case: Case) -> None:
    q, p = (
        Latent(case.input(f"kl/mu_{side}"), case.input(f"kl/logvar_{side}")) for side in ("q", "p")
    )
    case.compare("kl/value", kl_divergence(q, p), **tolerance(case))
    a, b = case.input("smooth_l1/a"), case.input("smooth_l1/b")
    case.compare("smooth_l1/value", smooth_l1(a, b), **tolerance(case))
    better, worse = case.input("pairwise/scores").unbind(1)
    case.compare("pairwise/loss", preference_loss(better, worse), **tolerance(case))
    per_pair = torch.stack([preference_loss(*pair) for pair in zip(better, worse, strict=True)])
    case.compare("pairwise/per_pair", per_pair, **tolerance(case))
    case.compare("pairwise/accuracy", preference(better, worse)["accuracy"], **tolerance(case))


def _spl(case: Case, name: str) -> None:
    key = f"spl/{name}"
    tops = case.matching(rf"{key}/in_top(\d+)")
    above = case.matching(rf"{key}/any_above_(\d*\.?\d+)")
    k = int(tops[0][1]) if tops else SPL_K
    confident = float(above[0][1]) if above else SPL_CONFIDENT
    (once,) = case.stated(f"tensors.{key}/loss.what", r"temperature (\d*\.?\d+)", 0.1)
    temperature = once**2  # the released soft-max divides cosines by it twice
    with torch.enable_grad():
        motion, text = (
            case.input(f"{key}/{side}").clone().requires_grad_(True) for side in ("motion", "text")
        )
        scores = F.normalize(text, dim=-1) @ F.normalize(motion, dim=-1).T
        own = torch.arange(len(scores))
        best, solved = mine(scores, own, k, confident)
        pair = scores.diagonal(), scores.gather(1, best[:, None])[:, 0]
        loss = spl_loss(*pair, solved, temperature)
        gradients = torch.autograd.grad(loss, (motion, text))
    case.compare(f"{key}/best", best)
    for found in tops:
        case.compare(found[0], mine(scores, own, int(found[1]))[1])
    for found in above:
        case.compare(found[0], (scores > float(found[1])).any(dim=1))
    if f"{key}/loss_stable" in case.tensors:
        case.compare(f"{key}/loss_stable", loss, **tolerance(case))
        released = spl_softmax_loss(*pair, solved, temperature)
        case.compare(f"{key}/loss", released)
        return
    case.compare(f"{key}/loss", loss, **tolerance(case))
    for side, gradient in zip(("motion", "text"), gradients, strict=True):
        # a cosine's rounding, divided by the temperature, is the relative one of each soft-max weight
        apart = summed(motion.shape[1]) / temperature
        case.compare_scaled(f"{key}/grad_{side}", gradient, apart)


def _noise(case: Case) -> None:
    alphas = cumulative_alphas()
    case.compare("noise/alphas_cumprod", alphas, **ALPHAS)
    law = ReleasedNoiseLaw(max_t=len(case.input("noise/timestep_weights")))
    case.compare("noise/timestep_weights", law.weights(), **tolerance(case))
    t = case.input("noise/t")
    noised = add_noise(case.input("noise/x0"), t, case.input("noise/eps"), alphas)
    case.compare("noise/xt", noised, **tolerance(case))
    width = case.tensors["noise/sinusoid"].shape[1]
    times = case.input("noise/sinusoid_t")
    apart = phase_tolerance(times, width // 2, width // 2).repeat(1, 2)
    case.compare("noise/sinusoid", timestep_sinusoid(times, width), atol=apart)


def _learning_rate(case: Case, name: str, recorded: dict[str, Any]) -> None:
    """The suite's warm-up has no first update of rate zero: its update k is the released update k + 1. The rate
    that the warm-up ends at is not listed: the last recorded one of the warm-up says it."""
    warmup, rates = recorded["warmup"], recorded["lr_used_at_update"]
    rising = {int(update): rate for update, rate in rates.items() if 0 < int(update) <= warmup}
    peak = max(rising) if rising else 0
    lr = rising[peak] * warmup / peak if rising else rates[str(warmup)]
    for text, expected in rates.items():
        update = int(text)
        if update == 0:
            continue
        actual = learning_rate(
            update if update >= warmup else update - 1,
            peak=lr,
            steps=recorded["total"],
            warmup=warmup,
            schedule="cosine",
        )
        case.compare(f"{name}/{update}", actual, expected=expected, atol=1e-18, rtol=1e-12)


def _retrieval(case: Case, numbers: dict[str, Any]) -> None:
    text, motion = case.input("retrieval/text"), case.input("retrieval/motion")
    for name, recorded in numbers.items():
        if not name.startswith("retrieval_"):
            continue
        queries, gallery = (text, motion) if "_t2m" in name else (motion, text)
        groups, first = re.search(r"_groups(\d+)", name), re.search(r"_first(\d+)", name)
        group = int(groups[1]) if groups else None
        top = [int(key[1:]) for key in recorded if re.fullmatch(r"R\d+", key)]
        if first and group:
            count = int(first[1])
            state = np.random.RandomState(recorded["numpy_seed"])
            fill = torch.from_numpy(state.choice(count, -count % group, replace=False))
            scores = recall_filled(queries[:count], gallery[:count], fill, top=top, group=group)
        else:
            scores = recall(queries, gallery, top=top, group=group)
        for k in top:
            label, expected = f"{name}/R{k}", recorded[f"R{k}"]
            case.compare(label, scores[f"R@{k}"], expected=expected, **PERCENT)


def _preference_scores(case: Case, recorded: dict[str, Any] | None) -> None:
    scores = {
        key.removeprefix("eval_critic/scores_"): case.input(key)
        for key in sorted(case.tensors, reverse=True)
        if key.startswith("eval_critic/")
    }
    if recorded is None:
        return
    order = recorded["repr_types"]
    coins = np.random.RandomState(recorded.get("numpy_seed", CRITIC_SEED))
    swaps: dict[str, Tensor] = {}
    batches: dict[str, list[int]] = {}
    for name in order:
        count = len(scores[name])
        swaps[name] = torch.tensor([coins.random() < 0.5 for _ in range(count)])
        batches[name] = _batches(case, f"eval_critic/scores_{name}", count)
    groups: dict[str, list[str]] = {f"_{name}": [name] for name in order} | {"": order}
    for suffix, names in groups.items():
        better, worse = torch.cat([scores[name] for name in names]).unbind(1)
        swapped = torch.cat([swaps[name] for name in names])
        sizes = [size for name in names for size in batches[name]]
        found = preference(better, worse, sizes)
        values = {
            "acc": found["accuracy_batch_mean"],
            "loss": found["loss_batch_mean"],
            "count": len(sizes),
            **preference_swapped(better, worse, swapped),
        }
        for key, value in values.items():
            if f"{key}{suffix}" in recorded:
                expected = recorded[f"{key}{suffix}"]
                case.compare(
                    f"eval_critic/{key}{suffix}", value, expected=expected, **tolerance(case)
                )


def _batches(case: Case, key: str, count: int) -> list[int]:
    """Sizes of the batches in which `count` rows were evaluated: of the first one's size, which the record states."""
    (size,) = case.stated(f"tensors.{key}.what", r"batches of (\d+)", BATCH)
    return [min(int(size), count - begin) for begin in range(0, count, int(size))]


def _authenticity_scores(case: Case, recorded: dict[str, Any] | None) -> None:
    logits, labels = (case.input(f"eval_authenticity/{key}") for key in ("logits", "labels"))
    if recorded is None:
        return
    counts = [int(recorded[f"count_{name}"]) for name in recorded["repr_types"]]
    groups = dict(zip(recorded["repr_types"], logits.split(counts), strict=True))
    classes = dict(zip(recorded["repr_types"], labels.split(counts), strict=True))
    _authenticity_group(case, recorded, "", list(groups.values()), list(classes.values()))
    for name in groups:
        _authenticity_group(case, recorded, f"_{name}", [groups[name]], [classes[name]])


def _authenticity_group(
    case: Case, recorded: dict[str, Any], suffix: str, logits: list[Tensor], labels: list[Tensor]
) -> None:
    """Scores over all rows; the released loss is the mean over batches (rows of one representation)."""
    losses = []
    for group in zip(logits, labels, strict=True):
        sizes = _batches(case, "eval_authenticity/logits", len(group[0]))
        parts = zip(*(rows.split(sizes) for rows in group), strict=True)
        losses += [F.cross_entropy(*part) for part in parts]
    scores = authenticity(torch.cat(logits), torch.cat(labels))
    values = {**scores, "acc": scores["accuracy"], "loss": torch.stack(losses).mean()}
    for key, value in values.items():
        if f"{key}{suffix}" in recorded:
            expected = recorded[f"{key}{suffix}"]
            case.compare(
                f"eval_authenticity/{key}{suffix}", value, expected=expected, **tolerance(case)
            )


def _pairs(case: Case) -> None:
    """Released preference items: z-scored, then cut or zero-padded; recorded as channel sums a frame."""
    items = []
    for name, official in OFFICIAL_NAMES.items():
        normaliser = _normaliser(case, official)
        pairs = sorted(
            {found[1] for found in case.matching(rf"data/(pair_{official}_\d+)/.+")},
            key=lambda pair: int(pair.rpartition("_")[2]),
        )
        items += [(name, normaliser, pair) for pair in pairs]
    for index, (name, normaliser, pair) in enumerate(items):
        for side in ("motion_better", "motion_worse"):
            recorded = f"data/critic_item{index}/{side}_row_sums"
            raw = case.input(f"data/{pair}/{side}")
            motion = torch.from_numpy(frames_of(raw, name, case.folder, pair))
            frames = len(case.tensors[recorded])
            features, _ = padded_item(motion, normaliser, frames, generated=False)
            case.compare_scaled(recorded, features.sum(1), summed(features.shape[1]))


def _normaliser(case: Case, official: str) -> Normaliser:
    mean, std = case.input(f"data/mean_{official}"), case.input(f"data/std_{official}")
    repeat = DIMS[representation(official)] // len(mean)  # 22x3 has one pair an axis
    return Normaliser(mean.repeat(repeat), std.repeat(repeat))


def _authenticity_items(case: Case, numbers: dict[str, Any]) -> None:
    """Released authenticity items: the label can be read off the marked length and the padding."""
    official = OFFICIAL_NAMES["kinematic"]
    normaliser = _normaliser(case, official)
    for found in case.matching(r"data/auth_(real|generated)_row_sums"):
        recorded, kind = found[0], found[1]
        frames = len(case.tensors[recorded])
        motion = case.input(f"data/auth_{kind}").reshape(-1, DIMS["kinematic"])
        facts = numbers.get(f"auth_item_{kind}", {})
        motion = motion[: facts.get("true_length", len(motion))]
        features, length = padded_item(motion, normaliser, frames, generated=kind == "generated")
        case.compare_scaled(recorded, features.sum(1), summed(features.shape[1]))
        if facts:
            case.compare(f"auth_item_{kind}/length", length, expected=facts["official_length"])
