"""The figures of a run, each from the records alone; a figure whose records are absent is not drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from motionrft.reporting.figures import analysis, reward, scores, training
from motionrft.reporting.records import Records

# name -> (caption, drawing); the paper's number in brackets
FIGURES: dict[str, tuple[str, Callable[[Records], Any | None]]] = {
    "fid_memory": ("FID against peak memory of fine-tuning (1a)", scores.fid_against_memory),
    "fid_mmdist": (
        "FID against MM-Dist, before and after fine-tuning (1b)",
        scores.fid_against_mm_dist,
    ),
    "gradient_norm": (
        "Norm of the gradient by denoising step: one step's Jacobian, and the product that a whole chain multiplies "
        "up (4)",
        analysis.gradient_norm,
    ),
    "noise_similarity": (
        "How like the clean motion a noised one is, and the model's estimate from it, by step (5)",
        analysis.noise_similarity,
    ),
    "memory_denoising": (
        "Memory held while denoising, before any backward pass (6)",
        analysis.memory_denoising,
    ),
    "memory_optimisation": (
        "Memory held over a whole optimisation (9)",
        analysis.memory_optimisation,
    ),
    "authenticity": (
        "Recorded or generated: scores by representation (8)",
        reward.authenticity_bars,
    ),
    "reward_curves": ("Reward while fine-tuning (10)", training.reward_curves),
    "reward_time": ("Reward against seconds of training (10)", training.reward_time),
    "validation_curves": (
        "R-Precision and FID while fine-tuning, on the validation split",
        training.validation_curves,
    ),
    "reward_dimensions": (
        "Preference and authenticity reward while fine-tuning (11)",
        training.reward_dimensions,
    ),
    "win_rates": (
        "Prompts on which the fine-tuned motion is nearer to its text than the base model's",
        scores.win_rates,
    ),
    "self_refinement": ("Retrieval before and after self-refinement", reward.self_refinement_bars),
    "calibration": ("Calibration of the preference and authenticity scores", reward.calibration),
    "faithfulness": (
        "What the reward sees of graded damage: rank correlation with its grade",
        reward.faithfulness_map,
    ),
}


def draw(records: Records, folder: Path, name: str) -> list[Path]:
    """Draws a figure; returns what was written, nothing where its records are absent."""
    from motionrft.reporting.style import save

    figure = FIGURES[name][1](records)
    return [] if figure is None else save(figure, folder, name)
