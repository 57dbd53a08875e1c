"""The paper's analyses of the denoising walk, from the records of the `analyse` command."""

from __future__ import annotations

from typing import Any

import pandas as pd

from motionrft.reporting.records import Records
from motionrft.reporting.style import legend, look, panels

# name in the record -> label; step 0 is the noisiest
NORMS = {"jacobian": "one step's Jacobian / √d", "product_reward": "product of the Jacobians"}
STATES = {"noised": "noised motion", "one_step": "one-step estimate"}
SIMILARITIES = {"cosine": "features", "embedding": "reward's embedding"}


def _by_backbone(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), part) for name, part in frame.groupby("backbone", sort=False)]


def gradient_norm(records: Records) -> Any | None:
    """Norm of one step's Jacobian against the product of those after it (paper Fig. 4), with the sampler's guidance:
    medians and quartiles over samples."""
    frame = records.analysis("gradients")
    parts = _by_backbone(frame)
    if not parts:
        return None
    figure, axes = panels(len(parts))
    for axis, (backbone, own) in zip(axes, parts, strict=True):
        own = own[own["guidance"].eq(own["guidance"].max())]
        for index, (name, label) in enumerate(NORMS.items()):
            by_step = own[own["name"].eq(name)].groupby("step")["value"]
            style = look(index) | {"markersize": 3}
            median = by_step.median()
            axis.plot(median.index, median, label=label, **style)
            low, high = by_step.quantile(0.25), by_step.quantile(0.75)
            axis.fill_between(median.index, low, high, color=style["color"], alpha=0.15, lw=0)
        axis.set_yscale("log")
        axis.set(title=backbone, xlabel="denoising step (0: noise)", ylabel="norm")
        axis.legend()
    return figure


def noise_similarity(records: Records) -> Any | None:
    """Likeness to the clean motion of the noised one and of the model's estimate (paper Fig. 5)."""
    parts = _by_backbone(records.analysis("similarity"))
    if not parts:
        return None
    figure, axes = panels(len(parts))
    for axis, (backbone, own) in zip(axes, parts, strict=True):
        curves = [(what, name) for what in STATES for name in SIMILARITIES]
        for index, (what, name) in enumerate(curves):
            picked = own[own["what"].eq(what) & own["name"].eq(name)]
            curve = picked.groupby("step")["value"].mean()
            label = f"{STATES[what]}, {SIMILARITIES[name]}"
            axis.plot(curve.index, curve, label=label, **look(index) | {"markersize": 3})
        axis.set(
            title=backbone,
            xlabel="denoising step (0: noise)",
            ylabel="similarity to the clean motion",
        )
        axis.legend()
    return figure


def memory_denoising(records: Records) -> Any | None:
    """Bytes the graph holds after each denoising step, scoring and backward passes left out (paper Fig. 6)."""
    frame = records.analysis("memory")
    if frame.empty:
        return None
    return _memory(records, frame[frame["phase"].eq("denoise")], "denoising step")


def memory_optimisation(records: Records) -> Any | None:
    """Bytes the graph holds at every event of a trajectory, scoring and backward passes included (paper Fig. 9)."""
    frame = records.analysis("memory")
    return None if frame.empty else _memory(records, frame, "event of the trajectory")


FORMS = {"plain": "graph kept", "checkpoint": "checkpointed", "exact": "exact, O(1) form"}


def _memory(records: Records, frame: pd.DataFrame, label: str) -> Any:
    """A row a backbone, a panel an activation form, on one scale; a colour and line style a method."""
    parts = _by_backbone(frame)
    figure, axes = panels(len(FORMS) * len(parts), width=3.4, columns=len(FORMS))
    for place, (backbone, own) in enumerate(parts):
        most = own["bytes"].max() / 2**20
        for axis, (form, title) in zip(axes[len(FORMS) * place :], FORMS.items(), strict=False):
            formed = own[own["activations"].eq(form)]
            for index, method in records.in_order(formed["method"]):
                curve = formed[formed["method"].eq(method)].sort_values("order")
                held = curve["bytes"].to_numpy() / 2**20
                axis.plot(
                    range(1, len(held) + 1), held, label=method, **look(index) | {"marker": None}
                )
            axis.set(title=f"{backbone}, {title}", xlabel=label, ylabel="memory held (MiB)")
            axis.set_ylim(-0.03 * most, 1.05 * most)
            axis.xaxis.get_major_locator().set_params(integer=True)
    legend(figure, axes)
    return figure
