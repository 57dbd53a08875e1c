"""A released evaluator as the resolved `evaluator:` section names its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import CLIPTokenizer

from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.evaluation.evaluators.clipscore import clip_tensors, read_motionclip, token_ids
from motionrft.evaluation.evaluators.evaluator import OFFICIAL, Evaluator
from motionrft.evaluation.evaluators.official import load_official, read_statistics, table_tensors
from motionrft.evaluation.evaluators.spm import load_spm
from motionrft.evaluation.lengths import estimator_tensors, read_estimator
from motionrft.evaluation.words import read_glove
from motionrft.text.features import TextCache

NEEDED = {"t2m": ("mean", "std", "glove"), "spm": ("mean", "std")}
CLIP_TOKENIZER = "openai/clip-vit-base-patch16"


def read_released(
    settings: dict[str, Any], features: str | Path, text: str | Path | None, where: str
) -> tuple[Evaluator, dict[str, Any], dict[str, Tensor]]:
    """The evaluator, its `about` and what its file holds besides. Prints what was read.

    features: the corpus whose captions CLIP-score needs; text: the cache that an SPM reads.
    """
    network = settings.get("network", "t2m")
    for key in NEEDED[network]:
        if not settings.get(key):
            raise InputError(
                "needed with evaluator.checkpoint",
                where=where,
                field=f"evaluator.{key}",
                fix="name the file or folder of the official release",
            )
    normaliser = read_statistics(settings["mean"], settings["std"])
    about = {"label": OFFICIAL, "corpus": "", "settings": settings}
    if network == "spm":
        return _spm(settings, normaliser, text, about)
    evaluator, build, report = load_official(
        settings["checkpoint"], normaliser, settings["channels"]
    )
    print(report)
    extra = table_tensors(read_glove(settings["glove"]))
    if settings.get("clip_checkpoint"):
        extra |= _motionclip(settings, features, where)
    if settings.get("length_checkpoint"):
        extra |= estimator_tensors(read_estimator(settings["length_checkpoint"]))
    return evaluator, {**about, "build": build}, extra


def _spm(
    settings: dict[str, Any], normaliser: Any, text: str | Path | None, about: dict[str, Any]
) -> tuple[Evaluator, dict[str, Any], dict[str, Tensor]]:
    if text is None:
        raise InputError(
            "needed: this evaluator reads token states",
            where="train-evaluator",
            field="--text",
            fix="name the text feature file of sentence-T5",
        )
    cache = TextCache(text)
    evaluator, build, report = load_spm(settings["checkpoint"], normaliser)
    wanted = build["spm"]["text_dim"]
    if cache.token_dim != wanted:
        raise InputError(
            f"token states of width {cache.token_dim}, the evaluator reads {wanted}",
            where=text,
            field="evaluator.text",
            fix="use the encoder it was trained with, sentence-T5-large",
        )
    print(report)
    return evaluator, {**about, "build": build, "text": cache.about}, {}


def _motionclip(settings: dict[str, Any], features: str | Path, where: str) -> dict[str, Tensor]:
    """ACMDM's CLIP-score network with the token ids of the corpus's captions."""
    if settings["channels"] != "first 67":
        raise InputError(
            "CLIP-score reads ACMDM's 67 channels",
            where=where,
            field="evaluator.clip_checkpoint",
            fix="set evaluator.channels to 'first 67' and checkpoint, mean and std to ACMDM's",
        )
    network = read_motionclip(settings["clip_checkpoint"])
    source = settings.get("clip_tokenizer", CLIP_TOKENIZER)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no CLIP tokeniser in {source} ({str(error).splitlines()[0]})",
            where=where,
            field="evaluator.clip_tokenizer",
            fix="name a local directory with CLIP's vocab.json and merges.txt",
        ) from None
    captions = sorted(
        {one for several in FeatureStore(features).clips["captions"] for one in several}
    )
    return clip_tensors(
        network, captions, token_ids(captions, tokenizer, len(network.positional_embedding))
    )
