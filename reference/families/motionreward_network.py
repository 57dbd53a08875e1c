"""MotionReward, full set: official draws, gradients, noised batches, LoRA gradients and combined rewards."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor

from motionrft.networks.masks import frame_mask
from motionrft.networks.positions import timestep_sinusoid
from motionrft.reward.branch import TaskBranch
from motionrft.reward.latent import Latent
from motionrft.reward.losses import kl_divergence, preference_loss, smooth_l1
from motionrft.reward.motion_reward import MotionReward
from motionrft.reward.network import OFFICIAL_NAMES, RewardNetwork
from motionrft.reward.noise_schedule import add_noise, cumulative_alphas
from motionrft.reward.official import official_name
from motionrft.reward.released import Reconstruction
from motionrft.reward.semantic_objective import Embedding, SemanticLoss, Target, alignment_terms
from motionrft.text.features import TextBatch
from reference.case import Case
from reference.reward_networks import (
    build,
    build_branch,
    representation,
    tolerance,
)
from reference.tolerance import HALF_UNIT, both_ways, phase_tolerance, summed

FAMILY = "motionreward"
# the released launcher's weights (paper section 1.8)
WEIGHTS = {"semantic": 1.0, "m2m": 1.0, "preference": 2e-4, "authenticity": 2e-4}
ROWS = ("total", "preference", "semantic", "m2m", "authenticity")


def recognises(case: Case) -> bool:
    return "backbone/global_motion_token" in case.tensors and "time/sinusoid" in case.tensors


def check(case: Case, cases: dict[str, Case]) -> None:
    Check(case).run()


class Check:
    """One case: its network, branches and inputs, and a method a group of recorded quantities."""

    def __init__(self, case: Case):
        self.case, self.tolerance = case, tolerance(case)
        self.half = {"atol": self.tolerance["atol"], "rtol": self.tolerance["rtol"] + HALF_UNIT}
        self.network: RewardNetwork = build(case, "backbone/")
        self.apart = both_ways(self.network)
        self.branches: dict[str, TaskBranch] = {
            task: build_branch(case, self.network, task, official)
            for task, official in (("preference", "critic"), ("authenticity", "ai_detection"))
        }
        meta = case.meta
        self.lengths = torch.tensor(meta["motion_lengths"])
        self.t = case.input("in/timesteps")
        self.temperature, self.threshold = meta["config"]["temp"], meta["config"]["thr"]
        self.tokens = case.input("in/text_tokens")
        self.mask = frame_mask(torch.tensor(meta["text_lengths"]), self.tokens.shape[1])
        self.sentences = case.input("in/text_sentence")
        self.words = TextBatch(self.sentences, self.tokens, self.mask, self.mask.sum(1) - 1)
        self.motions = {name: self.motion("motion", name) for name in OFFICIAL_NAMES}

    def motion(self, kind: str, name: str) -> Tensor:
        return self.case.input(f"in/{kind}_{OFFICIAL_NAMES[name]}").flatten(2)

    def steps(self) -> dict[str, Tensor | None]:
        what = "tensors.motion_263/scalar/mean.what"
        (one,) = self.case.stated(what, r"scalar = in/timesteps\[(\d+)\]", 1)
        return {"not": None, "t": self.t, "scalar": self.t[int(one)].expand(len(self.t))}

    def text(self, t: Tensor | None = None) -> Latent:
        return self.network.encode_text(self.tokens, self.mask, t)

    def run(self) -> None:
        self.time()
        self.embeddings()
        for name in OFFICIAL_NAMES:
            self.decodes(name)
            self.losses(name)
            self.preference(name)
            self.authenticity(name)
        self.semantic_gradient()
        self.preference_gradient()
        self.authenticity_gradient()
        self.cross()
        self.combined_reward()
        self.plain_rewards()

    def time(self) -> None:
        width = self.case.tensors["time/sinusoid"].shape[1]
        sinusoid = timestep_sinusoid(self.t, width)
        apart = phase_tolerance(self.t, width // 2, width // 2).repeat(1, 2)
        self.case.compare("time/sinusoid", sinusoid, atol=apart)
        self.case.compare(
            "time/motion_token", self.network.time_embedding(sinusoid), **self.tolerance
        )
        self.case.compare(
            "time/text_token", self.network.time_embedding_text(sinusoid), **self.tolerance
        )

    def embeddings(self) -> None:
        for key, t in self.steps().items():
            text = self.text(t)
            self.case.compare(f"text/{key}/mean", text.mean, **self.tolerance)
            self.case.compare(f"text/{key}/std", text.std, **self.tolerance)
            for name, official in OFFICIAL_NAMES.items():
                latent = self.network.encode_motion(self.motions[name], self.lengths, name, t)
                self.case.compare(f"motion_{official}/{key}/mean", latent.mean, **self.tolerance)
                self.case.compare(f"motion_{official}/{key}/std", latent.std, **self.tolerance)
        drawn = self.text().sample(self.case.input("eps/embed_text.0"))
        self.case.compare("embed/text_sample", drawn, **self.tolerance)
        for name, official in OFFICIAL_NAMES.items():
            key = f"embed/motion_sample_{official}"
            if key in self.case.tensors:
                latent = self.network.encode_motion(self.motions[name], self.lengths, name, self.t)
                drawn = latent.sample(self.case.input("eps/embed_motion.0"))
                self.case.compare(key, drawn, **self.tolerance)

    def decodes(self, name: str) -> None:
        key, motion = f"motion_{OFFICIAL_NAMES[name]}", self.motions[name]
        projected = self.network.projection(name)(motion)
        self.case.compare(f"{key}/projection", projected, **self.tolerance)
        full = self.network.encode_motion(motion, None, name)
        self.case.compare(f"{key}/full_length/mean", full.mean, **self.tolerance)
        z = self.network.encode_motion(motion, self.lengths, name, self.t).mean
        decoded = self.network.decode(z, self.lengths, motion.shape[1], name)
        shape = self.case.tensors[f"{key}/decoded"].shape
        self.case.compare(f"{key}/decoded", decoded.reshape(shape), **self.half)
        self.case.compare(
            f"{key}/decoded_mean_per_sample", decoded.mean(dim=(1, 2)), **self.tolerance
        )
        last = decoded[torch.arange(len(z)), self.lengths - 1]
        self.case.compare(f"{key}/decoded_last_valid", last, **self.tolerance)

    def terms(
        self, name: str, motion: Tensor, mode: str, sentences: Tensor | None
    ) -> dict[str, Tensor]:
        """The semantic loss in a mode such as M1T0: which side carries the time token."""
        text = self.text(self.t if mode[3] == "1" else None)
        t = self.t if mode[1] == "1" else None
        latent = self.network.encode_motion(motion, self.lengths, name, t)
        z_text = text.sample(self.case.input("eps/semantic.0"))
        z_motion = latent.sample(self.case.input("eps/semantic.1"))
        loss = SemanticLoss(
            self.network,
            temperature=self.temperature,
            threshold=self.threshold,
            rules=Reconstruction(),
        )
        target = Target(motion, self.lengths, name)
        return loss.terms(target, Embedding(text, z_text), Embedding(latent, z_motion), sentences)

    def losses(self, name: str) -> None:
        key, motion = f"loss_{OFFICIAL_NAMES[name]}", self.motions[name]
        for found in self.case.matching(rf"{key}/(M[01]T[01])/total"):
            mode = found[1]
            terms = self.terms(name, motion, mode, self.sentences)
            self.case.compare(found[0], terms["total"], **self.tolerance)
            if f"{key}/{mode}/terms" in self.case.tensors:
                plain = self.terms(name, motion, mode, None)["contrastive"]
                recorded = [*list(terms.values())[:-1], plain]
                self.case.compare(f"{key}/{mode}/terms", torch.stack(recorded), **self.tolerance)
        noise = self.motion("ddpm_noise", name)
        noised = add_noise(motion, self.t, noise, cumulative_alphas())
        self.case.compare(
            f"{key}/noised_mean_per_sample", noised.mean(dim=(1, 2)), **self.tolerance
        )
        for found in self.case.matching(rf"{key}/(M[01]T[01])_noised/total"):
            total = self.terms(name, noised, found[1], self.sentences)["total"]
            self.case.compare(found[0], total, **self.tolerance)

    def semantic_gradient(self) -> None:
        for found, norms in self.norms(r"grad_norm_((M[01]T[01])_(\w+))"):
            name = representation(found[3])
            self.network.requires_grad_(True)
            with torch.enable_grad():
                terms = self.terms(name, self.motions[name], found[2], self.sentences)
                terms["total"].backward()
            for parameter_name, parameter in self.network.named_parameters():
                label = f"{found[0]}/{parameter_name}"
                self.gradient_norm(label, parameter.grad, norms.get(parameter_name))
                recorded = f"grad_{found[1]}/{parameter_name}"
                if recorded in self.case.tensors:
                    self.gradient(recorded, parameter.grad)
                parameter.grad = None
            self.network.requires_grad_(False)

    def norms(self, pattern: str) -> Iterator[tuple[re.Match[str], dict[str, float | None]]]:
        """The recorded groups of gradient norms whose name matches."""
        for name, norms in self.case.meta["numbers"].items():
            if found := re.fullmatch(pattern, name):
                yield found, norms

    def gradient(self, key: str, gradient: Tensor | None) -> None:
        assert gradient is not None
        self.case.compare_scaled(key, gradient, self.apart)

    def gradient_norm(self, label: str, gradient: Tensor | None, expected: float | None) -> None:
        """A recorded null is a parameter without gradient.

        The gradient of the preference head's last bias is a sum of both sides' terms that cancel, together one each.
        """
        actual = float("nan") if gradient is None else float(gradient.norm())
        number = float("nan") if expected is None else expected
        cancelled = summed(2 * len(self.lengths))
        self.case.compare(label, actual, expected=number, atol=cancelled, rtol=self.apart)

    def cross(self) -> None:
        drawn: dict[str, Embedding] = {}
        for index, name in enumerate(OFFICIAL_NAMES):
            latent = self.network.encode_motion(self.motions[name], self.lengths, name, self.t)
            z = latent.sample(self.case.input(f"eps/cross.{index}"))
            drawn[name] = Embedding(latent, z)
        total: Tensor | float = 0.0
        recorded: list[Tensor] = []
        for other, key in (("joint", "two"), ("rotation", "three")):
            *parts, pair = alignment_terms(
                drawn["kinematic"], drawn[other], self.temperature
            ).values()
            total = total + pair
            recorded += parts
            self.case.compare(
                f"cross/{key}", torch.stack([torch.as_tensor(total), *recorded]), **self.tolerance
            )

    def auxiliary(
        self, motion: Tensor, latent: Latent, z: Tensor, lengths: Tensor, name: str
    ) -> Tensor:
        """Reconstruction + 1e-5 KL(m|N), the optional extra term of both task stages."""
        decoded = self.network.decode(z, lengths, motion.shape[1], name)
        return smooth_l1(decoded, motion) + 1e-5 * kl_divergence(latent)

    def preference(self, name: str) -> None:
        branch, official = self.branches["preference"], OFFICIAL_NAMES[name]
        full = torch.full_like(self.lengths, self.motions[name].shape[1])
        for reading in ("mean", "draw"):
            scores, auxiliary = [], torch.zeros(())
            for index, motion in enumerate((self.motions[name], self.motion("worse", name))):
                latent = self.network.encode_motion(motion, None, name, None, branch.adapter)
                z = latent.mean
                if reading == "draw":
                    z = latent.sample(self.case.input(f"eps/critic.{index}"))
                scores.append(branch.head(z)[:, 0])
                auxiliary = auxiliary + self.auxiliary(motion, latent, z, full, name)
            better, worse = scores
            key = f"critic_{official}/{reading}"
            self.case.compare(f"{key}/scores", torch.stack(scores, dim=1), **self.tolerance)
            accuracy = (better > worse).float().mean()
            numbers = torch.stack([preference_loss(better, worse), accuracy, auxiliary])
            self.case.compare(f"{key}/loss_acc_aux", numbers, **self.tolerance)

    def authenticity(self, name: str) -> None:
        key = f"authenticity_{OFFICIAL_NAMES[name]}"
        for reading in ("mean", "draw"):
            logits, labels, latent, z = self.authenticity_logits(name, reading)
            self.case.compare(f"{key}/{reading}/logits", logits, **self.tolerance)
            loss = torch.nn.functional.cross_entropy(logits, labels)
            auxiliary = self.auxiliary(self.motions[name], latent, z, self.lengths, name)
            self.case.compare(
                f"{key}/{reading}/loss_aux", torch.stack([loss, auxiliary]), **self.tolerance
            )

    def authenticity_logits(self, name: str, reading: str) -> tuple[Tensor, Tensor, Latent, Tensor]:
        branch = self.branches["authenticity"]
        latent = self.network.encode_motion(
            self.motions[name], self.lengths, name, None, branch.adapter
        )
        z = latent.mean
        if reading == "draw":
            z = latent.sample(self.case.input("eps/authenticity.0"))
        labels = torch.arange(len(z)) % 2
        return branch.head(z), labels, latent, z

    def preference_gradient(self) -> None:
        branch = self.branches["preference"]
        for found, norms in self.norms(r"grad_norm_critic_(\w+)"):
            name = representation(found[1])
            with torch.enable_grad():
                for parameter in branch.trained():
                    parameter.requires_grad_(True)
                better, worse = (
                    branch.head(
                        self.network.encode_motion(x, None, name, None, branch.adapter).mean
                    )
                    for x in (self.motions[name], self.motion("worse", name))
                )
                preference_loss(better[:, 0], worse[:, 0]).backward()
            for adapter, parameter in branch.adapter.adapter_tensors().items():
                recorded = f"grad_critic_{found[1]}/{official_name('preference', adapter)}"
                if recorded in self.case.tensors:
                    self.gradient(recorded, parameter.grad)
            self.lora_norms(found[0], norms, branch, "")

    def authenticity_gradient(self) -> None:
        branch = self.branches["authenticity"]
        for found, norms in self.norms(r"grad_norm_authenticity_(\w+)_lora_and_head"):
            with torch.enable_grad():
                for parameter in branch.trained():
                    parameter.requires_grad_(True)
                logits, labels, _, _ = self.authenticity_logits(representation(found[1]), "mean")
                torch.nn.functional.cross_entropy(logits, labels).backward()
            self.lora_norms(found[0], norms, branch, "ai_detection_")

    def lora_norms(
        self, group: str, expected: dict[str, float | None], branch: TaskBranch, prefix: str
    ) -> None:
        """Norms recorded under the module paths of the official trainer."""
        task = "critic_" if branch.task == "preference" else "ai_detection_"
        gradients = {
            prefix + module_path(name): parameter.grad
            for name, parameter in branch.adapter.adapter_tensors().items()
        }
        gradients |= {
            f"{task}head.{name}": parameter.grad
            for name, parameter in branch.head.named_parameters()
        }
        for name, norm in expected.items():
            self.gradient_norm(f"{group}/{name}", gradients.get(name), norm)
        for parameter in branch.trained():
            parameter.requires_grad_(False)
            parameter.grad = None

    def reward(self, draws: Iterator[Tensor] | None) -> MotionReward:
        """The combined reward; `draws`: the recorded noise in the order the reward reads latents."""

        def read(latent: Latent) -> Tensor:
            return latent.mean if draws is None else latent.sample(next(draws))

        return MotionReward(self.network, self.branches, WEIGHTS, clean_token=False, read=read)

    def combined_reward(self) -> None:
        generated = self.motion("generated", "kinematic")
        lengths = torch.tensor(self.case.meta["generated_lengths"])
        for key, t in self.steps().items():
            for reading in ("mean", "draw"):
                draws = None
                if reading == "draw":
                    # text and ground truth are read in the context, the rest term after term; the released
                    # code draws for: preference, text, motion, ground truth, motion again, authenticity
                    order = (1, 3, 2, 4, 0, 5)
                    draws = iter([self.case.input(f"eps/reward.{index}") for index in order])
                reward = self.reward(draws)
                context = reward.context(
                    self.words, self.motions["kinematic"], self.lengths, "kinematic"
                )
                with torch.enable_grad():
                    motion = generated.clone().requires_grad_(True)
                    scores = reward(motion, lengths, context, t)
                    (gradient,) = torch.autograd.grad(scores["total"].mean(), motion)
                rows = torch.stack([scores[row] for row in ROWS])
                self.case.compare(f"reward/{key}/{reading}", rows, **self.tolerance)
                self.reward_gradient(f"reward/{key}/{reading}_grad", gradient)

    def reward_gradient(self, key: str, gradient: Tensor) -> None:
        if key in self.case.tensors:
            self.case.compare_scaled(key, gradient, HALF_UNIT + self.apart)
        if f"{key}_norm_per_sample" in self.case.tensors:
            norms = gradient.flatten(1).norm(dim=1)
            self.case.compare_scaled(f"{key}_norm_per_sample", norms, self.apart)

    def plain_rewards(self) -> None:
        """The two rewards without LoRA terms: text only (22x3), and HY-Motion's on rotations."""
        simple = MotionReward(self.network, {}, {"semantic": 1.0}, clean_token=False)
        context = simple.context(self.words, None, self.lengths, "joint")
        scores = simple(self.motions["joint"], self.lengths, context)
        self.case.compare("reward/simple_22x3", scores["semantic"], **self.tolerance)
        mean, std = self.case.input("in/hy_mean"), self.case.input("in/hy_std")
        truth, generated = (
            ((self.case.input(f"in/hy_{kind}_201") - mean) / std)[..., :135]
            for kind in ("ground_truth", "generated")
        )
        rotation = MotionReward(self.network, {}, {"semantic": 0.5, "m2m": 0.5}, clean_token=False)
        context = rotation.context(self.words, truth, self.lengths, "rotation")
        scores = rotation(generated, self.lengths, context)
        numbers = torch.stack([scores[key].mean() for key in ("total", "semantic", "m2m")])
        self.case.compare("reward/hy", numbers, **self.tolerance)


def module_path(name: str) -> str:
    """`input_block_0_ffn1.lora.lora_A` -> `encoder.input_blocks.0.linear1.lora.lora_A`, and so on."""
    block, _, rest = name.partition(".")
    if block.startswith("proj_"):
        base, _, layer = block.partition("_layer")
        return f"{base}.proj.{layer}.{rest}" if layer else f"{base}.proj.{rest}"
    block, _, part = block.rpartition("_")
    for kind in ("input", "output"):
        block = block.replace(f"{kind}_block_", f"{kind}_blocks.")
    inner = "self_attn" if part == "attn" else f"linear{part[-1]}"
    return f"encoder.{block}.{inner}.{rest}"
