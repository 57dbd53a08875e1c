"""MDM and MotionDiffuse against recorded numbers: forward passes, schedules, sampling, losses, gradients.

Records are [B, C, 1, T] for MDM and [B, T, C] for MotionDiffuse; the suite's own layout is [B, T, C].
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.mdm.model import MDM
from motionrft.backbones.mdm.official import TABLES
from motionrft.backbones.motiondiffuse.blocks import DecoderBlock
from motionrft.backbones.motiondiffuse.model import EncodedText, MotionDiffuse
from motionrft.checkpoints import load_into
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.diffusion.table import StepTable
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.masks import frame_mask
from motionrft.networks.positions import timestep_sinusoid
from motionrft.text.features import TextBatch
from reference.case import Case
from reference.noise import RecordedNoise
from reference.tolerance import LOSS, NOISED, both_ways, guided, phase_tolerance, rounding

FAMILY = "motion_space"
# float64: a product of a thousand factors of 2^-53 each
COEFFICIENT = {"atol": 1e-15, "rtol": 1e-12}
# an untrained epsilon network amplifies, a trajectory to hundreds: relative to the record's largest number,
# `rounding` of the set's largest network (4,455 products a row: 2.0e-5)
AMPLIFIED = 2e-5


def recognises(case: Case) -> bool:
    config = case.meta.get("cfg", {})
    return "text_latent_dim" in config or ("arch" in config and "njoints" in config)


def check(case: Case, cases: dict[str, Case]) -> None:
    del cases
    if "njoints" in case.meta["cfg"]:
        check_mdm(case)
    else:
        check_motiondiffuse(case)


def schedule_of(case: Case, steps: int | None = None) -> dict[str, Any]:
    """The recorded noise schedule, `cosine` or `linear` with its number of steps behind the name, over `steps`."""
    name, *count = str(case.meta["schedule"]).split()
    total = int(count[0]) if steps is None else steps
    if name == "cosine":
        return {"num_train_timesteps": total, "beta_schedule": "squaredcos_cap_v2"}
    # the official line is drawn for a thousand steps and steepened for fewer
    start, end = (beta * 1000 / total for beta in (1e-4, 0.02))
    return {
        "num_train_timesteps": total,
        "beta_schedule": name,
        "beta_start": start,
        "beta_end": end,
    }


def unit(dim: int) -> Normaliser:
    return Normaliser(torch.zeros(dim), torch.ones(dim))


def load(case: Case, model: Backbone, skip: tuple[str, ...] = ()) -> None:
    """The recorded weights, all of them; the suite's own statistics are the identity."""
    weights = {name: value for name, value in case.inputs("weights/").items() if name not in skip}
    own = {k: v for k, v in model.state_dict().items() if k.startswith("statistics.")}
    load_into(model.eval(), {**weights, **own}, case.folder / case.name)


def compare_coefficients(case: Case, name: str, table: StepTable) -> None:
    """Recorded tables run from t = 0 upwards. `table` is a DDPM table of x_0 prediction, for which
    x_{i+1} = A x_i + B x̂_0 + C n holds the posterior's two coefficients and its variance."""
    levels = table.signal**2
    ours = {
        "betas": 1 - levels[:-1] / levels[1:],
        "alphas_cumprod": levels[:-1],
        "posterior_variance": table.C**2,
        "posterior_mean_coef1": table.B,
        "posterior_mean_coef2": table.A,
    }
    for key, values in ours.items():
        case.compare(f"io/{name}_{key}", values.flip(0), **COEFFICIENT)


# -- MDM -------------------------------------------------------------------------------------------


def mdm_network(case: Case, schedule: dict[str, Any]) -> dict[str, Any]:
    config = case.meta["cfg"]
    token = "none" if not config["emb_trans_dec"] else "time"
    return {
        "schedule": schedule,
        "latent_dim": config["latent_dim"],
        "ff_size": config["ff_size"],
        "layers": config["num_layers"],
        "heads": config["num_heads"],
        "dropout": config["dropout"],
        "arch": config["arch"],
        "text": config["text_encoder_type"],
        "decoder_token": token,
        "emb_policy": config["emb_policy"],
        "mask_frames": config["mask_frames"],
        "pos_embed_max_len": config["pos_embed_max_len"],
        "max_frames": case.tensors["io/x"].shape[3],
    }


def inward(x: Tensor) -> Tensor:
    """[..., C, 1, T] -> [..., T, C]."""
    return x.squeeze(-2).transpose(-1, -2)


def outward(x: Tensor) -> Tensor:
    return x.transpose(-1, -2).unsqueeze(-2)


def mdm_condition(case: Case) -> Condition:
    text = case.input("io/text_embed").transpose(0, 1)  # recorded token first
    B, L = text.shape[:2]
    key = "io/text_mask_true_is_padding"
    valid = ~case.input(key) if key in case.tensors else torch.ones(B, L, dtype=torch.bool)
    batch = TextBatch(text[:, 0], text, valid, valid.sum(1) - 1)
    return Condition(batch, case.input("io/lengths"), torch.zeros(B, dtype=torch.bool))


def positions_apart(table: Tensor) -> Tensor:
    """How far a recorded table of positions [rows, width] may lie from ours."""
    rows, width = table.shape
    apart = phase_tolerance(torch.arange(rows), (width + 1) // 2, width / 2)
    return apart.repeat_interleave(2, dim=1)[:, :width]


def check_mdm(case: Case) -> None:
    full, short = (schedule_of(case, case.meta[key]) for key in ("full_steps", "short_steps"))
    config = case.meta["cfg"]
    text = {"pooled": config["clip_dim"], "tokens": config["clip_dim"]}
    dim = config["njoints"]
    model = MDM.build(mdm_network(case, full), dim=dim, text=text, normaliser=unit(dim))
    load(case, model, skip=TABLES)
    for name in TABLES:
        case.compare(f"weights/{name}", model.pe[:, None], atol=positions_apart(model.pe)[:, None])
    for found in case.matching(r"io/pe_rows(\d+)_(\d+)"):
        rows = slice(int(found[1]), int(found[2]))
        case.compare(found[0], model.pe[rows], atol=positions_apart(model.pe)[rows])
    given = mdm_condition(case)
    x = inward(case.input("io/x"))
    case.compare("io/mask", frame_mask(given.lengths, x.shape[1])[:, None, None])
    check_mdm_forward(case, model, x, given)
    check_mdm_sampling(case, model, given, full, short)
    check_mdm_training(case, model, given)


def check_mdm_forward(case: Case, model: MDM, x: Tensor, given: Condition) -> None:
    times, once = case.input("io/timesteps"), rounding(model)
    case.compare("io/time_emb", model.time(times), **once)
    for found in case.matching(r"io/fwd_t(\d+)"):
        out = model.predict(x, times[int(found[1])].expand(len(x)), given)
        case.compare(found[0], outward(out), **once)
    t = case.input("io/t_mixed")
    case.compare("io/fwd_tmixed", outward(model.predict(x, t, given)), **once)
    everything = given.with_drop(torch.ones_like(given.drop))
    case.compare("io/uncond_tmixed", outward(model.predict(x, t, everything)), **once)

    if model.options.text == "clip":
        text, text_valid = given.text.pooled[:, None], None
    else:
        text, text_valid = given.text.tokens, given.text.mask
    valid = frame_mask(given.lengths, x.shape[1])
    flipped = None if model.options.mask_frames else valid
    out = model.denoise(x, t, text, text_valid, flipped)
    case.compare("io/fwd_tmixed_other_mask_setting", outward(out), **once)
    # a mask of length 1 switches masking off, whatever the setting
    out = model.denoise(x, t, text, text_valid, None)
    case.compare("io/fwd_tmixed_mask_len1", outward(out), **once)

    scale, scales = case.meta["guidance_scale"], case.input("io/cfg_scale_vec").tolist()
    out = outward(model.guided(x, t, given, scale))
    case.compare("io/cfg_tmixed", out, **rounding(model, guided(scale)))
    each = zip(range(len(x)), scales, strict=True)
    rows = [
        model.guided(x[b : b + 1], t[b : b + 1], given.select(slice(b, b + 1)), s) for b, s in each
    ]
    within = rounding(model, max(guided(scale) for scale in scales))
    case.compare("io/cfg_tmixed_scale_vec", outward(torch.cat(rows)), **within)


def check_mdm_sampling(
    case: Case, model: MDM, given: Condition, full: dict[str, Any], short: dict[str, Any]
) -> None:
    scale = case.meta["guidance_scale"]
    noises = inward(case.input("io/step_noises"))
    noise = RecordedNoise(inward(case.input("io/noise")), noises)

    def table(kind: str, respaced: bool) -> StepTable:
        if not respaced:
            settings = {"kind": kind, "steps": case.meta["short_steps"], "schedule": short}
            return step_table(settings, "sample")
        steps = len(case.tensors["io/respaced_timestep_map"])
        settings = {"kind": kind, "steps": steps, "schedule": full}
        return step_table({**settings, "respacing": case.meta["respacing"]}, "sample")

    kept = table("ddpm", True).t_model
    case.compare("io/respaced_timestep_map", kept.flip(0))
    compare_coefficients(case, "short", table("ddpm", False))
    compare_coefficients(case, "respaced", table("ddpm", True))

    # each step's guided rounding, as of independent draws
    within = rounding(model, guided(scale) * len(kept) ** 0.5)
    walk = list(Sampler(model, table("ddpm", False), scale).walk(given, noise))
    trajectory = torch.stack([step.next for step in walk])
    case.compare("io/ddpm_traj", outward(trajectory), **within)
    case.compare("io/ddpm_pred_xstart_first", outward(walk[0].clean), **within)
    finals = {
        "ddpm_nocfg_final": Sampler(model, table("ddpm", False), 1.0),
        "respaced_ddpm_final": Sampler(model, table("ddpm", True), scale),
        "ddim_short_final": Sampler(model, table("ddim", False), scale),
    }
    for key, sampler in finals.items():
        case.compare(f"io/{key}", outward(sampler.sample(given, noise)), **within)
    walk = list(Sampler(model, table("ddim", True), scale).walk(given, noise))
    trajectory = torch.stack([step.next for step in walk])
    case.compare("io/respaced_ddim_traj", outward(trajectory), **within)


def check_mdm_training(case: Case, model: MDM, given: Condition) -> None:
    x0, eps = inward(case.input("io/train_x0")), inward(case.input("io/train_noise"))
    t = case.input("io/train_t")
    x = model.forward_process(x0, t, eps)
    case.compare("io/train_xt", outward(x), **NOISED)
    with torch.enable_grad():
        losses = model.masked_error(model.predict(x, t, given), x0, given.lengths)
        frames_bias = model.get_parameter("input_process.poseEmbedding.bias")
        parameters = (frames_bias, model.embed_text.bias)
        gradients = torch.autograd.grad(losses.mean(), parameters)
    case.compare("io/train_loss_per_sample", losses, **LOSS)
    case.compare_scaled("io/grad_poseEmbedding_bias", gradients[0], both_ways(model))
    case.compare_scaled("io/grad_embed_text_bias", gradients[1], both_ways(model))


# -- MotionDiffuse ---------------------------------------------------------------------------------


def motiondiffuse(case: Case) -> MotionDiffuse:
    config = case.meta["cfg"]
    network = {
        "schedule": schedule_of(case),
        "latent_dim": config["latent_dim"],
        "ff_size": config["ff_size"],
        "layers": config["num_layers"],
        "heads": config["num_heads"],
        "dropout": config["dropout"],
        "text_latent_dim": config["text_latent_dim"],
        "text_ff_size": config["text_ff_size"],
        "text_layers": config["num_text_layers"],
        "text_heads": config["text_num_heads"],
        "attention": "full_official" if config["no_eff"] else "efficient",
        "max_frames": config["num_frames"],
    }
    tokens, dim = case.tensors["io/clip_token_features"].shape[-1], config["input_feats"]
    text = {"pooled": tokens, "tokens": tokens}
    return MotionDiffuse.build(network, dim=dim, text=text, normaliser=unit(dim))


def check_motiondiffuse(case: Case) -> None:
    model = motiondiffuse(case)
    load(case, model)
    ids, tokens = case.input("io/token_ids"), case.input("io/clip_token_features")
    text = TextBatch(tokens[:, 0], tokens, torch.ones_like(ids, dtype=torch.bool), ids.argmax(1))
    lengths = case.input("io/lengths")
    given = Condition(text, lengths, torch.zeros(len(ids), dtype=torch.bool))
    encoded = model.encode_text(text)
    once = rounding(model)
    case.compare("io/xf_proj", encoded.summary, **once)
    case.compare("io/xf_out", encoded.tokens, **once)
    times, width = case.input("io/timesteps"), model.options.latent_dim
    apart = phase_tolerance(times, width // 2, width // 2).repeat(1, 2)
    case.compare("io/timestep_embedding", timestep_sinusoid(times, width), atol=apart)
    check_motiondiffuse_forward(case, model, given, encoded)
    check_motiondiffuse_sampling(case, model, given)
    check_motiondiffuse_training(case, model, given)


def check_motiondiffuse_forward(
    case: Case, model: MotionDiffuse, given: Condition, encoded: EncodedText
) -> None:
    x, t = case.input("io/x"), case.input("io/t_mixed")
    valid = frame_mask(given.lengths, x.shape[1])
    case.compare("io/src_mask", valid.float())
    times = case.input("io/timesteps")
    for found in case.matching(r"io/fwd_t(\d+)"):
        out = model.predict(x, times[int(found[1])].expand(len(x)), given)
        case.compare_scaled(found[0], out, AMPLIFIED)
    case.compare_scaled("io/fwd_tmixed", model.predict(x, t, given), AMPLIFIED)
    full = Condition(given.text, torch.full_like(given.lengths, x.shape[1]), given.drop)
    case.compare_scaled("io/fwd_tmixed_full_length", model.predict(x, t, full), AMPLIFIED)
    (padding,) = case.stated("tensors.fwd_tmixed_pad_changed", r"set to (-?\d+(?:\.\d+)?)", 5.0)
    changed = torch.where(valid[..., None], x, padding)
    case.compare_scaled("io/fwd_tmixed_pad_changed", model.predict(changed, t, given), AMPLIFIED)

    emb, once = model.embedding(t, encoded), rounding(model)
    case.compare("io/emb_tmixed", emb, **once)
    style = torch.nn.functional.silu(emb)[:, None]
    h = model.joint_embed(x) + model.sequence_embedding[: x.shape[1]]
    for index, module in enumerate(model.temporal_decoder_blocks):
        block = cast(DecoderBlock, module)
        after_self = block.sa_block(h, style, valid=valid)
        after_text = block.ca_block(after_self, style, encoded.tokens, encoded.valid)
        h = block.ffn(after_text, style)
        for part, value in (("sa", after_self), ("ca", after_text), ("ffn", h)):
            if f"io/block{index}_{part}" in case.tensors:
                case.compare(f"io/block{index}_{part}", value, **once)


def check_motiondiffuse_sampling(case: Case, model: MotionDiffuse, given: Condition) -> None:
    start, noises = case.input("io/noise"), case.input("io/step_noises")
    total, schedule = len(model.forward_process), schedule_of(case)
    process = step_table({"kind": "ddpm", "steps": total, "schedule": schedule}, "epsilon")
    sampler = Sampler(model, process, 1.0)
    for found in case.matching(r"io/ddpm_(head|tail)_(\d+)steps"):
        count = int(found[2])
        first = 0 if found[1] == "head" else total - count
        # the recorded noises belong to the steps that are walked, the first one to the first step
        fresh = torch.zeros(total, *noises.shape[1:])
        fresh[first : first + count] = noises[:count]
        walk = sampler.walk(given, RecordedNoise(start, fresh), start=first, stop=first + count)
        case.compare_scaled(found[0], list(walk)[-1].next, AMPLIFIED)

    steps = len(case.tensors["io/respaced_timestep_map"])
    settings = {"steps": steps, "schedule": schedule, "respacing": case.meta["respacing"]}
    coefficients = step_table({"kind": "ddpm", **settings}, "sample")
    case.compare("io/respaced_timestep_map", coefficients.t_model.flip(0))
    compare_coefficients(case, "respaced", coefficients)
    for kind in ("ddpm", "ddim"):
        table = step_table({"kind": kind, **settings}, "epsilon")
        walk = Sampler(model, table, 1.0).walk(given, RecordedNoise(start, noises))
        trajectory = torch.stack([step.next for step in walk])
        case.compare_scaled(f"io/respaced_{kind}_traj", trajectory, AMPLIFIED)


def check_motiondiffuse_training(case: Case, model: MotionDiffuse, given: Condition) -> None:
    x0, eps, t = (case.input(f"io/train_{key}") for key in ("x0", "noise", "t"))
    with torch.enable_grad():
        predicted = model.predict(model.forward_process(x0, t, eps), t, given)
        loss = model.masked_error(predicted, eps, given.lengths)
        parameters = (model.joint_embed.bias, model.sequence_embedding)
        gradients = torch.autograd.grad(loss, parameters)
    case.compare("io/train_pred", predicted, **rounding(model))
    case.compare("io/train_loss", loss[None], **LOSS)
    case.compare_scaled("io/grad_joint_embed_bias", gradients[0], both_ways(model))
    case.compare_scaled("io/grad_sequence_embedding", gradients[1], both_ways(model))
