"""What the records of MLD, MLD++ and MotionLCM share: sizes, conditions, the denoiser, schedules, gradients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.backbones.base import Condition
from motionrft.backbones.mld.denoiser import LatentDenoiser
from motionrft.backbones.mld.model import MLD
from motionrft.motion.normaliser import Normaliser
from motionrft.networks.positions import guidance_sinusoid, timestep_sinusoid
from motionrft.text.features import TextBatch
from reference.case import Case
from reference.tolerance import ALPHAS, UNIT, both_ways, phase_tolerance, rounding

SCHEDULE = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")


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
    case.compare(f"{section}/{key}", final, expected=recorded[key], rtol=2 * UNIT)


def compare_gradients(
    case: Case, record: str, module: nn.Module, loss: Tensor, moved: float = 0.0
) -> None:
    """Norm of the gradient of every parameter that is recorded; none may be unknown or unrecorded.

    `moved`: how far the recorder's inputs of the network may lie from ours, in units of its results.
    """
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
        expected=[recorded[name] for name in names], rtol=both_ways(module) + moved,
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
    guidance = denoiser.time_embedding.cond_proj
    if "io/den/w_embedding" in case.tensors and guidance is not None:
        assert denoiser.guidance_width is not None
        ours = guidance_sinusoid(case.input("io/den/w"), denoiser.guidance_width)
        apart = (case.input("io/den/w_embedding") - ours).abs()
        moved += float((apart @ guidance.weight.abs().T).max())
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
