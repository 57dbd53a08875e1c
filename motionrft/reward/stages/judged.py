"""Stages 2 and 3: a LoRA branch and its head on the frozen semantic network (paper section III-C).

preference     L = -log sigmoid(h(better) - h(worse))            (Bradley-Terry)
authenticity   L = cross-entropy of [real, generated] logits, both classes weighing one half
Batches hold one representation each; both motions of a pair share crop, noise level and noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.corpus.dataset import UNIT
from motionrft.errors import InputError
from motionrft.metrics.classification import authenticity, preference
from motionrft.networks.masks import frame_mask
from motionrft.reward.data.judged import JudgedMotions
from motionrft.reward.files import TaskBranch, new_branch
from motionrft.reward.latent import Latent
from motionrft.reward.losses import preference_loss
from motionrft.reward.network import RewardNetwork
from motionrft.reward.noise_schedule import Levels, cumulative_alphas, draw_levels, noised
from motionrft.reward.settings import OfficialBehaviour, RewardSettings
from motionrft.training.distributed import data_parallel, rank, world_size
from motionrft.training.loop import fit

MAX_FRAMES = 196
View = tuple[Tensor, Tensor | None, Tensor | None]  # features, lengths, t


def one_representation_batches(
    groups: list[int], size: int, seed: int, epoch: int
) -> list[list[int]]:
    """Batches of an epoch over items counted group after group (one group a representation).

    Each group is permuted and cut into batches, the last partial one dropped; batches are then
    permuted, all from one generator (the released sampler's rule).
    """
    generator = torch.Generator().manual_seed(seed + epoch)
    batches: list[list[int]] = []
    offset = 0
    for count in groups:
        order = (torch.randperm(count, generator=generator) + offset).tolist()
        batches += [order[i : i + size] for i in range(0, count - size + 1, size)]
        offset += count
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


class TaskObjective(nn.Module):
    """The loss of a batch of one representation, as a module for DistributedDataParallel."""

    def __init__(
        self,
        network: RewardNetwork,
        branch: TaskBranch,
        official: OfficialBehaviour,
        class_weights: tuple[float, float] = (1.0, 1.0),
    ):
        super().__init__()
        self.class_weights = class_weights
        self.network, self.official = network, official
        self.task = branch.task
        self.adapter, self.head = branch.adapter, branch.head

    def scores(
        self, view: View, representation: str, read: Callable[[Latent], Tensor] | None = None
    ) -> Tensor:
        """Head outputs [B, 1 or 2] of motions; `read` takes the latent to an embedding (default: mean)."""
        features, lengths, t = view
        latent = self.network.encode_motion(features, lengths, representation, t, self.adapter)
        return self.head(latent.mean if read is None else read(latent))

    def forward(
        self, views: list[View], labels: Tensor, representation: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        read = (lambda latent: latent.draw(generator)) if self.official.sampled else None
        outputs = [self.scores(view, representation, read) for view in views]
        if self.task == "preference":
            better, worse = (output[:, 0] for output in outputs)
            accuracy = (better > worse).float().mean()
            return {"loss": preference_loss(better, worse), "accuracy": accuracy}
        (logits,) = outputs
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        weights = logits.new_tensor(self.class_weights)[labels]
        losses = F.cross_entropy(logits, labels, reduction="none")
        return {"loss": (weights * losses).mean(), "accuracy": accuracy}


class TaskData:
    """Items of one task and split: pairs, or single motions with labels (1 = generated)."""

    def __init__(
        self,
        data: JudgedMotions,
        task: str,
        split: str,
        official: OfficialBehaviour,
        *,
        empty_ok: bool = False,
    ):
        self.data, self.task, self.official = data, task, official
        table = data.pairs if task == "preference" else data.motions.reset_index(names="motion")
        table = table[table["split"] == split]
        if official.alignment and task == "authenticity":
            table = table[table["representation"] != "rotation"]
        self.table = table.sort_values("representation", kind="stable").reset_index(drop=True)
        if self.table.empty and not empty_ok:
            raise InputError(
                f"nothing in split {split!r}",
                where=data.folder,
                fix="make data with clips of every split",
            )
        self.groups = self.table.groupby("representation", sort=True).size().tolist()
        self.names = sorted(self.table["representation"].unique())

    def class_weights(self) -> tuple[float, float]:
        """Of real and generated motions, so that both classes weigh one half."""
        if self.task == "preference" or self.official.unbalanced:
            return 1.0, 1.0
        generated = float((self.table["generator"] != "").mean())
        if generated in (0.0, 1.0):
            raise InputError(
                "all motions are of one class", where=self.data.folder, fix="make the data again"
            )
        return 0.5 / (1 - generated), 0.5 / generated

    @property
    def padded(self) -> bool:
        """The released items of this task: full length, no token."""
        official = self.official
        return official.padded_pairs if self.task == "preference" else official.leaking_mask

    def batch(
        self, items: list[int], seeds: list[list[int]] | None = None
    ) -> tuple[list[tuple[Tensor, Tensor]], Tensor, str]:
        """[(features, lengths)] of better and worse, or of the motions alone; labels; representation."""
        rows = self.table.iloc[items]
        name = str(rows["representation"].iloc[0])
        columns = ("better", "worse") if self.task == "preference" else ("motion",)
        views = []
        for column in columns:
            motions = rows[column].tolist()
            if self.padded:
                leaking = self.task == "authenticity"
                views.append(self.data.batch_official(motions, MAX_FRAMES, leaking_mask=leaking))
            else:
                views.append(self.data.batch(motions, MAX_FRAMES, seeds))
        labels = torch.zeros(len(items), dtype=torch.long)
        if self.task == "authenticity":
            labels = torch.tensor((rows["generator"] != "").to_numpy(np.int64))
        return views, labels, name

    def shown_lengths(self) -> np.ndarray:
        """[N] float64: the length that each motion of authenticity data is marked with in a mask."""
        frames = self.table["frames"].to_numpy().astype(np.float64)
        if self.padded:
            return np.where(self.table["generator"] == "", MAX_FRAMES, frames.clip(max=MAX_FRAMES))
        return frames.clip(max=MAX_FRAMES) // UNIT * UNIT

    def batches(self, size: int) -> Iterator[list[int]]:
        """All items in order, each batch of one representation."""
        begin = 0
        for count in self.groups:
            for start in range(begin, begin + count, size):
                yield list(range(start, min(start + size, begin + count)))
            begin += count

    def eval_view(self, features: Tensor, lengths: Tensor) -> View:
        """What the branch sees of clean motions: true lengths and the token of t = 0, or as released."""
        if self.padded:
            return features, None if self.task == "preference" else lengths, None
        t = None if self.official.no_clean_token else torch.zeros_like(lengths)
        return features, lengths, t


def train_task(
    settings: RewardSettings,
    task: str,
    network: RewardNetwork,
    data: JudgedMotions,
    checkpoint: Path,
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> tuple[TaskBranch, pd.DataFrame]:
    """A trained branch in eval mode and the history. Exactly `branch.trained()` changes."""
    train = settings.train(task, seed=seed)
    official = settings.official
    torch.manual_seed(seed)
    branch = new_branch(network, task, settings.lora)
    items = TaskData(data, task, "train", official)
    objective = TaskObjective(network, branch, official, items.class_weights()).to(device)
    call = data_parallel(objective, changing=True)
    size = min(train.batch_size, *items.groups)
    size -= size % world_size()
    share = size // world_size()
    per_epoch = sum(count // size for count in items.groups)
    alphas = cumulative_alphas()
    epochs: dict[int, list[list[int]]] = {}

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        epoch, within = divmod(step, per_epoch)
        if epoch not in epochs:
            epochs.clear()
            epochs[epoch] = one_representation_batches(items.groups, size, seed, epoch)
        own = epochs[epoch][within][rank() * share : (rank() + 1) * share]
        pairs, labels, name = items.batch(own, [[seed, 3, step, item] for item in own])
        moved = [(features.to(device), lengths.to(device)) for features, lengths in pairs]
        if items.padded:
            views = [items.eval_view(*entry) for entry in moved]
        else:
            levels = draw_levels(settings.noise, len(own), generator, official=official.noise)
            state = generator.get_state()
            views = []
            for features, lengths in moved:
                generator.set_state(state)  # both motions of a pair carry the same noise
                views.append(noised_view(features, lengths, levels, alphas, generator))
        return call(views, labels.to(device), name, generator)

    selecting = TaskData(data, task, official.selection_split, official)

    def validation(step: int) -> dict[str, float]:
        del step
        return {"score": selection_score(objective, selecting)}

    history = fit(
        objective,
        branch.trained(),
        loss,
        train,
        checkpoint,
        label=f"reward {task}",
        validation=validation,
    )
    objective.eval()
    return branch, history


def noised_view(
    features: Tensor, lengths: Tensor, levels: Levels, alphas: Tensor, generator: torch.Generator
) -> View:
    valid = frame_mask(lengths, features.shape[1])
    return noised(features, levels, alphas, generator, valid), lengths, levels.t


@torch.no_grad()
def outputs_of(
    objective: TaskObjective,
    items: TaskData,
    *,
    batch_size: int = 128,
    generator: torch.Generator | None = None,
) -> tuple[pd.DataFrame, Tensor, Tensor]:
    """The item table, head outputs [N, views, outputs] and labels [N] of clean motions, in table order."""
    device = next(objective.parameters()).device
    read = None if generator is None else (lambda latent: latent.draw(generator))
    outputs, labels = [], []
    for batch in items.batches(batch_size):
        entries, classes, name = items.batch(batch)
        parts = [
            objective.scores(items.eval_view(x.to(device), n.to(device)), name, read).cpu()
            for x, n in entries
        ]
        outputs.append(torch.stack(parts, dim=1))
        labels.append(classes)
    return items.table, torch.cat(outputs), torch.cat(labels)


def selection_score(objective: TaskObjective, items: TaskData) -> float:
    """Mean over representations of pair accuracy, or of balanced accuracy."""
    table, outputs, labels = outputs_of(objective, items)
    scores = []
    for name in items.names:
        index = torch.tensor((table["representation"] == name).tolist())
        if items.task == "preference":
            chosen = outputs[index][..., 0]
            scores.append(preference(chosen[:, 0], chosen[:, 1])["accuracy"])
        else:
            scores.append(authenticity(outputs[index][:, 0], labels[index])["balanced_accuracy"])
    return float(np.mean(scores))
