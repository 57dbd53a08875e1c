"""Mining and objective of the self-refinement stage: which motion each caption wrongly retrieves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.reward.data.clips import AlignedBatch, AlignedClips
from motionrft.reward.network import RewardNetwork
from motionrft.reward.retrieval import embed
from motionrft.reward.settings import OfficialBehaviour, SplSettings
from motionrft.reward.spl import mine, spl_loss
from motionrft.reward.stages.semantic_objective import SemanticObjective
from motionrft.text.features import TextBatch, TextCache


@dataclass(frozen=True)
class Mined:
    """The best-scored motion of each caption in one representation: features None means motions of the
    batch itself, to be mined there. solved [B]: the true motion is retrieved."""

    representation: str
    features: Tensor | None = None
    lengths: Tensor | None = None
    solved: Tensor | None = None


class Refinement:
    """Mines the training split with the network as it stands, embedding it anew every `every` steps."""

    def __init__(
        self,
        network: RewardNetwork,
        clips: AlignedClips,
        text: TextCache,
        spl: SplSettings,
        official: OfficialBehaviour,
    ):
        self.network, self.clips, self.text, self.spl = network, clips, text, spl
        self.clean_token = not official.no_clean_token
        self.row = {name: row for row, name in enumerate(clips.first.clips["clip"])}
        self.captions = [set(entry) for entry in clips.first.clips["captions"]]
        self.pool: tuple[int, dict[str, Tensor]] | None = None

    def mined(self, step: int, batch: AlignedBatch) -> Mined:
        """Representations take turns. Motions that carry the very caption are no mistakes and are left out."""
        names = tuple(batch.features)
        name = names[step % len(names)]
        if self.spl.pool == "batch":
            return Mined(name)
        device = next(self.network.parameters()).device
        motions = self._pool(step)[name].to(device)
        words = self.text(batch.captions).to(device)
        with torch.no_grad():
            z_text = self.network.encode_text(words.tokens, words.mask).mean
        scores = F.normalize(z_text, dim=-1) @ F.normalize(motions, dim=-1).T
        own = torch.tensor([self.row[clip] for clip in batch.clips], device=device)
        same = torch.tensor(
            [[caption in known for known in self.captions] for caption in batch.captions],
            device=device,
        )
        same[torch.arange(len(own)), own] = False
        best, solved = mine(
            scores.masked_fill(same, -torch.inf), own, self.spl.k, self.spl.confident
        )
        hard = self.clips.sets[name].rows(best.cpu().numpy()).to(device)
        return Mined(name, hard.features, hard.lengths, solved)

    def _pool(self, step: int) -> dict[str, Tensor]:
        """Embeddings of the split from the last multiple of `every`, so that a resumed run mines alike
        from its next multiple on."""
        turn = step // self.spl.every
        if self.pool is None or self.pool[0] != turn:
            training = self.network.training
            self.network.eval()
            found = embed(self.network, self.clips, self.text, clean_token=self.clean_token)
            self.network.train(training)
            self.pool = turn, found.motion
        return self.pool[1]


class SplObjective(nn.Module):
    """Semantic loss + weight x SPL. Both embeddings of a pair carry gradient, as means of clean motions."""

    def __init__(self, semantic: SemanticObjective, spl: SplSettings, official: OfficialBehaviour):
        super().__init__()
        self.semantic, self.spl, self.official = semantic, spl, official

    def forward(
        self,
        features: dict[str, Tensor],
        lengths: Tensor,
        text: TextBatch,
        mined: Mined,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        losses = self.semantic(features, lengths, text, generator)
        name = mined.representation
        z_text = self.semantic.network.encode_text(text.tokens, text.mask).mean
        z_own = self._clean(features[name], lengths, name)
        own = F.cosine_similarity(z_text, z_own, dim=-1)
        if mined.features is None or mined.lengths is None or mined.solved is None:
            scores = F.normalize(z_text, dim=-1) @ F.normalize(z_own, dim=-1).T
            index = torch.arange(len(scores), device=scores.device)
            chosen, solved = mine(scores, index, self.spl.k, self.spl.confident)
            best = scores.gather(1, chosen[:, None])[:, 0]
        else:
            z_best = self._clean(mined.features, mined.lengths, name)
            best, solved = F.cosine_similarity(z_text, z_best, dim=-1), mined.solved
        released = self.official.spl_softmax
        temperature = self.spl.temperature ** (2 if released else 1)
        term = spl_loss(own, best, solved, temperature, log_space=not released)
        losses["spl"] = term
        losses["solved"] = solved.float().mean()
        losses["loss"] = losses["loss"] + self.spl.weight * term
        return losses

    def _clean(self, features: Tensor, lengths: Tensor, name: str) -> Tensor:
        t = None if self.official.no_clean_token else torch.zeros_like(lengths)
        return self.semantic.network.encode_motion(features, lengths, name, t).mean
