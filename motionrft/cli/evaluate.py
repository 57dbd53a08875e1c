"""A model, or the recorded motions, sampled and scored over the replications of a protocol."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from motionrft.cli.app import app
from motionrft.cli.options import RunFile, Several, named

if TYPE_CHECKING:
    from motionrft.evaluation.scorer import Result, Source
    from motionrft.text.features import TextCache


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EvaluationFiles:
    """What an evaluation reads."""

    model: Path | None = None
    """Backbone file (without: the recorded motions)."""

    features: Path
    """Feature store folder."""

    text: Path | None = None
    """Text feature file of the backbone (recorded motions need none)."""

    evaluator: Path
    """Evaluator file."""

    evaluator_text: Path | None = None
    """Text feature file of the evaluator, if it reads one (default: the one of its encoder's name beside --text)."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Steering:
    """A reward that picks or steers the samples (best-of-4, reward-guidance)."""

    method: str | None = None
    """Name of a method that trains nothing; the model is then the base model."""

    reward: Annotated[list[Path], Several] = field(default_factory=list)
    """Files of the reward's stages, in any order."""

    reward_text: Path | None = None
    """The reward's text feature file (default: that of --text)."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Replications:
    """What is drawn, and how often."""

    split: Literal["test", "val"] = "test"
    """Select on val, report test."""

    replications: int | None = None
    """How many (default: the configuration's evaluate.replications)."""

    seed: int = 0
    """Seed of all draws; equal seeds make models comparable in pairs."""

    any_corpus: bool = False
    """Let an evaluator judge a corpus it was not trained on."""


@app.command
def evaluate(
    *,
    run: RunFile = RunFile(),
    backbone: str = "real",
    files: EvaluationFiles,
    draws: Replications = Replications(),
    steering: Steering = Steering(),
    out: Path,
    device: str = "auto",
) -> None:
    """Score a model, or the recorded motions, over replications of a protocol.

    Without --backbone and --model the recorded motions are scored. With
    --method and --reward the samples of the model are picked or steered by the
    reward.

    For example:
        python -m motionrft evaluate --backbone mdm \\
            --model results/toy/backbones/mdm/denoiser.safetensors \\
            --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --evaluator results/toy/evaluator/model.safetensors \\
            --out results/toy/evaluate/mdm/base/seed0
        python -m motionrft evaluate --features results/toy/features \\
            --text results/toy/text/toy.safetensors \\
            --evaluator results/toy/evaluator/model.safetensors \\
            --out results/toy/evaluate/real/base/seed0

    Parameters
    ----------
    backbone
        Name in the configuration; real: the recorded motions.
    out
        Folder for replications.parquet, per_prompt.parquet, samples.safetensors.
    device
        Where to compute: auto, cpu or cuda.
    """
    from motionrft.backbones.generate import generate_with
    from motionrft.backbones.io import load_backbone
    from motionrft.device import pick_device
    from motionrft.errors import InputError
    from motionrft.evaluation.replicate import replicate, summary
    from motionrft.evaluation.scorer import REAL, Scorer
    from motionrft.evaluation.settings import EvaluateSettings
    from motionrft.files import file_digest, provenance
    from motionrft.finetune.setup import prepare_sampling
    from motionrft.motion.plausibility import implausible
    from motionrft.options import read_options
    from motionrft.text.features import TextCache

    resolved = run.load()
    settings = read_options(
        EvaluateSettings, resolved["evaluate"], where=str(run.config), field="evaluate"
    )
    count = settings.replications if draws.replications is None else draws.replications
    if count < 1:
        raise InputError(
            f"{count} replications", where="evaluate", field="--replications", fix="run at least 1"
        )
    if (files.model is None) != (backbone == REAL):
        raise InputError(
            "--backbone and --model go together",
            where="evaluate",
            field="--model",
            fix="give both, or neither for the recorded motions",
        )
    if (steering.method is None) == bool(steering.reward) or (
        steering.method and files.model is None
    ):
        raise InputError(
            "--method, --reward and --model go together",
            where="evaluate",
            field="--method",
            fix="give all three, or --model alone",
        )
    entry: dict[str, Any] = {}
    if files.model is not None:
        entry = named(resolved, "backbones", backbone, run.config)
    if files.model is not None and files.text is None:
        raise InputError(
            "missing", where="evaluate", field="--text", fix="name the backbone's text feature file"
        )
    chosen = pick_device(device)
    scorer = Scorer(
        files.features,
        files.evaluator,
        evaluator_text(files.evaluator, files.evaluator_text, files.text),
        settings.rules(),
        split=draws.split,
        seed=draws.seed,
        device=chosen,
        any_corpus=draws.any_corpus,
    )
    about = {
        "backbone": backbone,
        "corpus_digest": scorer.corpus,
        "evaluator_digest": file_digest(files.evaluator),
        "evaluator": scorer.about["label"],
        "evaluator_precision": settings.precision,
        "model_digest": None if files.model is None else file_digest(files.model),
        "protocol": settings.protocol,
        "lengths": "reference" if scorer.lengths is None else "estimated",
        "settings": resolved["evaluate"],
        "split": draws.split,
        "seed": draws.seed,
        "replications": count,
    }
    if files.model is None:
        one = scorer.score_real
    else:
        assert files.text is not None
        network, _ = load_backbone(files.model, chosen, family=entry["family"])
        text = TextCache(files.text, tokens=network.reads_tokens)
        about["sampler"] = sampler = entry["sampler"]
        source: Source | None = None
        if steering.method is not None:
            about["method"] = named(resolved, "methods", steering.method, run.config)
            read = TextCache(steering.reward_text or files.text)
            source = partial(
                generate_with,
                prepare_sampling(
                    resolved, backbone, steering.method, network, steering.reward, read
                ),
                network,
                text=text,
                batch_size=settings.batch_size,
                beyond=scorer.rules.frames_beyond,
            )

        def one(replication: int) -> Result:
            if source is not None:
                return scorer.score(source, network.representation, backbone, replication)
            return scorer.score_backbone(
                network, sampler, text, backbone, replication, settings.batch_size
            )

    frame = replicate(
        scorer,
        one,
        out,
        count,
        about,
        keep_samples=settings.samples,
        finish=lambda: {
            "provenance": provenance(resolved["evaluate"], seed=draws.seed, device=str(chosen))
        },
    )
    label, protocol = scorer.about["label"], settings.protocol
    half = " in bf16" if settings.precision == "bf16" else ""
    print(f"{backbone} on {draws.split}, {label} evaluator{half}, protocol {protocol}")
    print(summary(frame).to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    if files.model is not None:
        means = frame.groupby("metric")["value"].mean().to_dict()
        for fault in implausible(means, scorer.recorded_physics(), network.representation):
            logging.getLogger(__name__).warning("%s is implausible: %s", backbone, fault)


def evaluator_text(evaluator: Path, given: Path | None, backbones: Path | None) -> TextCache | None:
    """The text cache that an evaluator file reads: as given, or the file of its encoder's name beside the backbone's;
    None of one that holds words of its own."""
    from motionrft.files import read_tensors
    from motionrft.text.features import TextCache

    tensors, about = read_tensors(evaluator)
    if "words.text" in tensors:
        return None
    if given is None and backbones is not None:
        name = about.get("text", {}).get("name")
        own = name is None or name == read_tensors(backbones)[1].get("name")
        given = backbones if own else backbones.with_name(f"{name}.safetensors")
    return None if given is None else TextCache(given)
