"""MLD and MLD++ against recorded numbers: VAE, denoiser, DDIM with guidance, losses and gradients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.backbones.base import Condition
from motionrft.backbones.mld.denoiser import LatentDenoiser
from motionrft.backbones.mld.losses import VAELoss
from motionrft.backbones.mld.model import MLD
from motionrft.backbones.mld.vae import sample_latent
from motionrft.checkpoints import load_into
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.diffusion.table import StepTable
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.masks import frame_mask
from motionrft.networks.positions import guidance_sinusoid, timestep_sinusoid
from motionrft.text.features import TextBatch
from reference.case import Case, guided, phase_tolerance, rounding

FAMILY = "latent"
# a mean of squares has twice the relative rounding of its terms (`rounding`: 1e-5), less by averaging hundreds
LOSS = {"rtol": 1e-5}
# the gradient of a parameter deep in the network has both ways behind it, and its terms cancel tenfold and more
NORM = {"atol": 1e-6, "rtol": 1e-3}
# 1000 float32 factors: 6 sqrt(2 / 3 * 1000) 2^-24 = 9.2e-6
ALPHAS = {"rtol": 1e-5}
# two coefficients, roots of alphas: half their relative rounding
NOISED = {"atol": 5e-6, "rtol": 5e-6}
SCHEDULE = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")


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


def network(config: dict[str, Any], schedule: dict[str, Any]) -> dict[str, Any]:
    """A backbone's `network` section for a recorded configuration."""
    return {
        "latent": config["latent_dim"],
        "hidden": config["hidden_dim"] or config["latent_dim"][1],
        "feedforward": config["ff"],
        "layers": config["layers"],
        "heads": config["heads"],
        "projected": config["force"],
        "time_width": config["time_dim"],
        "text_relu": config["text_act"] == "relu",
        "schedule": {key: schedule[key] for key in SCHEDULE},
    }


def widths(config: dict[str, Any]) -> dict[str, Any]:
    dim = config["nfeats"]
    unit = Normaliser(torch.zeros(dim), torch.ones(dim))
    return {"dim": dim, "text": {"pooled": config["text_dim"]}, "normaliser": unit}


def text_condition(case: Case, model: MLD) -> Condition:
    def batch(pooled: Tensor) -> TextBatch:
        rows = len(pooled)
        mask = torch.ones(rows, 1, dtype=torch.bool)
        return TextBatch(pooled[:, 0], pooled, mask, torch.zeros(rows, dtype=torch.long))

    text, empty = batch(case.input("io/den/text")), batch(case.input("io/den/text_uncond"))
    lengths = case.input("io/mask" if "io/mask" in case.tensors else "io/vae/mask").sum(1)
    return Condition.of(text, empty, lengths)


def check_vae(case: Case, model: MLD) -> None:
    vae, lengths = model.vae, case.input("io/vae/lengths")
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


@dataclass
class RecordedNoise:
    """Start and step noise as recorded, for the sampler."""

    start: Tensor
    fresh: Tensor | None = None

    def __call__(self, i: int) -> Tensor:
        if self.fresh is None:
            raise ValueError("this sampler draws no noise on the way")
        return self.fresh[i]


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
    doubled = condition.doubled()
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


def compare_schedule(case: Case, section: str, model: MLD) -> None:
    """Cumulative alphas, where the record lists some."""
    alphas = model.forward_process.signal.double() ** 2
    recorded = case.meta[section]
    for key, expected in recorded.items():
        if found := re.fullmatch(r"alphas_cumprod_(first|last)(\d+)", key):
            values = alphas[: int(found[2])] if found[1] == "first" else alphas[-int(found[2]) :]
            case.compare(f"{section}/{key}", values, expected=expected, **ALPHAS)
    key = "final_alpha_cumprod"
    final = 1.0 if recorded["set_alpha_to_one"] else alphas[0]
    case.compare(f"{section}/{key}", final, expected=recorded[key], rtol=1e-6)


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


def compare_gradients(case: Case, record: str, module: nn.Module, loss: Tensor) -> None:
    """Norm of the gradient of every parameter that is recorded; none may be unknown or unrecorded."""
    recorded = case.meta["scalars"].get(record)
    if recorded is None:
        return
    parameters = dict(module.named_parameters())
    case.compare(f"scalars/{record} (names)", len(set(parameters) ^ set(recorded)), expected=0)
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    ours = {name: float(g.norm()) for name, g in zip(parameters, gradients, strict=True)}
    names = [name for name in recorded if name in ours]
    case.compare(
        f"scalars/{record}", [ours[name] for name in names],
        expected=[recorded[name] for name in names], **NORM,
    )  # fmt: skip


def guidance_apart(w: Tensor, width: int) -> Tensor:
    """How far the recorded guidance embedding [B, width] may lie from ours."""
    apart = phase_tolerance(1000 * w, width // 2, width // 2 - 1)
    return F.pad(torch.cat([apart, apart], 1), (0, width % 2))


def timed(case: Case, denoiser: LatentDenoiser, t: Tensor) -> dict[str, float]:
    """Rounding, and the recorder's features of time-step and guidance (through the weights that read them)."""
    within = rounding(denoiser)
    half = denoiser.time_width // 2
    moved = float(phase_tolerance(t, half, half).max())
    if "io/den/w_embedding" in case.tensors and denoiser.guidance_width is not None:
        ours = guidance_sinusoid(case.input("io/den/w"), denoiser.guidance_width)
        apart = (case.input("io/den/w_embedding") - ours).abs()
        moved += float((apart @ denoiser.time_embedding.cond_proj.weight.abs().T).max())
    return within | {"atol": within["atol"] + moved}


def check_denoiser(case: Case, model: MLD) -> None:
    denoiser, condition = model.denoiser, text_condition(case, model)
    x, text = case.input("io/den/x"), condition.text.pooled
    w = case.input("io/den/w") if "io/den/w" in case.tensors else None
    uncond = case.input("io/den/text_uncond")[:, 0].expand_as(text)
    for found in case.matching(r"io/den/fwd(_uncond)?_t(\d+)(_without_w)?"):
        t = torch.full((len(x),), int(found[2]))
        heard, weight = uncond if found[1] else text, None if found[3] else w
        case.compare(found[0], denoiser(x, t, heard, weight), **timed(case, denoiser, t))
    t = case.input("io/den/t_mixed")
    case.compare("io/den/fwd_tmixed", denoiser(x, t, text, w), **timed(case, denoiser, t))
    if w is not None and "io/den/w_embedding" in case.tensors:
        width = case.meta["config"]["time_cond_proj_dim"]
        case.compare(
            "io/den/w_embedding", guidance_sinusoid(w, width), atol=guidance_apart(w, width)
        )
    for step in sorted({int(found[1]) for found in case.matching(r"io/den/dbg_t(\d+)_.+")}):
        check_intermediates(case, model, x, torch.full((len(x),), step), text, w)


def check_intermediates(
    case: Case, model: MLD, x: Tensor, t: Tensor, text: Tensor, w: Tensor | None
) -> None:
    prefix = f"io/den/dbg_t{int(t[0])}_"
    recorded = [key.removeprefix(prefix) for key in case.tensors if key.startswith(prefix)]
    denoiser, encoder = model.denoiser, model.denoiser.encoder
    modules: dict[str, nn.Module] = {"mid": encoder.middle_block, "tokens_out": encoder}
    for short, blocks in (
        ("in", encoder.input_blocks),
        ("lin", encoder.linear_blocks),
        ("out", encoder.output_blocks),
    ):
        modules |= {f"{short}{i}": block for i, block in enumerate(blocks)}
    modules |= {"time_emb": denoiser.time_embedding, "text_proj": denoiser.emb_proj}
    with outputs_of(modules) as seen:
        tokens = denoiser.embed(x, t, text, w)
        encoder(tokens)
    seen |= {"tokens_after_pe": tokens, "time_proj": timestep_sinusoid(t, denoiser.time_width)}
    seen["text_proj"] = seen["text_proj"][:, None]
    for key in recorded:
        value = seen[key]
        within = rounding(denoiser) if key == "text_proj" else timed(case, denoiser, t)
        case.compare(prefix + key, value.transpose(0, 1) if value.dim() == 3 else value, **within)


@contextmanager
def outputs_of(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """What each module returns inside the block, under its given name."""
    seen: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out))
        for name, module in modules.items()
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
