"""A stage that trains a branch (LoRA and head) on the frozen semantic network (MotionRFT section III-C).

Batches hold one representation each; both motions of a pair share crop, noise level and noise.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.reward.branch import TaskBranch, new_branch
from motionrft.reward.data.labelled import LabelledMotions
from motionrft.reward.data.views import MotionViews, View
from motionrft.reward.files import save_branch
from motionrft.reward.latent import Reading, mean
from motionrft.reward.lora import LoraSettings
from motionrft.reward.network import RewardNetwork
from motionrft.reward.rules import Rules
from motionrft.reward.stage import Stage, Training
from motionrft.training.distributed import data_parallel, rank, world_size
from motionrft.training.loop import fit


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


class TaskBatch(NamedTuple):
    """Labelled motions of one representation: for each column of the items, features [B, T, dim] and the lengths
    [B] they are marked with; labels [B], 1 = generated."""

    motions: list[tuple[Tensor, Tensor]]
    labels: Tensor
    representation: str


class TaskItems:
    """Items of a task and split, representation after representation.

    table    a row an item, among its columns `representation`, `split` and `columns`
    columns  those that name motions: better and worse of a pair, or the motion alone
    """

    def __init__(
        self,
        data: LabelledMotions,
        table: pd.DataFrame,
        columns: tuple[str, ...],
        split: str,
        views: MotionViews,
    ):
        self.data, self.columns, self.views = data, columns, views
        table = table[table["split"] == split]
        self.table = table.sort_values("representation", kind="stable").reset_index(drop=True)
        self.groups = self.table.groupby("representation", sort=True).size().tolist()
        self.representations = sorted(self.table["representation"].unique())
        self.generated = (
            (self.table["generator"] != "").to_numpy()
            if "generator" in self.table
            else np.zeros(len(self.table), dtype=bool)
        )

    def batch(self, items: list[int], seeds: list[list[int]] | None = None) -> TaskBatch:
        """Items of one representation; with `seeds` (one an item), random crops."""
        rows = self.table.iloc[items]
        motions = [
            self.views.batch(self.data, rows[column].tolist(), seeds) for column in self.columns
        ]
        labels = torch.from_numpy(self.generated[items].astype(np.int64))
        return TaskBatch(motions, labels, str(rows["representation"].iloc[0]))

    def marked_lengths(self) -> np.ndarray:
        """[N] float64: the length that each motion is marked with in a mask."""
        frames = self.table["frames"].to_numpy().astype(np.float64)
        return self.views.marked_lengths(frames, self.generated)

    def batches(self, size: int) -> Iterator[list[int]]:
        """All items in order, each batch of one representation."""
        begin = 0
        for count in self.groups:
            for start in range(begin, begin + count, size):
                yield list(range(start, min(start + size, begin + count)))
            begin += count


class BranchObjective(nn.Module):
    """The loss of a batch of one representation, as a module for DistributedDataParallel."""

    def __init__(
        self,
        stage: BranchStage,
        network: RewardNetwork,
        branch: TaskBranch,
        rules: Rules,
        class_weights: tuple[float, float] = (1.0, 1.0),
    ):
        super().__init__()
        self.stage, self.network, self.rules = stage, network, rules
        self.adapter, self.head = branch.adapter, branch.head
        self.class_weights = class_weights

    def outputs(self, view: View, representation: str, read: Reading = mean) -> Tensor:
        """What the head says of motions, [B, outputs]."""
        features, lengths, t = view
        latent = self.network.encode_motion(features, lengths, representation, t, self.adapter)
        return cast(Tensor, self.head(read(latent)))

    def forward(
        self, views: list[View], labels: Tensor, representation: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """ "loss" and "accuracy"."""
        read = self.rules.reading(generator)
        outputs = [self.outputs(view, representation, read) for view in views]
        return self.stage.losses(outputs, labels, self.class_weights)


class BranchStage(Stage[TaskBranch]):
    """A task. outputs: of its head; pairs: whether it learns from pairs, else from single motions with a label."""

    outputs: int
    pairs: bool

    @abstractmethod
    def items(self, data: LabelledMotions, split: str, rules: Rules) -> TaskItems:
        """The items of a split; there may be none."""

    @abstractmethod
    def losses(
        self, outputs: list[Tensor], labels: Tensor, class_weights: tuple[float, float]
    ) -> dict[str, Tensor]:
        """ "loss" and "accuracy" of a batch. outputs: of the head, [B, outputs], for each column of the items."""

    @abstractmethod
    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """What selects weights, of items of one representation: larger is better. outputs [N, columns, outputs]."""

    def class_weights(self, items: TaskItems, rules: Rules) -> tuple[float, float]:
        """Of real and generated motions in the loss."""
        return 1.0, 1.0

    def new_branch(self, network: RewardNetwork, lora: LoraSettings) -> TaskBranch:
        """An untrained branch around `network`, which it freezes."""
        return new_branch(network, self.name, self.outputs, lora)

    def save(self, path: Path, trained: TaskBranch, about: dict[str, Any]) -> None:
        """LoRA and head alone."""
        save_branch(path, trained, about)

    def filled_items(self, data: LabelledMotions, split: str, rules: Rules) -> TaskItems:
        """`items`, an `InputError` if there are none."""
        items = self.items(data, split, rules)
        if items.table.empty:
            raise InputError(
                f"nothing in split {split!r}",
                where=data.folder,
                fix="make data with clips of every split",
            )
        return items

    def train(self, training: Training) -> tuple[TaskBranch, pd.DataFrame]:
        """A trained branch in eval mode and the history. Exactly `branch.trained()` changes."""
        settings, device, seed = training.settings, training.device, training.seed
        network, rules = training.semantic_network(), settings.rules
        train = settings.train(self.name, seed=seed)
        data = training.labelled(self.name)
        torch.manual_seed(seed)
        branch = self.new_branch(network, settings.lora)
        items = self.filled_items(data, "train", rules)
        class_weights = self.class_weights(items, rules)
        objective = BranchObjective(self, network, branch, rules, class_weights).to(device)
        losses_of = data_parallel(objective, changing=True)
        batches = EpochBatches(items.groups, train.batch_size, seed)

        def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
            rows = batches.at(step)
            batch = items.batch(rows, [[seed, 3, step, item] for item in rows])
            moved = [
                (features.to(device), lengths.to(device)) for features, lengths in batch.motions
            ]
            views = items.views.noised(moved, settings.noise, generator)
            losses: dict[str, Tensor] = losses_of(
                views, batch.labels.to(device), batch.representation, generator
            )
            return losses

        selecting = self.filled_items(data, rules.selection_split, rules)

        def validation(step: int) -> dict[str, float]:
            del step
            return {"score": selection_score(objective, selecting)}

        history = fit(
            objective, branch.trained(), loss, train, training.checkpoint,
            label=f"reward {self.name}", validation=validation,
        )  # fmt: skip
        objective.eval()
        return branch, history


class EpochBatches:
    """Which items this process sees at a step: its share of `one_representation_batches`, epoch after epoch."""

    def __init__(self, groups: list[int], batch_size: int, seed: int):
        size = min(batch_size, *groups)
        self.groups, self.seed = groups, seed
        self.size = size - size % world_size()
        self.per_epoch = sum(count // self.size for count in groups)
        self.epoch, self.batches = -1, list[list[int]]()

    def at(self, step: int) -> list[int]:
        """Rows of the items of one representation."""
        epoch, within = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.batches = one_representation_batches(self.groups, self.size, self.seed, epoch)
            self.epoch = epoch
        share = self.size // world_size()
        return self.batches[within][rank() * share : (rank() + 1) * share]


@torch.no_grad()
def outputs_of(
    objective: BranchObjective, items: TaskItems, *, read: Reading = mean, batch_size: int = 128
) -> tuple[Tensor, Tensor]:
    """Head outputs [N, columns, outputs] and labels [N] of clean motions, in the order of the items' table."""
    device = next(objective.parameters()).device
    token = objective.rules.clean_token
    outputs, labels = [], []
    for rows in items.batches(batch_size):
        batch = items.batch(rows)
        views = [
            items.views.clean(features.to(device), lengths.to(device), token=token)
            for features, lengths in batch.motions
        ]
        parts = [objective.outputs(view, batch.representation, read).cpu() for view in views]
        outputs.append(torch.stack(parts, dim=1))
        labels.append(batch.labels)
    return torch.cat(outputs), torch.cat(labels)


def selection_score(objective: BranchObjective, items: TaskItems) -> float:
    """The task's score, the mean over representations."""
    outputs, labels = outputs_of(objective, items)
    scores = []
    for name in items.representations:
        rows = torch.tensor((items.table["representation"] == name).tolist())
        scores.append(objective.stage.score(outputs[rows], labels[rows]))
    return float(np.mean(scores))
