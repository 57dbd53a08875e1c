"""MotionLCM against recorded numbers: guidance embedding, LCM sampling, one distillation step."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.backbones.motionlcm.model import V2_TIMESTEPS, MotionLCM, Teaching
from motionrft.checkpoints import load_into
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import boundary_scalings, lcm_timesteps, step_table
from motionrft.errors import InputError
from motionrft.training.ema import TargetNetwork
from reference.case import Case
from reference.latent_networks import (
    SCHEDULE,
    check_denoiser,
    compare_gradients,
    compare_schedule,
    network,
    text_condition,
    timed,
    widths,
)
from reference.noise import RecordedNoise
from reference.tolerance import ALPHAS, NOISED, guided, summed

FAMILY = "consistency"


def recognises(case: Case) -> bool:
    config = case.meta.get("config", {})
    return "latent_dim" in config and "time_cond_proj_dim" in config


def check(case: Case, cases: dict[str, Case]) -> None:
    config, distill = case.meta["config"], case.meta["scalars"]["distill"]
    settings = network(config, case.meta["lcm"]) | {
        "guidance_width": config["time_cond_proj_dim"],
        "distillation": {
            "solver_steps": distill["num_ddim_timesteps"],
            "huber": distill["huber_c"],
        },
    }
    model = MotionLCM.build(settings, **widths(config))
    weights = {**sibling(case, cases).inputs("weights/"), **case.inputs("weights/")}
    load_into(model.eval(), weights, case.folder / case.name)
    compare_schedule(case, "lcm", model)
    check_denoiser(case, model)
    for name in [key for key in case.meta["scalars"] if re.fullmatch(r"lcm\d+", key)]:
        check_sampling(case, model, name)
    check_distillation(case, model)


def sibling(case: Case, cases: dict[str, Case]) -> Case:
    """The case whose weights this one shares: named by it, else of the same configuration."""
    named = re.search(r"([\w.-]+)\.safetensors", str(case.meta.get("weights_from", "")))
    if named and named[1] in cases:
        return cases[named[1]]
    config = {k: v for k, v in case.meta["config"].items() if k != "time_cond_proj_dim"}
    for other in cases.values():
        if other.meta.get("config") == config:
            return other
    raise InputError(
        "the file with its other weights is not there",
        where=case.folder,
        field=case.name,
        fix="keep the set together",
    )


def check_sampling(case: Case, model: MotionLCM, name: str) -> None:
    """One run of `steps` steps; the time-steps are MotionLCM-V2's map for a projected latent."""
    record, config = case.meta["scalars"][name], case.meta["config"]
    schedule = {key: case.meta["lcm"][key] for key in (*SCHEDULE, "set_alpha_to_one")}
    settings = {"kind": "lcm", "steps": record["steps"], "schedule": schedule}
    if config["force"]:
        settings["timesteps"] = V2_TIMESTEPS[record["steps"]]
    case.compare(f"io/{name}/timesteps", torch.tensor(lcm_timesteps(settings)))
    scale = record["guidance_scale"]
    case.compare(f"scalars/{name}/w", scale - 1, expected=record["w"])
    fresh = case.input(f"io/{name}/fresh_noise") if record["steps"] > 1 else None
    noise = RecordedNoise(case.input(f"io/{name}/noise"), fresh)
    condition = text_condition(case, model)
    table = step_table(settings, model.prediction)
    within = divided(model, timed(case, model.denoiser, table.t_model), table.t_model)
    walk = list(Sampler(model, table, scale).walk(condition, noise))
    outputs, latents = [step.output for step in walk], [step.next for step in walk]
    case.compare(f"io/{name}/model_out", torch.stack(outputs), **within)
    case.compare(f"io/{name}/latents", torch.stack(latents), **within)
    case.compare(f"io/{name}/final_latent", latents[-1], **within)
    decoded = model.to_features(latents[-1], condition.lengths)
    for found in case.matching(rf"io/{name}/decoded_frame(\d+)"):
        case.compare(found[0], decoded[:, int(found[1])], **within)


def divided(model: MotionLCM, epsilon: dict[str, float], t: Tensor) -> dict[str, float]:
    """Rounding of a clean latent at times `t` from that of epsilon: divided by sqrt(abar)."""
    return epsilon | {"atol": epsilon["atol"] / float(model.forward_process.signal[t].min())}


def check_distillation(case: Case, model: MotionLCM) -> None:
    record = case.meta["scalars"]["distill"]
    condition, teaching = text_condition(case, model), teaching_of(case, model)
    z, noise, j, w = (case.input(f"io/distill/{key}") for key in ("latents", "noise", "index", "w"))
    grid, before = model.solver_times(torch.arange(record["num_ddim_timesteps"]))
    case.compare("io/distill/ddim_timesteps", grid)
    case.compare(
        "io/distill/ddim_alpha_cumprods_prev", model.forward_process.signal[before] ** 2, **ALPHAS
    )
    case.compare("scalars/distill/skip", grid[1] - grid[0], expected=record["skip"])
    start, end = model.solver_times(j)
    case.compare("io/distill/start_timesteps", start)
    case.compare("io/distill/timesteps", end)
    for suffix, t in (("_start", start), ("", end)):
        for name, value in zip(("c_skip", "c_out"), boundary_scalings(t.float()), strict=True):
            case.compare(f"io/distill/{name}{suffix}", value, rtol=summed(5))
    x, text = model.forward_process(z, start, noise), condition.text.pooled
    case.compare("io/distill/noisy", x, **NOISED)
    student = model.consistency(model.denoiser, x, start, text, w)
    once = timed(case, model.denoiser, start)
    case.compare("io/distill/model_pred", student, **divided(model, once, start))
    following = model.solver_step(teaching.teacher, x, start, end, w, condition)
    # a DDIM step to a neighbouring time takes epsilon, here a guided one, by a factor under one
    after = once | {"atol": once["atol"] * guided(float(w.max()) + 1)}
    case.compare("io/distill/x_prev", following, **after)
    target = model.consistency(teaching.target, following, end, text, w)
    both = once | {"atol": once["atol"] + after["atol"]}
    case.compare("io/distill/target", target, **divided(model, both, end))
    with torch.enable_grad():
        loss = model.distillation_loss(z, noise, j, w, condition, teaching)["loss"]
        # the pseudo-Huber loss hands back the residuals' signs: what moved the residuals themselves does not count
        compare_gradients(case, "distill_grad_norms", model.denoiser, loss, moved=once["atol"])
    # twice the rounding of student and target (`once`: 9e-5 of an epsilon, guided or not), averaged over a hundred entries
    case.compare("scalars/distill/huber_loss", loss, expected=record["huber_loss"], rtol=1e-4)
    squared = F.mse_loss(student, target)
    case.compare("scalars/distill/l2_loss", squared, expected=record["l2_loss"], rtol=1e-4)


def teaching_of(case: Case, model: MotionLCM) -> Teaching:
    """The teacher has the student's weights without the guidance embedding; the target's are moved by the factor
    in the record's name for them."""
    teacher = model.new_teacher()
    target = TargetNetwork(model.denoiser, model.distillation.ema)
    teacher.load_state_dict(model.denoiser.state_dict(), strict=False)
    parameters = dict(target.module.named_parameters())
    for key, names in case.meta["scalars"]["distill"].items():
        if found := re.fullmatch(r"target_scaled_by_(\d+)_(\d+)", key):
            for name in names:
                parameters[name].mul_(float(f"{found[1]}.{found[2]}"))
    return Teaching(teacher.eval(), target)
