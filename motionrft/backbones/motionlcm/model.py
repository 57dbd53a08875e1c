"""MotionLCM (v1 and v2): a latent diffusion model distilled into a one-to-four-step consistency model.

Source: MotionLCM (Dai et al., ECCV 2024), section 3.2, and the MotionLCM-V2 report; the distillation is that
of latent consistency models (Luo et al., 2023), with the guidance scale as an input of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from motionrft.backbones.base import Condition
from motionrft.backbones.mld.denoiser import LatentDenoiser
from motionrft.backbones.mld.losses import pseudo_huber
from motionrft.backbones.mld.model import MLD, part_of
from motionrft.backbones.motionlcm.options import MotionLCMOptions
from motionrft.checkpoints import load_into
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.schedules import boundary_scalings
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.training.ema import TargetNetwork

# MotionLCM-V2's hand-picked time-steps by number of steps; 299 twice: denoised, re-noised, denoised again
V2_TIMESTEPS = {1: [799], 2: [699, 299], 4: [699, 399, 299, 299]}
GUIDANCE_WEIGHT = "denoiser.time_embedding.cond_proj.weight"


@dataclass(frozen=True)
class Teaching:
    """The two frozen networks of distillation: the teacher, and the EMA of the student (the target).

    They are no modules of the backbone, whose state dict is the student alone.
    """

    teacher: LatentDenoiser
    target: TargetNetwork


class MotionLCM(MLD):
    """Guidance is embedded: `guided` is one pass on B, and scale 1 (`predict`) means w = 0."""

    stages = ("distill",)
    textless = ()
    options_type = MotionLCMOptions
    options: MotionLCMOptions

    def __init__(
        self, options: MotionLCMOptions, dim: int, text_width: int, normaliser: Normaliser
    ):
        if options.guidance_width is None:
            raise InputError(
                "missing", field="network.guidance_width", fix="a consistency model needs it"
            )
        super().__init__(options, dim, text_width, normaliser)
        self.distillation = options.distillation
        self.unguided = replace(options.of_denoiser(), guidance_width=None)
        self.text_width = text_width
        self.teaching: Teaching | None = None

    def new_teacher(self) -> LatentDenoiser:
        """A denoiser without guidance embedding, to be filled with a teacher's weights."""
        return LatentDenoiser(self.text_width, self.unguided)

    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        return self.guided(x, t, condition, 1.0)

    def guided(self, x: Tensor, t: Tensor, condition: Condition, scale: float) -> Tensor:
        w = torch.full((len(x),), scale - 1.0, device=x.device)
        output: Tensor = self.denoiser(x, t, self.text_features(condition), w)
        return output

    def start_from(self, tensors: Mapping[str, Tensor], stage: str, where: str | Path = "") -> None:
        """The teacher's VAE and denoiser, and a guidance embedding that starts at zero."""
        teacher = self.new_teacher().to(next(self.parameters()).device)
        load_into(teacher, part_of(tensors, "denoiser."), where)
        guidance = self.denoiser.time_embedding.cond_proj
        assert guidance is not None
        fresh = torch.zeros_like(guidance.weight)
        load_into(self, {**tensors, GUIDANCE_WEIGHT: fresh}, where)
        self.teaching = Teaching(
            teacher.eval().requires_grad_(False),
            TargetNetwork(self.denoiser, self.distillation.ema),
        )

    def ema_target(self) -> TargetNetwork | None:
        return None if self.teaching is None else self.teaching.target

    def pretrain_loss(
        self, batch: Batch, condition: Condition, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        if self.teaching is None:
            raise InputError(
                "distillation without a teacher", field=stage, fix="pass its weights with --from"
            )
        z, condition = self.latents(batch, condition, generator)
        steps, (low, high) = self.distillation.solver_steps, self.distillation.guidance
        noise = torch.randn(z.shape, generator=generator, device=z.device)
        j = torch.randint(steps, (len(z),), generator=generator, device=z.device)
        w = low + (high - low) * torch.rand(len(z), generator=generator, device=z.device)
        return self.distillation_loss(z, noise, j, w, condition, self.teaching)

    def distillation_loss(
        self,
        z: Tensor,
        noise: Tensor,
        j: Tensor,
        w: Tensor,
        condition: Condition,
        teaching: Teaching,
    ) -> dict[str, Tensor]:
        """|f_student(x_{t_j}) - f_target(x_{t_j - skip})|, the second reached by one guided DDIM step (MotionLCM,
        section 3.2; latent consistency models, section 4).

        z, noise [B, n, d]; j [B] index on the solver's grid; w [B] guidance weights.
        """
        start, end = self.solver_times(j)
        x = self.forward_process(z, start, noise)
        text = self.text_features(condition)
        student = self.consistency(self.denoiser, x, start, text, w)
        with torch.no_grad():
            following = self.solver_step(teaching.teacher, x, start, end, w, condition)
            target = self.consistency(teaching.target, following, end, text, w)
        return {"loss": pseudo_huber(student, target, self.distillation.huber)}

    def solver_times(self, j: Tensor) -> tuple[Tensor, Tensor]:
        """Step j of the solver's grid: from (j + 1) skip - 1 to `skip` earlier, at least 0."""
        skip = len(self.forward_process) // self.distillation.solver_steps
        start = (j + 1) * skip - 1
        return start, (start - skip).clamp(min=0)

    def consistency(
        self, network: nn.Module, x: Tensor, t: Tensor, text: Tensor, w: Tensor
    ) -> Tensor:
        """f(x, t) = c_skip x + c_out x0(x, t) [B, n, d]."""
        c_skip, c_out = (c[:, None, None] for c in boundary_scalings(t.float()))
        return c_skip * x + c_out * self.clean(x, network(x, t, text, w), t)

    def clean(self, x: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """x0 = (x - sqrt(1 - abar_t) epsilon) / sqrt(abar_t), or the output itself where it is x0."""
        if self.prediction == "sample":
            return output
        process = self.forward_process
        return (x - process.noise[t][:, None, None] * output) / process.signal[t][:, None, None]

    def epsilon(self, x: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """The noise in x: the output itself, or (x - sqrt(abar_t) x0) / sqrt(1 - abar_t) where that is x0."""
        if self.prediction == "epsilon":
            return output
        process = self.forward_process
        return (x - process.signal[t][:, None, None] * output) / process.noise[t][:, None, None]

    def solver_step(
        self,
        teacher: LatentDenoiser,
        x: Tensor,
        start: Tensor,
        end: Tensor,
        w: Tensor,
        condition: Condition,
    ) -> Tensor:
        """One DDIM step of the teacher, x0 and epsilon both extrapolated: o_c + w (o_c - o_u)."""
        both = condition.doubled
        outputs = teacher(torch.cat([x, x]), torch.cat([start, start]), self.text_features(both))
        conditional, unconditional = outputs.chunk(2)
        guided = conditional + w[:, None, None] * (conditional - unconditional)
        clean, epsilon = self.clean(x, guided, start), self.epsilon(x, guided, start)
        following: Tensor = self.forward_process(clean, end, epsilon)
        return following
