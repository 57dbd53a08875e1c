"""MLD and MLD++ against recorded numbers: VAE, denoiser, DDIM with guidance, losses and gradients."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.backbones.mld.losses import VAELoss
from motionrft.backbones.mld.model import MLD
from motionrft.backbones.mld.vae import MotionVAE, sample_latent
from motionrft.checkpoints import load_into
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.diffusion.table import StepTable
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.masks import frame_mask
from reference.case import Case
from reference.latent_networks import (
    SCHEDULE,
    check_denoiser,
    compare_gradients,
    compare_schedule,
    network,
    outputs_of,
    text_condition,
    widths,
)
from reference.noise import RecordedNoise
from reference.tolerance import LOSS, NOISED, guided, rounding

FAMILY = "latent"


def recognises(case: Case) -> bool:
    config = case.meta.get("config", {})
    return "ddim" in case.meta and "latent_dim" in config and "time_cond_proj_dim" not in config


def check(case: Case, cases: dict[str, Case]) -> None:
    model = MLD.build(
        network(case.meta["config"], case.meta["ddim"]), **widths(case.meta["config"])
    )
    load_into(model.eval(), case.inputs("weights/"), case.folder / case.name)
    check_vae(case, model)
    check_denoiser(case, model)
    check_sampling(case, model)
    check_losses(case, model)


def check_vae(case: Case, model: MLD) -> None:
    vae, lengths = model.vae, case.input("io/vae/lengths")
    assert isinstance(vae, MotionVAE)
    features = case.input("io/vae/features")
    frames, close = features.shape[1], rounding(vae)

    def sequence_first(key: str, value: Tensor) -> None:
        case.compare(f"io/vae/{key}", value.transpose(0, 1), **close)

    case.compare("io/vae/mask", frame_mask(lengths, frames))
    tokens, valid = vae.embed(features, lengths)
    sequence_first("enc_input_tokens_after_pe", tokens)
    sequence_first("enc_output_all_tokens", vae.encoder(tokens, valid))
    mean, log_variance = vae.encode(features, lengths)
    sequence_first("enc_mu", mean)
    sequence_first("enc_logvar", log_variance)
    sequence_first("enc_std", log_variance.exp().sqrt())
    z = sample_latent(mean, log_variance, case.input("io/vae/enc_eps").transpose(0, 1))
    case.compare("io/vae/enc_z", z, **close)
    with outputs_of({"hidden": vae.decoder}) as seen:
        decoded = vae.decode(z, lengths, frames)
    case.compare("io/vae/dec_feats", decoded, **close)
    sequence_first("dec_hidden", seen["hidden"])
    sequence_first("dec_memory", vae.latent_post(z) if vae.projected else z)
    sequence_first(
        "dec_queries_after_pe", vae.query_pos_decoder.first(frames).expand(len(z), -1, -1)
    )
    case.compare("io/vae/dec_feats_from_mu", vae.decode(mean, lengths, frames), **close)

    junk = torch.where(frame_mask(lengths, frames)[..., None], features, 1e3)
    alone = [vae.decode(z[b : b + 1], lengths[b : b + 1], frames) for b in range(len(z))]
    longer = vae.decode(z, lengths, frames + 8)
    ours = {
        "decode_extra_padding_maxdiff": (longer[:, :frames] - decoded).abs().max(),
        "decode_one_by_one_maxdiff": (torch.cat(alone) - decoded).abs().max(),
        "encode_ignores_padding_content_maxdiff": (vae.encode(junk, lengths)[0] - mean).abs().max(),
        "decode_padding_is_zero": (decoded * ~frame_mask(lengths, frames)[..., None]).abs().max(),
    }
    # how far two results lie apart, each of which may lie a forward pass's tolerance from the recorded one
    largest = max(float(value.abs().max()) for value in (decoded, mean))
    apart = 2 * (close["atol"] + close["rtol"] * largest)
    for key, expected in case.meta["checks"].items():
        if key in ours:
            case.compare(f"checks/{key}", ours[key], expected=expected, atol=apart)
        else:
            case.unchecked(f"checks/{key}")


def sampled(model: MLD, scale: float) -> dict[str, float]:
    """Rounding of a clean latent: guidance and the division by sqrt(abar) of the first step enlarge epsilon's."""
    gain = guided(scale) / float(model.forward_process.signal[-1])
    return rounding(model.denoiser) | {"atol": rounding(model.denoiser, gain)["atol"]}


def check_sampling(case: Case, model: MLD) -> None:
    settings, condition = case.meta["ddim"], text_condition(case, model)
    schedule = {key: settings[key] for key in (*SCHEDULE, "set_alpha_to_one", "steps_offset")}
    compare_schedule(case, "ddim", model)

    def table(steps: int) -> StepTable:
        sampler = {"kind": "ddim", "steps": steps, "schedule": schedule}
        return step_table(sampler, settings["prediction_type"])

    for key, grid in settings.items():
        if found := re.fullmatch(r"timesteps_(\d+)", key):
            case.compare(f"ddim/{key}", table(int(found[1])).t_model, expected=grid)
    steps, noise = table(settings["steps"]), RecordedNoise(case.input("io/ddim/noise"))
    case.compare("io/ddim/timesteps", steps.t_model)
    within = sampled(model, settings["guidance_scale"])
    walk = list(Sampler(model, steps, settings["guidance_scale"]).walk(condition, noise))
    doubled = condition.doubled
    raw = [
        model.predict(torch.cat([step.x] * 2), t.expand(len(doubled)), doubled)
        for step, t in zip(walk, steps.t_model, strict=True)
    ]
    case.compare("io/ddim/model_out", torch.stack(raw), **within)
    case.compare("io/ddim/latents", torch.stack([step.next for step in walk]), **within)
    case.compare("io/ddim/x0_hat", torch.stack([step.clean for step in walk]), **within)
    case.compare("io/ddim/final_latent", walk[-1].next, **within)
    frames = case.tensors["io/ddim/decoded"].shape[1]
    decoded = model.vae.decode(walk[-1].next, condition.lengths, frames)
    case.compare("io/ddim/decoded", decoded, **within)
    plain = Sampler(model, steps, 1.0).sample(condition, noise)
    case.compare("io/ddim/final_latent_scale1_no_cfg", plain, **within)


def check_losses(case: Case, model: MLD) -> None:
    model.normaliser = Normaliser(case.input("io/loss/feat_mean"), case.input("io/loss/feat_std"))
    scalars, lengths = case.meta["scalars"], case.input("io/vae/lengths")
    features, noise = case.input("io/vae/features"), case.input("io/vae/enc_eps").transpose(0, 1)
    names = {"features": "rec_feats_loss", "joints": "rec_joints_loss", "loss": "loss"}
    names |= {"velocity": "rec_velocity_loss", "kl": "kl_loss"}
    for record in [key for key in scalars if re.fullmatch(r"vae_loss_(un)?masked", key)]:
        loss = VAELoss(velocity=0.5, masked=record == "vae_loss_masked")
        with torch.enable_grad():
            mean, log_variance = model.vae.encode(features, lengths)
            z = sample_latent(mean, log_variance, noise)
            reconstruction = model.vae.decode(z, lengths, features.shape[1])
            terms = loss(reconstruction, features, lengths, mean, log_variance, model.to_joints)
            compare_gradients(case, f"{record}_grad_norms", model.vae, terms["loss"])
        for ours, theirs in names.items():
            # a mean of (exp(v) - 1 - v) near zero cancels in float32
            tolerance = {"atol": 1e-8, "rtol": 1e-4} if ours == "kl" else LOSS
            label = f"scalars/{record}/{theirs}"
            case.compare(label, terms[ours], expected=scalars[record][theirs], **tolerance)

    condition, t = text_condition(case, model), case.input("io/train/t")
    z, noise = case.input("io/vae/enc_z"), case.input("io/train/noise")
    noisy = model.forward_process(z, t, noise)
    case.compare("io/train/noisy", noisy, **NOISED)
    with torch.enable_grad():
        value = F.mse_loss(model.predict(noisy, t, condition), noise)
        compare_gradients(case, "train_eps_loss_grad_norms", model.denoiser, value)
    case.compare("scalars/train_eps_loss", value, expected=scalars["train_eps_loss"], **LOSS)
