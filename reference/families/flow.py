"""ACMDM against recorded numbers: auto-encoder, velocity network, guidance, samplers, loss, gradient."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from motionrft.backbones.acmdm.autoencoder import FRAMES, CausalAutoencoder
from motionrft.backbones.acmdm.model import ACMDM
from motionrft.backbones.acmdm.transformer import JOINTS, ACMDMTransformer
from motionrft.backbones.base import Condition
from motionrft.diffusion.flow import integrate
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import flow_euler
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextBatch
from reference.case import Case
from reference.euler import euler_path
from reference.noise import RecordedNoise
from reference.tolerance import LOSS, UNIT, both_ways, guided, rounding

FAMILY = "backbones_flow"


def recognises(case: Case) -> bool:
    return _checker(case) is not None


def check(case: Case, cases: dict[str, Case]) -> None:
    del cases
    checker = _checker(case)
    assert checker is not None
    checker(case)


def _checker(case: Case) -> Callable[[Case], None] | None:
    if "weights/ACMDMTransformer.0.attn.qkv.weight" in case.tensors:
        return check_acmdm
    if "weights/encoder.conv_in.weight" in case.tensors:
        return check_autoencoder
    return None


def check_autoencoder(case: Case) -> None:
    weights, io = case.inputs("weights/"), case.inputs
    width, channels = weights["encoder.conv_in.weight"].shape[:2]
    network = CausalAutoencoder(width, len(weights["encoder.conv_out.bias"]), channels)
    network.load_state_dict(weights)
    network.eval()
    close = rounding(network)
    x, odd, z = case.input("io/x"), case.input("io/x_odd"), case.input("io/z")
    latent = network.encode(x)
    case.compare("io/latent", latent, **close)
    for name in ("recon", "decode_latent"):
        case.compare(f"io/{name}", network.decode(latent), **close)
    case.compare("io/latent_odd", network.encode(odd), **close)
    case.compare("io/recon_odd", network.decode(network.encode(odd)), **close)
    case.compare("io/decode_z", network.decode(z), **close)
    if "io/latent_future_changed" in case.tensors:
        check_causality(case, network, x)
    mean, std = io("io/after_")["mean"], io("io/after_")["std"]
    joints = network.decode(z * std[:, None, None] + mean[:, None, None])
    case.compare(
        "io/joints_from_z", joints * io("io/joint_")["std"] + io("io/joint_")["mean"], **close
    )


def check_causality(case: Case, network: CausalAutoencoder, x: Tensor) -> None:
    """Latents of a motion whose frames from one index on were all set to one number.

    The first latent that differs shows where; which of its frames, and the number, are fitted to the record.
    """
    latent, recorded, close = (
        network.encode(x),
        case.input("io/latent_future_changed"),
        rounding(network),
    )
    before = case.input("io/latent")
    apart = (recorded - before).abs() > close["atol"] + close["rtol"] * before.abs()
    differs = apart.any(dim=(0, 1, 3))
    kept = int(differs.long().argmax()) if differs.any() else len(differs)
    changed = fitted_change(network, x, recorded, kept) if kept < len(differs) else x
    later = network.encode(changed)
    case.compare("io/latent_future_changed", later, **close)
    case.compare("latents before the change", later[:, :, :kept], expected=latent[:, :, :kept])


def fitted_change(network: CausalAutoencoder, x: Tensor, recorded: Tensor, latent: int) -> Tensor:
    """x [B, T, J, 3] with the change, within the frames of `latent`, whose latents are nearest to the recorded."""
    exact = copy.deepcopy(network).double()

    def change(first: int, number: float) -> Tensor:
        changed = x.double()
        changed[:, first:] = number
        return changed

    fits = {}
    for first in range(FRAMES * latent, FRAMES * (latent + 1)):

        def error(number: np.ndarray, first: int = first) -> np.ndarray:
            return (exact.encode(change(first, *number)) - recorded).flatten().numpy()

        fits[first] = least_squares(error, 0.0)
    first = min(fits, key=lambda frame: fits[frame].cost)
    return change(first, *fits[first].x).float()


def acmdm_of(case: Case) -> ACMDM:
    """The recorded network inside a backbone without auto-encoder: recorded lengths count positions of x, latent
    or raw. Joint statistics are the identity."""
    cfg, weights = case.meta["cfg"], case.inputs("weights/")
    patch = weights["x_embedder.weight"].shape[-1]
    channels = weights["x_embedder.weight"].shape[1]
    denoiser = ACMDMTransformer(
        channels,
        cfg["latent_dim"],
        cfg["ff_size"],
        cfg["num_layers"],
        cfg["clip_dim"],
        cfg["max_length"],
        patch,
    )
    denoiser.load_state_dict(weights)
    identity = Normaliser(torch.zeros(3 * JOINTS), torch.ones(3 * JOINTS))
    return ACMDM(denoiser, None, identity, drop=0.1).eval()


def inward(x: Tensor) -> Tensor:
    """Official [..., C, T, J] -> the backbone's [..., T, J C]."""
    return x.movedim(-3, -1).flatten(-2)


def outward(x: Tensor) -> Tensor:
    joints: Tensor = x.unflatten(-1, (JOINTS, -1)).movedim(-1, -3)
    return joints


def condition_of(cond: Tensor, lengths: Tensor) -> Condition:
    nothing = torch.zeros(len(cond), 1, 1)
    text = TextBatch(cond, nothing, nothing[..., 0] == 0, torch.zeros(len(cond), dtype=torch.long))
    return Condition(text, lengths, torch.zeros(len(cond), dtype=torch.bool))


def check_acmdm(case: Case) -> None:
    backbone = acmdm_of(case)
    x, widths = inward(case.input("io/x")), case.input("io/m_lens")
    condition = condition_of(case.input("io/cond"), widths)
    times, mixed = case.input("io/timesteps"), case.input("io/t_mixed")
    patches = JOINTS // backbone.denoiser.patch
    frames = torch.arange(x.shape[1])
    keep = (frames[None] < widths[:, None]).repeat_interleave(patches, 1)
    case.compare("io/attention_mask", keep[:, None, None])
    tokens = x.shape[1] * patches
    # the recorder's float32 power is a unit in the last place off, at positions up to `tokens` radians
    turned, once = 2 * tokens * UNIT + 2 * UNIT, rounding(backbone)
    case.compare("io/rope_cos", backbone.denoiser.cos[:tokens], atol=turned)
    case.compare("io/rope_sin", backbone.denoiser.sin[:tokens], atol=turned)
    case.compare("io/t_emb", backbone.denoiser.t_embedder(times), **once)

    for found in case.matching(r"io/fwd_t(\d+)"):
        t = times[int(found[1])].expand(len(x))
        case.compare(found[0], outward(backbone.predict(x, t, condition)), **once)
    case.compare("io/fwd_tmixed", outward(backbone.predict(x, mixed, condition)), **once)
    null = condition.with_drop(torch.ones_like(condition.drop))
    case.compare("io/fwd_uncond", outward(backbone.predict(x, mixed, null)), **once)
    whole = condition_of(condition.text.pooled, torch.full_like(widths, x.shape[1]))
    case.compare("io/fwd_nomask", outward(backbone.predict(x, mixed, whole)), **once)
    scale = float(case.meta["cfg_scale"])
    out = outward(backbone.guided(x, mixed, condition, scale))
    case.compare("io/cfg_out", out, **rounding(backbone, guided(scale)))

    check_acmdm_sampling(case, backbone, condition, scale)
    check_acmdm_training(case, backbone, condition, x, mixed)


def check_acmdm_sampling(case: Case, backbone: ACMDM, condition: Condition, scale: float) -> None:
    path = case.input("io/euler_traj")
    steps = len(path) - 1
    sampler = Sampler(backbone, flow_euler(steps), scale)

    start = inward(case.input("io/noise"))
    # `steps` guided velocities of 1 / steps each
    within = rounding(backbone, guided(scale))
    walked = euler_path(case, sampler, condition, start, within)
    case.compare("io/euler_traj", outward(walked), **within)

    asked: list[float] = []

    def logged(t: Tensor, x: Tensor) -> Tensor:
        asked.append(float(t))
        return backbone.guided(x, t.expand(len(x)), condition, scale)

    final = integrate(logged, start)[-1]
    recorded = case.input("io/dopri5_t_evals")
    # step sizes are sensitive to rounding: the count and the first evaluations are reproducible, which are the
    # two that choose the first step's size and its own six
    case.compare("dopri5 evaluations", len(asked), expected=len(recorded))
    case.compare(
        "io/dopri5_t_evals (first 8)", asked[:8], expected=recorded[:8], rtol=1e-3, atol=1e-9
    )
    # each step errs by the solver's tolerance, 1e-3 of the root mean square, and steps of another length are as good
    size, count = float(final.square().mean().sqrt()), len(recorded) / 6
    case.compare("io/dopri5_final", outward(final), atol=1e-3 * size * count**0.5)

    x = sampler.sample(condition, RecordedNoise(inward(case.input("io/generate_noise"))))
    real = torch.arange(x.shape[1])[None] < backbone.widths(condition.lengths)[:, None]
    case.compare("io/generate_euler_out", outward(x * real[..., None]), **within)


def check_acmdm_training(
    case: Case, backbone: ACMDM, condition: Condition, x: Tensor, mixed: Tensor
) -> None:
    data, noise = inward(case.input("io/train_latents")), inward(case.input("io/train_x0"))
    loss = backbone.flow_loss(data, noise, case.input("io/train_t"), condition)
    case.compare("io/train_loss", loss[None], **LOSS)
    with torch.enable_grad():
        asked = x.clone().requires_grad_(True)
        total = backbone.predict(asked, mixed, condition).square().sum()
        gradient = torch.autograd.grad(total, asked)[0]
    case.compare_scaled("io/grad_sum_sq_wrt_x", outward(gradient), both_ways(backbone))
