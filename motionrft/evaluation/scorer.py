"""A split of a corpus, an evaluator and a protocol, ready to score any source of motions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.backbones.base import Backbone
from motionrft.backbones.generate import generate
from motionrft.corpus.dataset import MotionDataset
from motionrft.corpus.samples import Samples
from motionrft.errors import InputError
from motionrft.evaluation.convert import Converter
from motionrft.evaluation.evaluators.clipscore import PREFIX, ClipScore
from motionrft.evaluation.evaluators.embedding import Evaluator, Reader
from motionrft.evaluation.evaluators.evaluator import CacheReader, corpus_digest, load_evaluator
from motionrft.evaluation.evaluators.official import table_of
from motionrft.evaluation.evaluators.t2m import UNIT
from motionrft.evaluation.lengths import PREFIX as LENGTHS
from motionrft.evaluation.lengths import Lengths
from motionrft.evaluation.protocol import NONE, SAME, SECOND, Draw, Protocol, draw
from motionrft.evaluation.scores import score_embeddings, score_repeats
from motionrft.evaluation.words import GloveReader, caption_tokens
from motionrft.motion.realism import contact_speed, realism, self_consistency
from motionrft.motion.representation import KINEMATIC
from motionrft.text.features import TextCache

# captions, lengths [N], noise seeds -> raw features, N tensors [T_i, dim]; where the protocol's padding is
# what the model emits, frames may follow those of the length
Source = Callable[[Sequence[str], Tensor, Sequence[int]], list[Tensor]]
REAL = "real"


@dataclass(frozen=True)
class Result:
    """One replication: metrics by name, one row a prompt, and the motions that were scored."""

    metrics: dict[str, float]
    prompts: pd.DataFrame
    samples: Samples


class Judge:
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
        self.evaluator: Evaluator
        self.evaluator, self.about, extra = load_evaluator(
            evaluator, corpus=None if any_corpus else self.corpus, device=device
        )
        self.reader = _reader(self.about, extra, text, self.data, evaluator)
        self.clip_score = None
        if f"{PREFIX}ids" in extra:
            self.clip_score = ClipScore.read(extra, self.evaluator.normaliser)
            self.clip_score.network.to(device)
        self.lengths = None
        if rules.lengths == "estimated" and f"{LENGTHS}hidden" in extra:
            assert isinstance(self.reader, GloveReader)
            skeleton = self.data.store.about.get("skeleton", "smpl22")
            self.lengths = Lengths.read(extra, self.reader, skeleton)
            self.lengths.network.to(device)
        self.clips = _whole(self.data.clips) if rules.whole else self.data.clips
        self._clips = self.clips["clip"].tolist()
        self._captions = self.clips["captions"].tolist()
        distinct = sorted({caption for several in self._captions for caption in several})
        self._row = {caption: row for row, caption in enumerate(distinct)}
        self._texts = self.evaluator.embed_texts(distinct, self.reader)

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
        rule = self.rules.real_reference
        lengths = torch.from_numpy(np.asarray(drawn.lengths, dtype=np.int64))
        return self._score(drawn, motions, lengths, KINEMATIC, REAL, rule, None)

    def _asked(
        self, captions: Sequence[str], seeds: Sequence[int], reference: np.ndarray
    ) -> Tensor:
        """Lengths [N] that a model is asked for, by `Protocol.lengths`."""
        if self.lengths is None:
            return torch.from_numpy(np.asarray(reference, dtype=np.int64))
        return self.lengths(captions, seeds).clamp(max=self.rules.max_frames)

    def score(self, source: Source, representation: str, name: str, replication: int) -> Result:
        """Motions of `source` for the draw's prompts, in `representation`."""
        drawn = self.draw(replication)
        captions, _ = self.prompts(drawn)
        count = drawn.generated
        lengths = self._asked(captions[:count], drawn.seeds[:count], drawn.lengths[:count])
        motions = source(captions[:count], lengths, drawn.seeds[:count])
        rule = self.rules.reference
        return self._score(drawn, motions, lengths, representation, name, rule, source)

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

        beyond = UNIT if self.rules.padding == "emitted" else 0

        def source(captions: Sequence[str], lengths: Tensor, seeds: Sequence[int]) -> list[Tensor]:
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
        return self._embed(self._inputs(motions, converter), generator)

    def _inputs(self, motions: Sequence[Tensor], converter: Converter) -> list[Tensor]:
        padded = self.rules.max_frames if self.rules.padding == "joints" else 0
        return converter.evaluator_input(motions, self.evaluator.reads, padded)

    def _embed(
        self,
        inputs: Sequence[Tensor],
        generator: torch.Generator | None,
        lengths: Sequence[int] | None = None,
    ) -> Tensor:
        padding = None
        if self.rules.padding == "training" and self.evaluator.reads == "all but contacts":
            padding = self.data.normaliser.mean
        rows = self.evaluator.embed_motions(inputs, padding=padding, lengths=lengths)
        return self.evaluator.points(rows, generator)

    def _score(
        self,
        drawn: Draw,
        motions: list[Tensor],
        lengths: Tensor,
        representation: str,
        name: str,
        reference: str,
        source: Source | None,
    ) -> Result:
        captions, clips = (part[: len(motions)] for part in self.prompts(drawn))
        facts = self.data.store.about
        converter, recorded = Converter(representation, facts), Converter(KINEMATIC, facts)
        draws = self._draws(drawn)
        motions, inputs, embedded = self._read(motions, lengths, converter, draws)
        texts = self.evaluator.points(
            self._texts[[self._row[caption] for caption in captions]], draws
        )
        against = None
        if reference == SAME:
            against = embedded if source is None else self.embed(self.real(drawn), recorded, draws)
        elif reference == SECOND:
            second = self.real(self.draw(drawn.replication, second=True))
            against = self.embed(second, recorded, draws)
        elif reference != NONE:
            raise ValueError(f"unknown reference {reference!r}")
        metrics, rows = score_embeddings(texts, embedded, against, drawn, self.rules)
        plan = self.rules.multimodality
        if source is not None and plan.texts and drawn.replication < plan.replications:
            metrics["MultiModality"] = self._repeats(drawn, captions, source, converter)
        if self.clip_score is not None:
            metrics["CLIP-score"] = self.clip_score(captions, inputs)
        joints = converter.joints(motions)
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
        wanted = [int(position) for position in drawn.texts for _ in range(repeats)]
        seeds = [seed for position in drawn.texts for seed in drawn.repeat_seeds(position, repeats)]
        asked = [captions[position] for position in wanted]
        lengths = self._asked(asked, seeds, drawn.lengths[wanted])
        motions = source(asked, lengths, seeds)
        _, _, embedded = self._read(motions, lengths, converter, self._draws(drawn))
        return score_repeats(embedded.unflatten(0, (len(drawn.texts), repeats)), drawn, self.rules)

    def _read(
        self,
        generated: list[Tensor],
        lengths: Tensor,
        converter: Converter,
        draws: torch.Generator | None,
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Generated motions without what follows their lengths, what the evaluator reads of them, embeddings."""
        motions = [
            motion[: int(length)] for motion, length in zip(generated, lengths, strict=False)
        ]
        inputs = self._inputs(motions, converter)
        frames = converter.name == KINEMATIC and self.evaluator.reads == "all but contacts"
        if self.rules.padding == "emitted" and frames:
            counted = [len(motion) for motion in motions]
            return motions, inputs, self._embed(generated, draws, counted)
        return motions, inputs, self._embed(inputs, draws)

    def _draws(self, drawn: Draw) -> torch.Generator | None:
        """The same draws of embeddings for every model compared."""
        if not self.rules.sampled:
            return None
        state = np.random.SeedSequence([self.seed, drawn.replication, 5]).generate_state(1)
        return torch.Generator().manual_seed(int(state[0]))


def _whole(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips without the captioned parts (`A_NAME`) of others."""
    part = [
        bool(source) and name != source and name.endswith(f"_{source}")
        for name, source in zip(clips["clip"], clips["source"], strict=True)
    ]
    return clips[~np.array(part)].reset_index(drop=True)


def physics(motions: list[Tensor], joints: list[Tensor], converter: Converter) -> dict[str, float]:
    """Means over clips of every realism measure; clips that are not finite are left out."""
    usable = [
        row for row, clip in enumerate(joints) if len(clip) > 3 and bool(clip.isfinite().all())
    ]
    found: dict[str, list[Tensor]] = {}
    for begin in range(0, len(usable), 128):
        rows = usable[begin : begin + 128]
        lengths = torch.tensor([len(joints[row]) for row in rows])
        batch = pad_sequence([joints[row] for row in rows], batch_first=True)
        values = realism(batch, lengths, converter.fps, converter.skeleton)
        if converter.name == KINEMATIC:
            features = pad_sequence([motions[row] for row in rows], batch_first=True)
            contacts = features[..., -4:]
            values["contact_speed"] = contact_speed(
                batch, contacts, lengths, converter.fps, converter.skeleton
            )
            values["self_consistency_mm"] = self_consistency(
                features, lengths, converter.skeleton, converter.compat, converter.bone_lengths
            )
        for key, value in values.items():
            found.setdefault(key, []).append(value)
    return {key: float(torch.cat(parts).double().mean()) for key, parts in found.items()}


def _reader(
    about: dict[str, Any],
    extra: dict[str, Tensor],
    text: TextCache | None,
    data: MotionDataset,
    where: str | Path,
) -> Reader:
    if "words.text" in extra:
        return GloveReader(table_of(extra), caption_tokens(data.store.clips))
    if text is None:
        raise InputError(
            "this evaluator reads a text cache",
            where=where,
            field="--evaluator-text",
            fix="name the file",
        )
    trained, given = (part.get("encoder") for part in (about.get("text", {}), text.about))
    if trained != given:
        raise InputError(
            f"made by encoder {given}, but the evaluator was trained on {trained}",
            where=text.path,
            field="encoder",
            fix="pass the cache of that encoder as --evaluator-text",
        )
    return CacheReader(text)
