"""Sentences to motions, from a model file alone."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionrft.backbones.base import Backbone
from motionrft.backbones.generate import generate
from motionrft.backbones.header import DECILES
from motionrft.backbones.io import load_backbone, save_backbone
from motionrft.corpus.dataset import UNIT
from motionrft.errors import InputError
from motionrft.files import provenance
from motionrft.inference.motion import Motion
from motionrft.inference.sentences import SentenceEncoder, checked_sentences, find_encoder
from motionrft.motion.representation import representation
from motionrft.motion.skeleton import SKELETONS

LOG = logging.getLogger("motionrft.inference")
# what differs between two runs of the same thing
PASSING = ("finished", "wall_s", "peak_rss_mb", "peak_device_mb", "host")
# sampler settings that name the steps themselves
NAMED_STEPS = ("respacing", "timesteps")


class MotionModel:
    """A backbone with its text encoder. name: the method that fine-tuned it, or "base"."""

    def __init__(
        self, backbone: Backbone, about: dict[str, Any], encoder: SentenceEncoder, path: Path
    ):
        # torch multiplies by weights that take gradients in another order, without a graph too
        self.backbone = backbone.eval().requires_grad_(False)
        self.about, self.encoder, self.path = about, encoder, path
        corpus = about["corpus"]
        self.skeleton, self.fps = SKELETONS[corpus["skeleton"]], float(corpus["fps"])
        self.representation = representation(
            backbone.representation, corpus["skeleton"], corpus["compat"], corpus["bone_lengths"]
        )
        self.name = str(about.get("finetune", {}).get("method", {}).get("name", "base"))

    def sampler(self, guidance: float | None = None, steps: int | None = None) -> dict[str, Any]:
        """The sampler's settings, with another guidance or another number of steps."""
        settings = dict(self.about["backbone"]["sampler"])
        if guidance is not None:
            if not math.isfinite(guidance):
                raise InputError(
                    f"{guidance} is no scale", field="guidance", fix="give a number, 1 for none"
                )
            settings["guidance"] = guidance
        if steps is not None:
            named = [key for key in NAMED_STEPS if settings.get(key) is not None]
            if named:
                raise InputError(
                    f"its sampler names its steps ({named[0]})", where=self.path, field="--steps",
                    fix="leave --steps out",
                )  # fmt: skip
            trained = settings.get("schedule", {}).get("num_train_timesteps")
            if not 1 <= steps <= (trained or steps):
                raise InputError(
                    f"{steps} steps of a process of {trained}", where=self.path, field="--steps",
                    fix=f"choose from 1 to {trained or 'what you like'}",
                )  # fmt: skip
            settings["steps"] = steps
        return settings

    def frames(self, seconds: float | None, seed: int, count: int) -> list[int]:
        """Frames of `count` motions, multiples of four: as `seconds` says, else drawn as the training clips' are
        distributed. The i-th draw depends on the seed and i alone."""
        longest = self.backbone.max_frames // UNIT * UNIT
        if seconds is None:
            deciles = self.about["corpus"]["frames"]
            draws = [np.random.default_rng([seed, 53, index]).random() for index in range(count)]
            wanted = [int(np.interp(draw, DECILES, deciles)) // UNIT * UNIT for draw in draws]
            return [min(max(frames, UNIT), longest) for frames in wanted]
        frames = round(seconds * self.fps) // UNIT * UNIT
        if not UNIT <= frames <= longest:
            raise InputError(
                f"{seconds:g} seconds are {frames} frames at {self.fps:g} a second",
                where=self.path,
                field="seconds",
                fix=f"choose from {UNIT / self.fps:g} to {longest / self.fps:g}",
            )
        shortest, *_, most = self.about["corpus"]["frames"]
        if not shortest - UNIT < frames <= most:
            LOG.warning(
                "%g seconds: the clips it was trained on have %.1f to %.1f, of other lengths it knows nothing",
                seconds,
                shortest / self.fps,
                most / self.fps,
            )
        return [frames] * count

    def generate(
        self,
        sentences: Sequence[str],
        *,
        seconds: float | None = None,
        seed: int = 0,
        count: int = 1,
        guidance: float | None = None,
        steps: int | None = None,
        lengths: Sequence[int] | None = None,
    ) -> list[Motion]:
        """`count` motions of each sentence, one after another. The same call gives the same numbers;
        a motion depends on the seed and its place alone, up to rounding; two models with one seed start from the
        same noise.

        seconds: length (default: drawn, as the training clips' are); guidance, steps: other than the sampler's own;
        lengths: frames of each motion, as another model's `frames` gave them.
        """
        if isinstance(sentences, str):
            raise TypeError("sentences is a list of strings, not a string")
        captions = [sentence for sentence in checked_sentences(sentences) for _ in range(count)]
        sampler = self.sampler(guidance, steps)
        frames = lengths or self.frames(seconds, seed, len(captions))
        self.encoder.remark_unknown(sentences)
        noise = [
            int(np.random.default_rng([seed, 59, index]).integers(2**62))
            for index in range(len(captions))
        ]
        features = generate(
            self.backbone, sampler, captions, torch.tensor(frames), noise, self.encoder
        )
        if not all(bool(rows.isfinite().all()) for rows in features):
            raise InputError(
                "NaN or infinity among what it generates",
                where=self.path,
                fix="sample with its own guidance and steps; if that does not help, train it again",
            )
        about = self._about(sampler, seed)
        return [
            Motion(
                self.representation.decode(rows[None])[0].float(),
                self.fps,
                self.skeleton,
                caption,
                self.backbone.representation,
                rows,
                {**about, "noise": word},
            )
            for caption, rows, word in zip(captions, features, noise, strict=True)
        ]

    def save(self, path: str | Path) -> None:
        """A backbone file, as `finetune` writes it. Below the run that the model is from, its text encoder is found from
        there; elsewhere `load_model` wants the encoder's folder, unless it is one of a hub."""
        save_backbone(path, self.backbone, self.about)

    def _about(self, sampler: dict[str, Any], seed: int) -> dict[str, Any]:
        made = provenance(self.about["backbone"], seed=seed)
        return {
            "model": self.name,
            "backbone": self.about["backbone"]["name"],
            "sampler": sampler,
            "corpus": self.about["corpus"],
            "provenance": {key: value for key, value in made.items() if key not in PASSING},
        }


def load_model(
    path: str | Path, *, encoder: str | Path | None = None, device: torch.device | str = "cpu"
) -> MotionModel:
    """The model of a backbone file (`pretrain`, `finetune`, `import`): its text encoder, normaliser and statistics
    are found from the file. encoder: the folder of its text encoder, where the file has left its run."""
    backbone, about = load_backbone(path, device)
    for name, maker in (("text_encoder", "pretrain"), ("corpus", "pretrain")):
        if name not in about:
            raise InputError(
                f"its header says nothing of the {name.replace('_', ' ')} it was trained with",
                where=path,
                fix=f"make it again ({maker}, or import), with this version",
            )
    found = find_encoder(about["text_encoder"], path, encoder)
    found.encoder.to(device)
    return MotionModel(backbone, about, found, Path(path))
