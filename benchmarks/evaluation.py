"""Where a full evaluation spends its time: 4,384 test clips, one replication measured, twenty reckoned.

    OMP_NUM_THREADS=1 python benchmarks/evaluation.py [--clips 4384] [--sampled 256] [--official]

The networks are small and random, which changes no cost. Sampling is measured on `--sampled` prompts and
scaled by their number; everything else runs on all clips. `--official` takes an evaluator of the official
size. Times are processor seconds of one core.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from motionrft.backbones.generate import generate
from motionrft.backbones.io import build_backbone
from motionrft.configuration import load_run
from motionrft.corpus.store import FeatureStore
from motionrft.evaluation.evaluator_file import corpus_digest, save_evaluator
from motionrft.evaluation.evaluators.t2m.model import TextMotionMatch, Widths
from motionrft.evaluation.scorer import Scorer
from motionrft.evaluation.settings import protocol
from motionrft.files import write_table, write_tensors
from motionrft.motion.representation import representation
from motionrft.text.cache_writer import write_cache
from motionrft.text.features import TextBatch, TextCache

DISTINCT = 64  # motions in the store; the clips share them, so that the disk does not fill
STAGES = {
    "draws, captions": ("draw", "prompts"),
    "reading real motions": ("real",),
    "sampling": ("source",),
    "features from generated motions": ("inputs",),
    "embedding real and generated motions": ("embed_motions",),
    "R-Precision, FID, retrieval, …": ("score_embeddings",),
    "joints": ("joints",),
    "realism": ("physics",),
}


def write_store(folder: Path, clips: int) -> Path:
    """A feature store of `clips` test clips of 40 to 196 frames over a few distinct motions."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    frames = rng.integers(41, 197, size=DISTINCT)
    body = torch.randn(22, 3, generator=torch.Generator().manual_seed(0)) * 0.3
    time_axis = torch.arange(200)[:, None, None] * 0.15
    swing = torch.rand(DISTINCT, 1, 22, 3, generator=torch.Generator().manual_seed(1)) * 6
    joints = body + 0.1 * torch.sin(time_axis + swing)
    features, lengths = representation("kinematic").encode(joints, torch.from_numpy(frames))
    rows = np.concatenate([features[i, :n].numpy() for i, n in enumerate(lengths.tolist())])
    np.save(folder / "kinematic.npy", rows)
    statistics = {
        "kinematic.mean": torch.from_numpy(rows.mean(0)),
        "kinematic.std": torch.from_numpy(rows.std(0)) + 0.1,
    }
    write_tensors(folder / "stats.safetensors", statistics, {})
    starts = np.cumsum(lengths) - lengths
    which = rng.integers(DISTINCT, size=clips)
    table = pd.DataFrame(
        {
            "clip": [f"c{row}" for row in range(clips)],
            "start": starts[which],
            "frames": lengths[which],
            "split": "test",
            "captions": [[f"caption {row} {k}" for k in range(3)] for row in range(clips)],
        }
    )
    write_table(folder / "clips.parquet", table, {"fps": 20.0})
    return folder


def write_text(path: Path, store: Path, width: int = 64, words: int = 12) -> TextCache:
    captions = ["", *(c for several in FeatureStore(store).clips["captions"] for c in several)]
    tokens = torch.randn(len(captions), words, width)
    mask = torch.ones(len(captions), words, dtype=torch.bool)
    batch = TextBatch(tokens.mean(1), tokens, mask, torch.full((len(captions),), words - 1))
    write_cache(path, captions, [batch], {"name": "bench", "encoder": {"width": width}})
    return TextCache(path)


def write_evaluator(path: Path, store: FeatureStore, word: int, official: bool) -> Path:
    widths = Widths() if official else Widths(96, 96, 96, 96, 64)
    evaluator = TextMotionMatch(widths, store.normaliser("kinematic"), word=word)
    about = {
        "label": "self-trained", "corpus": corpus_digest(store), "text": {"encoder": {"width": word}},
        "build": {"widths": vars(widths), "word": word},
    }  # fmt: skip
    save_evaluator(path, evaluator, about)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=4384)
    parser.add_argument("--sampled", type=int, default=256)
    parser.add_argument("--replications", type=int, default=20)
    parser.add_argument("--official", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = write_store(folder / "features", options.clips)
        text = write_text(folder / "text.safetensors", store)
        model = write_evaluator(
            folder / "m.safetensors", FeatureStore(store), text.token_dim, options.official
        )
        began = time.process_time()
        rules = protocol("sound", multimodality={"texts": 0})
        scorer = Scorer(store, model, text, rules)
        opening = time.process_time() - began
        settings = load_run("config/toy.yaml")["backbones"]["mdm"]
        backbone = build_backbone(
            settings, dim=263, text={"pooled": text.pooled_dim, "tokens": text.token_dim},
            normaliser=FeatureStore(store).normaliser("kinematic"),
        ).eval()  # fmt: skip

        def source(captions, lengths, seeds):
            count = min(options.sampled, len(captions))
            made = generate(
                backbone,
                settings["sampler"],
                captions[:count],
                lengths[:count],
                seeds[:count],
                text,
            )
            # the rest: the recorded motions, so that all later stages see all clips
            return made + scorer.real(scorer.draw(0))[count : len(captions)]

        profile = cProfile.Profile(time.process_time)
        profile.runcall(scorer.score, source, "kinematic", "bench", 0)
    report(profile, opening, options, len(scorer.data))


def report(
    profile: cProfile.Profile, opening: float, options: argparse.Namespace, clips: int
) -> None:
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    own = {
        stage: sum(values[3] for key, values in stats.items() if key[2] in names and _ours(key[0]))
        for stage, names in STAGES.items()
    }
    sampling = sum(values[3] for key, values in stats.items() if key[2] == "generate")
    own["sampling"] = sampling * clips / min(options.sampled, clips)
    total = sum(own.values())
    print(
        f"{clips} clips, evaluator {'official size' if options.official else 'small'}; opening {opening:.1f} s"
    )
    print(f"{'stage':40s} {'s a replication':>16s} {'share':>7s}")
    for stage, seconds in own.items():
        print(f"{stage:40s} {seconds:16.2f} {seconds / total:7.1%}")
    whole = options.replications * total
    print(
        f"{'all':40s} {total:16.2f}   x {options.replications} = {whole / 3600:.2f} h of one core"
    )
    scoring = options.replications * (total - own["sampling"])
    print(f"without sampling: {scoring / 60:.1f} min")


def _ours(path: str) -> bool:
    return "motionrft/evaluation" in path or path == __file__


if __name__ == "__main__":
    main()
