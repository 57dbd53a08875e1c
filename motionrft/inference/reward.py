"""Motions and sentences to scores: MotionReward as a tool of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from motionrft.backbones.header import text_facts
from motionrft.corpus.store import FeatureStore
from motionrft.errors import InputError
from motionrft.files import read_tensors
from motionrft.inference.motion import Motion
from motionrft.inference.sentences import SentenceEncoder, checked_sentences, find_encoder
from motionrft.motion.compat import HUMANML3D
from motionrft.motion.representation import KINEMATIC
from motionrft.motion.skeleton import SKELETONS, SMPL_22
from motionrft.reward import terms
from motionrft.reward.files import stage_files
from motionrft.reward.motion_reward import MotionReward
from motionrft.text.features import TextCache

LOG = logging.getLogger("motionrft.inference")
RECORDED = 256  # recorded motions that scores are set beside
BATCH = 64
SHORTEST = 5  # frames that features are defined for
REFERENCE_TERM = "m2m"  # needs the recorded motion of the sentence, which a user's has none of


class RewardModel:
    """A trained reward with its corpus's statistics and its text encoder. weights: the run's, by term."""

    def __init__(
        self,
        reward: MotionReward,
        weights: dict[str, float],
        store: FeatureStore,
        encoder: SentenceEncoder,
    ):
        self.reward, self.weights, self.store, self.encoder = reward, weights, store, encoder
        self.skeleton = SKELETONS[store.about.get("skeleton", SMPL_22.name)]
        self.fps = float(store.about.get("fps", self.skeleton.fps))
        self._recorded: dict[str, pd.DataFrame] = {}

    def score(self, motions: Sequence[Motion], sentences: Sequence[str]) -> pd.DataFrame:
        """A row a motion: its sentence, each term's score, `total` (the sum by the run's weights, without m2m), and
        `<name>_percentile`: how many per cent of the corpus's recorded test motions score lower with their own
        captions, in the same representation.
        """
        if len(motions) != len(sentences):
            raise InputError(
                f"{len(motions)} motions and {len(sentences)} sentences",
                fix="give one sentence a motion",
            )
        captions = checked_sentences(sentences)
        self.encoder.remark_unknown(captions)
        prepared = [self.features(motion) for motion in motions]
        rows: list[dict[str, Any]] = [{} for _ in motions]
        for kind in dict.fromkeys(kind for kind, _ in prepared):
            chosen = [row for row, (found, _) in enumerate(prepared) if found == kind]
            scores = self._scores(
                [prepared[row][1] for row in chosen], [captions[row] for row in chosen], kind
            )
            recorded = self.recorded(kind)
            for name in list(scores):
                below = np.searchsorted(np.sort(recorded[name].to_numpy()), scores[name].to_numpy())
                scores[f"{name}_percentile"] = 100.0 * below / len(recorded)
            for row, values in zip(chosen, scores.to_dict("records"), strict=True):
                rows[row] = {"sentence": captions[row], "representation": kind, **values}
        return pd.DataFrame(rows)

    def features(self, motion: Motion) -> tuple[str, Tensor]:
        """(representation, raw features [T, dim]) of a motion: its own where they are the corpus's kind, else
        kinematic ones, extracted from its joints as the corpus's are."""
        if motion.skeleton is not self.skeleton or abs(motion.fps - self.fps) > 1e-6:
            raise InputError(
                f"a motion of {motion.skeleton.name} at {motion.fps:g} frames a second, the reward's corpus is "
                f"{self.skeleton.name} at {self.fps:g}",
                fix="score it with a reward of its own kind",
            )
        if len(motion) < SHORTEST:
            raise InputError(
                f"{len(motion)} frames, at least {SHORTEST} needed", fix="score a longer motion"
            )
        if motion.features is not None and self._same_kind(motion):
            return motion.representation, motion.features
        kinematic = self.store.representation(KINEMATIC)
        with torch.no_grad():
            features, lengths = kinematic.encode(
                motion.joints[None].float(), torch.tensor([len(motion)])
            )
        features = features[0, : int(lengths[0])]
        if not bool(features.isfinite().all()):
            raise InputError("a bone whose features are undefined", fix="repair the motion")
        return KINEMATIC, features

    def _same_kind(self, motion: Motion) -> bool:
        corpus = motion.about.get("corpus", {})
        defaults = {"compat": HUMANML3D, "bone_lengths": None}
        return all(
            corpus.get(key, default) == self.store.about.get(key, default)
            for key, default in defaults.items()
        )

    def recorded(self, representation: str) -> pd.DataFrame:
        """Scores of recorded test motions (the first `RECORDED` of a fixed draw) with their first captions."""
        if representation not in self._recorded:
            clips = self.store.clips
            rows = np.flatnonzero((clips["split"] == "test") & (clips["frames"] >= SHORTEST))
            if not len(rows):
                raise InputError(
                    "no test clip to compare with",
                    where=self.store.folder,
                    fix="use a larger corpus",
                )
            rows = np.random.default_rng(0).permutation(rows)[:RECORDED]
            array = self.store.features(representation)
            motions = [
                torch.from_numpy(np.array(array[clip["start"] : clip["start"] + clip["frames"]]))
                for _, clip in clips.iloc[rows].iterrows()
            ]
            captions = [captions[0] for captions in clips.iloc[rows]["captions"]]
            self._recorded[representation] = self._scores(motions, captions, representation)
        return self._recorded[representation]

    @torch.no_grad()
    def _scores(
        self, motions: Sequence[Tensor], captions: Sequence[str], representation: str
    ) -> pd.DataFrame:
        """Every term's scores and their weighted sum of raw features [T_i, dim]."""
        normaliser = self.store.normaliser(representation)
        device = next(self.reward.parameters()).device
        parts = []
        for begin in range(0, len(motions), BATCH):
            part = [normaliser.normalise(rows.float()) for rows in motions[begin : begin + BATCH]]
            lengths = torch.tensor([len(rows) for rows in part], device=device)
            text = self.encoder(list(captions[begin : begin + BATCH])).to(device)
            context = self.reward.context(text, None, lengths, representation)
            scores = self.reward(pad_sequence(part, batch_first=True).to(device), lengths, context)
            parts.append(
                pd.DataFrame({name: scores[name].cpu().numpy() for name in self.reward.dimensions})
            )
        table = pd.concat(parts, ignore_index=True)
        table["total"] = sum(self.weights.get(name, 0.0) * table[name] for name in table)
        return table


def load_reward(
    folder: str | Path,
    *,
    features: str | Path | None = None,
    encoder: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> RewardModel:
    """The reward whose stage files lie in `folder` (a run's `reward`). features: the feature store whose statistics
    it was trained with; encoder: the folder of its text encoder; by default both are its run's."""
    folder = Path(folder)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError("no reward file", where=folder, fix="name a run's reward folder")
    stages = stage_files(files)
    about = read_tensors(stages["semantic"])[1]
    if "settings" not in about:
        raise InputError(
            "its header has no settings of a run (imported weights)", where=stages["semantic"],
            fix="use the files of train-reward",
        )  # fmt: skip
    weights = {name: float(weight) for name, weight in about["settings"]["weights"].items()}
    if weights.pop(REFERENCE_TERM, 0.0):
        LOG.info("m2m is left out: it needs the recorded motion of the sentence")
    known = [name for name in weights if terms.branch_of(name) in (None, *stages)]
    for name in sorted(set(weights) - set(known)):
        LOG.warning("no %s stage in %s: the total is without it", name, folder)
    reward = MotionReward.load(stages, dict.fromkeys(known, 1.0), device=device)
    run = folder.resolve().parent
    store = FeatureStore(features or run / "features")
    name = about["settings"]["text"]
    cache = run / "text" / f"{name}.safetensors"
    if not cache.is_file():
        raise InputError(
            f"no text features {name!r} to know its text encoder by", where=cache,
            fix="name the reward folder of a run",
        )  # fmt: skip
    text = TextCache(cache)
    facts = text_facts(name, text.about["encoder"], text)
    found = find_encoder(facts, stages["semantic"], encoder)
    found.encoder.to(device)
    return RewardModel(reward, weights, store, found)
