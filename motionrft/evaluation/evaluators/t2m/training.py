"""Training of the suite's own evaluator, for corpora that have no official one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.corpus.dataset import UNIT, Batch, MotionDataset
from motionrft.errors import InputError
from motionrft.evaluation.evaluator_file import SELF_TRAINED, corpus_digest
from motionrft.evaluation.evaluators.t2m.losses import infonce_loss, margin_loss
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.evaluation.readers import CacheReader
from motionrft.metrics.generation import GROUP, r_precision
from motionrft.networks.masks import frame_mask
from motionrft.text.features import TextCache
from motionrft.training.loop import TrainSettings, fit

LOSSES = ("infonce", "margin")


def train_evaluator(
    settings: dict[str, Any],
    features: str | Path,
    text: TextCache,
    checkpoint: str | Path,
    device: torch.device | str,
    seed: int = 0,
) -> tuple[TextMotionMatch, dict[str, Any], pd.DataFrame]:
    """The evaluator a resolved `evaluator:` section describes, its `about`, and the history.

    Trained on the train split; the weights kept are those with the best R-Precision on the
    validation split (mean of Top-1, 2, 3 in groups of 32).
    """
    if settings["loss"] not in LOSSES:
        raise InputError(
            f"unknown loss {settings['loss']!r}",
            where="evaluator",
            field="loss",
            fix=f"choose from {', '.join(LOSSES)}",
        )
    train = MotionDataset(features, "kinematic", "train", min_frames=settings["min_frames"])
    held = MotionDataset(features, "kinematic", "val", min_frames=settings["min_frames"])
    reader = CacheReader(text)
    build = {"widths": settings["widths"], "word": text.token_dim}
    torch.manual_seed(seed)
    evaluator = TextMotionMatch(
        Widths(**settings["widths"]), train.normaliser, word=text.token_dim
    ).to(device)
    regularisation = Regularisation(settings["text_dropout"], settings["motion_noise"])
    plan = TrainSettings.read(settings["train"], "evaluator.train", seed=seed)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch = train.batch_at(step, plan.batch_size, seed).to(device)
        texts, motions = embed_batch(evaluator, reader, batch, regularisation)
        if settings["loss"] == "margin":
            shift = int(torch.randint(1, len(batch), (), generator=generator, device=device))
            positive, negative = margin_loss(texts, motions, shift, settings["margin"])
            return {"loss": positive + negative, "positive": positive, "negative": negative}
        return {"loss": infonce_loss(texts, motions, same_caption(batch.captions).to(device))}

    def validate(step: int) -> dict[str, float]:
        del step
        with torch.no_grad():
            pairs = [embed_batch(evaluator, reader, batch.to(device)) for batch in held.epoch(256)]
        texts, motions = (torch.cat(parts).cpu() for parts in zip(*pairs, strict=True))
        # clips lie in the order of their actions: neighbours would be too alike
        order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed))
        top = r_precision(texts[order], motions[order], group=min(GROUP, len(order)))
        return {"score": float(top.mean()), **{f"top{k + 1}": float(v) for k, v in enumerate(top)}}

    history = fit(
        evaluator,
        list(evaluator.parameters()),
        loss,
        plan,
        checkpoint,
        label="evaluator",
        validation=validate,
    )
    about = {
        "label": SELF_TRAINED,
        "corpus": corpus_digest(train.store),
        "build": build,
        "text": text.about,
        "settings": settings,
        "seed": seed,
    }
    return evaluator.eval(), about, history


@dataclass(frozen=True)
class Regularisation:
    """What keeps a network from learning a few thousand captions by heart (ours, not of Guo et al.).

    text_dropout  share of the numbers of the token states set to zero, the others scaled up
    motion_noise  standard deviation of Gaussian noise on normalised features
    """

    text_dropout: float = 0.0
    motion_noise: float = 0.0

    def on_words(self, words: Tensor) -> Tensor:
        return F.dropout(words, self.text_dropout) if self.text_dropout else words

    def on_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Features [B, T, D] with noise; zero after each length as before."""
        if not self.motion_noise:
            return features
        noise = self.motion_noise * torch.randn_like(features)
        return features + noise * frame_mask(lengths, features.shape[1])[..., None]


NONE = Regularisation()


def embed_batch(
    evaluator: TextMotionMatch,
    reader: CacheReader,
    batch: Batch,
    regularisation: Regularisation = NONE,
) -> tuple[Tensor, Tensor]:
    """Text and motion embeddings [B, E] of a batch, differentiable."""
    words, pos, lengths = reader(batch.captions)
    words = regularisation.on_words(words.to(batch.features.device))
    texts = evaluator.encode_texts(words, pos, lengths)
    # the spare padding of `embed_motions`: training and scoring see the same last token
    spare = max(0, min(UNIT, evaluator.max_frames - batch.features.shape[1]))
    features = F.pad(regularisation.on_motions(batch.features, batch.lengths), (0, 0, 0, spare))
    return texts, evaluator.encode_motions(features, batch.lengths)


def same_caption(captions: list[str]) -> Tensor:
    """[B, B]: True where two captions are the same string."""
    index = {caption: row for row, caption in enumerate(dict.fromkeys(captions))}
    rows = torch.tensor([index[caption] for caption in captions])
    return rows[:, None] == rows[None]
