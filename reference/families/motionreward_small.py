"""MotionReward, deterministic set: embeddings, decodes, losses, LoRA branches and rewards from means."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.networks.masks import frame_mask
from motionrft.reward.branch import TaskBranch
from motionrft.reward.latent import Latent
from motionrft.reward.losses import preference_loss
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.network import OFFICIAL_NAMES, RewardNetwork
from motionrft.reward.released import Reconstruction
from motionrft.reward.semantic_objective import Embedding, SemanticLoss, Target, alignment_terms
from motionrft.reward.term import RewardContext
from reference.case import Case
from reference.reward_networks import build, build_branch, tolerance
from reference.tolerance import both_ways

FAMILY = "motionreward"


def recognises(case: Case) -> bool:
    return "weights/global_motion_token" in case.tensors and "io/text_mu" in case.tensors


def check(case: Case, cases: dict[str, Case]) -> None:
    network = build(case, "weights/")
    branches = {
        task: build_branch(case, network, task, official)
        for task, official in (("preference", "critic"), ("authenticity", "ai_detection"))
    }
    lengths, t = torch.tensor(case.meta["lengths"]), torch.tensor(case.meta["timestep"])
    tokens = case.input("io/text_tokens")
    mask = frame_mask(torch.tensor(case.meta["text_lengths"]), tokens.shape[1])
    text = network.encode_text(tokens, mask)
    case.compare("io/text_mu", text.mean, **tolerance(case))
    case.compare("io/text_std", text.std, **tolerance(case))
    case.compare("io/text_mu_t", network.encode_text(tokens, mask, t).mean, **tolerance(case))
    timed: dict[str, Latent] = {}
    for name, official in OFFICIAL_NAMES.items():
        motion = case.input(f"io/motion_{official}").flatten(2)
        latent = network.encode_motion(motion, lengths, name)
        timed[name] = network.encode_motion(motion, lengths, name, t)
        case.compare(f"io/motion_mu_{official}", latent.mean, **tolerance(case))
        case.compare(f"io/motion_std_{official}", latent.std, **tolerance(case))
        case.compare(f"io/motion_mu_t_{official}", timed[name].mean, **tolerance(case))
        decoded = network.decode(timed[name].mean, lengths, motion.shape[1], name)
        shape = case.tensors[f"io/decode_{official}"].shape
        case.compare(f"io/decode_{official}", decoded.reshape(shape), **tolerance(case))
        for reading in ("mean", "sampled"):
            target = Target(motion, lengths, name)
            losses = _losses(case, network, text, timed[name], target, reading)
            case.compare(f"io/loss_{reading}_{official}", losses, **tolerance(case))
        _branches(case, network, branches, motion, lengths, t, name)
    _cross(case, timed)
    _reward(case, network, branches, text, lengths, t)


def _losses(
    case: Case, network: RewardNetwork, text: Latent, motion: Latent, target: Target, reading: str
) -> Tensor:
    official = OFFICIAL_NAMES[target.representation]
    z_text, z_motion = text.mean, motion.mean
    if reading == "sampled":
        z_text = text.sample(case.input(f"io/eps_text_{official}"))
        z_motion = motion.sample(case.input(f"io/eps_motion_{official}"))
    config = case.meta["config"]
    loss = SemanticLoss(
        network, temperature=config["temp"], threshold=config["thr"], rules=Reconstruction()
    )
    terms = loss.terms(
        target, Embedding(text, z_text), Embedding(motion, z_motion), case.input("io/text_sentence")
    )
    return torch.stack(list(terms.values()))


def _cross(case: Case, latents: dict[str, Latent]) -> None:
    temperature = case.meta["config"]["temp"]
    pairs = []
    for other in ("joint", "rotation"):
        a, b = (Embedding(latent, latent.mean) for latent in (latents["kinematic"], latents[other]))
        *parts, total = alignment_terms(a, b, temperature).values()
        pairs.append((total, torch.stack(parts)))
    (two, first), (third, second) = pairs
    case.compare("io/cross_two", torch.cat([two[None], first]), **tolerance(case))
    case.compare("io/cross_three", torch.cat([(two + third)[None], second]), **tolerance(case))


def _branches(
    case: Case,
    network: RewardNetwork,
    branches: dict[str, TaskBranch],
    motion: Tensor,
    lengths: Tensor,
    t: Tensor,
    name: str,
) -> None:
    official = OFFICIAL_NAMES[name]
    preference, authenticity = branches["preference"], branches["authenticity"]
    better, worse = (
        preference.head(network.encode_motion(x, None, name, None, preference.adapter).mean)[:, 0]
        for x in (motion, motion.roll(1, 0))
    )
    case.compare(f"io/critic_scores_{official}", torch.stack([better, worse], 1), **tolerance(case))
    loss = torch.stack([preference_loss(better, worse), (better > worse).float().mean()])
    case.compare(f"io/critic_loss_{official}", loss, **tolerance(case))
    latent = network.encode_motion(motion, lengths, name, t, preference.adapter)
    case.compare(
        f"io/reward_preference_{official}", preference.head(latent.mean)[:, 0], **tolerance(case)
    )
    for key, step in (("authenticity_logits", None), ("reward_authenticity", t)):
        latent = network.encode_motion(motion, lengths, name, step, authenticity.adapter)
        logits = authenticity.head(latent.mean)
        value = logits if step is None else logits.softmax(-1)[:, 0]
        case.compare(f"io/{key}_{official}", value, **tolerance(case))


def _reward(
    case: Case,
    network: RewardNetwork,
    branches: dict[str, TaskBranch],
    text: Latent,
    lengths: Tensor,
    t: Tensor,
) -> None:
    reward = MotionReward(network, branches, {"semantic": 1.0, "m2m": 1.0}, clean_token=False)
    for name, official in OFFICIAL_NAMES.items():
        motion = case.input(f"io/motion_{official}").flatten(2)
        reference = network.encode_motion(motion, lengths, name).mean
        context = RewardContext(text.mean, reference, name)
        if f"io/reward_m2m_{official}" in case.tensors:
            made = case.input(f"io/motion_gen_{official}").flatten(2)
            scores = reward(made, lengths, context, t)["m2m"]
            case.compare(f"io/reward_m2m_{official}", scores, **tolerance(case))
        with torch.enable_grad():
            motion = motion.clone().requires_grad_(True)
            scores = reward(motion, lengths, context, t)["semantic"]
            (gradient,) = torch.autograd.grad(scores.mean(), motion)
        if f"io/reward_retrieval_{official}" in case.tensors:
            case.compare(f"io/reward_retrieval_{official}", scores, **tolerance(case))
        if (key := f"io/reward_grad_{official}") in case.tensors:
            case.compare_scaled(key, gradient.reshape(case.tensors[key].shape), both_ways(network))
