"""Self-refinement of the semantic network (EasyTune section 4.2): L_sem + weight L_SPL on its own mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.options import read_options
from motionrft.reward.data.clips import AlignedBatch, AlignedClips
from motionrft.reward.files import save_network
from motionrft.reward.network import RewardNetwork
from motionrft.reward.retrieval import embed, retrieval_validation
from motionrft.reward.rules import Rules
from motionrft.reward.self_refinement import mine
from motionrft.reward.semantic_objective import SemanticObjective
from motionrft.reward.settings import RewardSettings
from motionrft.reward.stage import Stage, Training
from motionrft.text.features import TextBatch, TextCache
from motionrft.training.distributed import data_parallel, rank, world_size
from motionrft.training.loop import DivergenceError, fit


@dataclass(frozen=True)
class SplSettings:
    """pool: `split` mines in the training split every `every` steps, `batch` in the batch (as released); k: how
    many of the pool count as retrieved; a text whose row exceeds `confident` counts as solved (released: 0.8;
    none: off); weight: of the SPL term."""

    k: int = 10
    pool: Literal["split", "batch"] = "split"
    every: int = 100
    temperature: float = 0.1
    confident: float | None = None
    weight: float = 0.01

    @classmethod
    def read(cls, settings: RewardSettings) -> SplSettings:
        """The stage's section beside its `train`."""
        section = {key: value for key, value in settings.stage("spl").items() if key != "train"}
        return read_options(cls, section, field="reward.stages.spl")


@dataclass(frozen=True)
class Mined:
    """The best-scored motions of a batch's captions: features [B, T, dim], lengths [B]. solved [B]: the true
    motion is retrieved."""

    features: Tensor
    lengths: Tensor
    solved: Tensor


class Miner:
    """Mines the training split with the network as it stands, embedding it anew every `every` steps."""

    def __init__(
        self,
        network: RewardNetwork,
        clips: AlignedClips,
        text: TextCache,
        spl: SplSettings,
        *,
        clean_token: bool = True,
    ):
        self.network, self.clips, self.text, self.spl = network, clips, text, spl
        self.clean_token = clean_token
        self.row = {name: row for row, name in enumerate(clips.first.clips["clip"])}
        rows: dict[str, list[int]] = {}
        for row, captions in enumerate(clips.first.clips["captions"]):
            for caption in captions:
                rows.setdefault(caption, []).append(row)
        self.rows_of = {caption: torch.tensor(found) for caption, found in rows.items()}
        self.pool: tuple[int, dict[str, Tensor]] | None = None

    def mine(self, step: int, batch: AlignedBatch, representation: str) -> Mined:
        """Motions that carry the very caption are no mistakes and are left out."""
        device = next(self.network.parameters()).device
        motions = self._embedded(step)[representation].to(device)
        text = self.text(batch.captions).to(device)
        with torch.no_grad():
            z_text = self.network.encode_text(text.tokens, text.mask).mean
        scores = F.normalize(z_text, dim=-1) @ F.normalize(motions, dim=-1).T
        true = torch.tensor([self.row[clip] for clip in batch.clips], device=device)
        same = torch.zeros(scores.shape, dtype=torch.bool)
        for index, caption in enumerate(batch.captions):
            same[index, self.rows_of[caption]] = True
        same = same.to(device)
        same[torch.arange(len(true)), true] = False
        best, solved = mine(
            scores.masked_fill(same, -torch.inf), true, self.spl.k, self.spl.confident
        )
        hard = self.clips.sets[representation].rows(best.cpu().numpy()).to(device)
        return Mined(hard.features, hard.lengths, solved)

    def _embedded(self, step: int) -> dict[str, Tensor]:
        """Embeddings of the split from the last multiple of `every`, so that a resumed run mines alike
        from its next multiple on."""
        turn = step // self.spl.every
        if self.pool is None or self.pool[0] != turn:
            training = self.network.training
            self.network.eval()
            embeddings = embed(self.network, self.clips, self.text, clean_token=self.clean_token)
            self.network.train(training)
            self.pool = turn, embeddings.motion
        return self.pool[1]


class SplObjective(nn.Module):
    """L_sem + weight L_SPL. Both embeddings of a pair carry gradient, as means of clean motions."""

    def __init__(self, semantic: SemanticObjective, spl: SplSettings, rules: Rules):
        super().__init__()
        self.semantic, self.spl, self.rules = semantic, spl, rules

    def forward(
        self,
        features: dict[str, Tensor],
        lengths: Tensor,
        text: TextBatch,
        representation: str,
        mined: Mined | None,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """The losses of the semantic stage, "spl", and the share of "solved" captions. `mined`: the best-scored
        motions in `representation`; None: those of the batch itself."""
        losses: dict[str, Tensor] = self.semantic(features, lengths, text, generator)
        z_text = self.semantic.network.encode_text(text.tokens, text.mask).mean
        z_true = self._clean(features[representation], lengths, representation)
        true = F.cosine_similarity(z_text, z_true, dim=-1)
        if mined is None:
            scores = F.normalize(z_text, dim=-1) @ F.normalize(z_true, dim=-1).T
            index = torch.arange(len(scores), device=scores.device)
            chosen, solved = mine(scores, index, self.spl.k, self.spl.confident)
            best = scores.gather(1, chosen[:, None])[:, 0]
        else:
            z_best = self._clean(mined.features, mined.lengths, representation)
            best, solved = F.cosine_similarity(z_text, z_best, dim=-1), mined.solved
        term = self.rules.spl_loss(true, best, solved, self.spl.temperature)
        losses["spl"] = term
        losses["solved"] = solved.float().mean()
        losses["loss"] = losses["loss"] + self.spl.weight * term
        return losses

    def _clean(self, features: Tensor, lengths: Tensor, representation: str) -> Tensor:
        return self.semantic.network.encode_clean(
            features, lengths, representation, token=self.rules.clean_token
        ).mean


class SplStage(Stage[RewardNetwork]):
    """Continues the semantic stage; the best step by validation is kept."""

    def train(self, training: Training) -> tuple[RewardNetwork, pd.DataFrame]:
        """The refined network; the history holds retrieval before (step -1) and after."""
        settings, device = training.settings, training.device
        train, spl = settings.train(self.name, seed=training.seed), SplSettings.read(settings)
        if train.checkpoint_every % spl.every:
            raise InputError(
                f"checkpoints every {train.checkpoint_every} steps fall between minings",
                field="reward.stages.spl.train.checkpoint_every",
                fix=f"take a multiple of `every` ({spl.every}), so that a resumed run mines alike",
            )
        rules, clips, captions = settings.rules, training.clips(), training.captions()
        torch.manual_seed(training.seed)
        network = training.semantic_network().to(device).requires_grad_(True)
        semantic = SemanticObjective(
            settings.semantic_loss(network), settings.noise, recompute=settings.recompute
        )
        miner = Miner(network, clips["train"], captions, spl, clean_token=rules.clean_token)
        losses_of = data_parallel(SplObjective(semantic, spl, rules).to(device))
        validation = retrieval_validation(network, clips[rules.selection_split], captions, rules)
        network.eval()
        before = validation(-1)

        def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
            batch = clips["train"].batch_at(
                step, train.batch_size, training.seed, rank=rank(), world=world_size()
            )
            names = tuple(batch.features)
            name = names[step % len(names)]  # representations take turns
            mined = miner.mine(step, batch, name) if spl.pool == "split" else None
            text = captions(batch.captions).to(device)
            batch = batch.to(device)
            losses: dict[str, Tensor] = losses_of(
                batch.features, batch.lengths, text, name, mined, generator
            )
            return losses

        try:
            history = fit(
                network, list(network.parameters()), loss, train, training.checkpoint,
                label=f"reward {self.name}", validation=validation,
            )  # fmt: skip
        except DivergenceError as problem:
            history = rules.diverged(problem)
        first = pd.DataFrame(
            {"step": -1, "name": f"val/{key}", "value": value} for key, value in before.items()
        )
        return network.eval(), pd.concat([first, history], ignore_index=True)

    def save(self, path: Path, trained: RewardNetwork, about: dict[str, Any]) -> None:
        """The whole network."""
        save_network(path, trained, about)


STAGE = SplStage()
