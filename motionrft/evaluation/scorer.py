"""A split of a corpus, an evaluator and a protocol, ready to score any source of motions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from motionrft.backbones.base import Backbone
from motionrft.backbones.generate import generate
from motionrft.corpus.dataset import MotionDataset
from motionrft.corpus.samples import Samples
from motionrft.evaluation.clip_score import PREFIX as CLIP
from motionrft.evaluation.clip_score import ClipScore
from motionrft.evaluation.convert import Converter
from motionrft.evaluation.evaluator_file import corpus_digest, load_evaluator
from motionrft.evaluation.lengths import PREFIX as LENGTHS
from motionrft.evaluation.lengths import Lengths
from motionrft.evaluation.physics import physics
from motionrft.evaluation.protocol import Draw, Protocol, draw
from motionrft.evaluation.readers import caption_reader
from motionrft.evaluation.scores import score_embeddings, score_repeats
from motionrft.evaluation.words import GloveReader
from motionrft.motion.representation import KINEMATIC
from motionrft.text.features import TextCache

# captions, lengths [N], noise seeds -> raw features, N tensors [T_i, dim]; frames may follow those of the length
# where a protocol's evaluator sees them (`Protocol.after_length`)
Source = Callable[[Sequence[str], Tensor, Sequence[int]], list[Tensor]]
REAL = "real"


@dataclass(frozen=True)
class Result:
    """One replication: metrics by name, one row a prompt, and the motions that were scored."""

    metrics: dict[str, float]
    prompts: pd.DataFrame
    samples: Samples


class Scorer:
    """Scores motions on one split. The test split is for reporting only; select on "val"."""

    def __init__(
        self,
        features: str | Path,
        evaluator: str | Path,
        text: TextCache | None,
        rules: Protocol,
        *,
        split: str = "test",
        seed: int = 0,
        device: torch.device | str = "cpu",
        any_corpus: bool = False,
    ):
        self.rules, self.split, self.seed = rules, split, seed
        self.data = MotionDataset(
            features, KINEMATIC, split, max_frames=rules.max_frames, min_frames=rules.min_frames
        )
        self.corpus = corpus_digest(self.data.store)
        self.evaluator, self.about, extra = load_evaluator(
            evaluator, corpus=None if any_corpus else self.corpus, device=device
        )
        self.reader = caption_reader(self.about, extra, text, self.data.store.clips, evaluator)
        self.clip_score = None
        if f"{CLIP}ids" in extra:
            self.clip_score = ClipScore.read(extra, self.evaluator.normaliser)
            self.clip_score.network.to(device)
        self.lengths = None
        if rules.estimates_lengths and f"{LENGTHS}hidden" in extra:
            assert isinstance(self.reader, GloveReader)
            skeleton = self.data.store.about.get("skeleton", "smpl22")
            self.lengths = Lengths.read(extra, self.reader, skeleton)
            self.lengths.network.to(device)
        self.clips = rules.clips(self.data.clips)
        self._clips = self.clips["clip"].tolist()
        self._captions = self.clips["captions"].tolist()
        distinct = sorted({caption for several in self._captions for caption in several})
        self._row = {caption: row for row, caption in enumerate(distinct)}
        self._texts = self.evaluator.embed_texts(distinct, self.reader, precision=rules.precision)

    def draw(self, replication: int, second: bool = False) -> Draw:
        counts = np.array([len(captions) for captions in self._captions])
        frames = self.clips["frames"].to_numpy()
        return draw(frames, counts, self.rules, self.seed, replication, second)

    def prompts(self, drawn: Draw) -> tuple[list[str], list[str]]:
        """Captions and clip names of a draw's rows."""
        rows = drawn.rows.tolist()
        captions = [
            self._captions[row][index]
            for row, index in zip(rows, drawn.captions.tolist(), strict=True)
        ]
        return captions, [self._clips[row] for row in rows]

    def real(self, drawn: Draw) -> list[Tensor]:
        """The draw's recorded motions, raw kinematic features."""
        starts = self.clips["start"].to_numpy()[drawn.rows] + drawn.begins
        return [
            torch.from_numpy(np.array(self.data.array[start : start + length]))
            for start, length in zip(starts, drawn.lengths, strict=True)
        ]

    def score_real(self, replication: int) -> Result:
        """Recorded motions as if they were generated."""
        drawn = self.draw(replication)
        motions = self.real(drawn)[: drawn.generated]
        lengths = torch.from_numpy(np.asarray(drawn.lengths, dtype=np.int64))
        return self._score(drawn, motions, lengths, KINEMATIC, REAL, None)

    def recorded_physics(self) -> dict[str, float]:
        """How the recorded motions of the first draw move."""
        motions = self.real(self.draw(0))
        converter = Converter(KINEMATIC, self.data.store.about)
        return physics(motions, converter.joints(motions), converter)

    def _lengths_of(
        self, captions: Sequence[str], seeds: Sequence[int], reference: np.ndarray
    ) -> Tensor:
        """Lengths [N] that a model is asked for: the reference's, or drawn from the captions."""
        if self.lengths is None:
            return torch.from_numpy(np.asarray(reference, dtype=np.int64))
        return self.lengths(captions, seeds).clamp(max=self.rules.max_frames)

    def score(self, source: Source, representation: str, name: str, replication: int) -> Result:
        """Motions of `source` for the draw's prompts, in `representation`."""
        drawn = self.draw(replication)
        captions, _ = self.prompts(drawn)
        count = drawn.generated
        lengths = self._lengths_of(captions[:count], drawn.seeds[:count], drawn.lengths[:count])
        motions = source(captions[:count], lengths, drawn.seeds[:count])
        return self._score(drawn, motions, lengths, representation, name, source)

    def score_backbone(
        self,
        backbone: Backbone,
        sampler: dict[str, Any],
        text: TextCache,
        name: str,
        replication: int = 0,
        batch_size: int = 128,
    ) -> Result:
        """A backbone in memory, as it samples: what a fine-tuning loop calls on the validation split."""

        def source(captions: Sequence[str], lengths: Tensor, seeds: Sequence[int]) -> list[Tensor]:
            beyond = self.rules.frames_beyond
            return generate(
                backbone, sampler, captions, lengths, seeds, text, batch_size, beyond=beyond
            )

        training = backbone.training
        backbone.eval()
        result = self.score(source, backbone.representation, name, replication)
        backbone.train(training)
        return result

    def embed(
        self,
        motions: Sequence[Tensor],
        converter: Converter,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Embeddings [N, E] of raw features in the converter's representation (`generator`: `Evaluator.points`)."""
        inputs = self.evaluator.inputs(motions, converter, self.rules.joint_frames())
        return self._embed(inputs, [len(motion) for motion in inputs], generator)

    def _embed(
        self, inputs: Sequence[Tensor], lengths: Sequence[int], generator: torch.Generator | None
    ) -> Tensor:
        padding = self.rules.padding(self.evaluator.reads, self.data.normaliser.mean)
        rows = self.evaluator.embed_motions(
            inputs, padding=padding, lengths=lengths, precision=self.rules.precision
        )
        return self.evaluator.points(rows, generator)

    def _score(
        self,
        drawn: Draw,
        motions: list[Tensor],
        lengths: Tensor,
        representation: str,
        name: str,
        source: Source | None,
    ) -> Result:
        captions, clips = (part[: len(motions)] for part in self.prompts(drawn))
        facts = self.data.store.about
        converter, recorded = Converter(representation, facts), Converter(KINEMATIC, facts)
        noise = self.rules.embedding_noise(self.seed, drawn.replication)
        motions, inputs, embedded = self._embed_generated(motions, lengths, converter, noise)
        texts = self.evaluator.points(
            self._texts[[self._row[caption] for caption in captions]], noise
        )
        compared = self.rules.reference(
            drawn, partial(self.draw, drawn.replication, second=True), source is None
        )
        reference = None
        if compared is not None:
            same = source is None and compared is drawn
            reference = embedded if same else self.embed(self.real(compared), recorded, noise)
        paired = compared is drawn and reference is not None and len(reference) == len(embedded)
        metrics, rows = score_embeddings(
            texts, embedded, reference, drawn, self.rules, paired=paired
        )
        plan = self.rules.multimodality
        if source is not None and plan.texts and drawn.replication < plan.replications:
            metrics["MultiModality"] = self._repeats(drawn, captions, source, converter)
        if self.clip_score is not None:
            metrics["CLIP-score"] = self.clip_score(captions, inputs)
        joints = converter.joints(motions)
        if self.rules.measures_realism(drawn.replication):
            metrics |= physics(motions, joints, converter)
        prompts = pd.DataFrame(
            {
                "clip": clips,
                "caption": captions,
                **{key: value.numpy() for key, value in rows.items()},
            }
        )
        samples = Samples(representation, motions, joints, captions, clips, name, {})
        return Result(metrics, prompts, samples)

    def _repeats(
        self, drawn: Draw, captions: list[str], source: Source, converter: Converter
    ) -> float:
        repeats = self.rules.multimodality.repeats
        positions = [int(position) for position in drawn.texts for _ in range(repeats)]
        seeds = [seed for position in drawn.texts for seed in drawn.repeat_seeds(position, repeats)]
        prompts = [captions[position] for position in positions]
        lengths = self._lengths_of(prompts, seeds, drawn.lengths[positions])
        motions = source(prompts, lengths, seeds)
        noise = self.rules.embedding_noise(self.seed, drawn.replication)
        _, _, embedded = self._embed_generated(motions, lengths, converter, noise)
        return score_repeats(embedded.unflatten(0, (len(drawn.texts), repeats)), drawn, self.rules)

    def _embed_generated(
        self,
        generated: list[Tensor],
        lengths: Tensor,
        converter: Converter,
        noise: torch.Generator | None,
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Generated motions without what follows their lengths, what the evaluator reads of them, embeddings."""
        motions = [
            motion[: int(length)] for motion, length in zip(generated, lengths, strict=False)
        ]
        inputs = self.evaluator.inputs(motions, converter, self.rules.joint_frames())
        comparable = converter.name == KINEMATIC == self.evaluator.reads
        seen = self.rules.after_length(inputs, generated, comparable)
        return motions, inputs, self._embed(seen, [len(motion) for motion in inputs], noise)
