"""Two models compared on the same prompts over several training seeds: both vary, and both are drawn at random.

A difference d of seed s and prompt p is taken as m + a_s + b_p + e_sp, with independent a (another training), b (another
prompt) and e (noise of sampling): the crossed random effects of a two-way layout without repeats. All seeds see the
same prompts, so that averaging over seeds does not make prompts more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from motionrft.errors import InputError


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a difference: over seeds, over prompts, and of what is left (replications averaged)."""

    seed: float
    prompt: float
    rest: float

    def error(self, seeds: int, prompts: int) -> tuple[float, float]:
        """Standard error of the mean of seeds x prompts differences, and its degrees of freedom (Satterthwaite)."""
        rest = self.rest**2
        return _error(
            prompts * self.seed**2 + rest, seeds * self.prompt**2 + rest, rest, seeds, prompts
        )


@dataclass(frozen=True)
class Effect:
    """Mean difference (other - base), its standard error, 95 % interval, two-sided p of no difference, and what it
    was made of."""

    difference: float
    error: float
    low: float
    high: float
    p: float
    seeds: int
    prompts: int
    spread: Spread

    def verdict(self, direction: int, p: float | None = None) -> str:
        """better, worse or unclear; p: corrected for all comparisons of a family (default: of this one alone)."""
        if not (self.p if p is None else p) < 0.05:
            return "unclear"
        return "better" if direction * self.difference > 0 else "worse"


def crossed_effect(differences: ArrayLike) -> Effect:
    """Of differences [seeds, prompts], paired in both: Student's t on the crossed random effects' standard error.

    The variance of the mean is (MS_seeds + MS_prompts - MS_rest) / (seeds prompts), never less than either alone, its
    degrees of freedom Satterthwaite's. One seed: the paired t test over prompts, which says nothing of another
    training. One prompt or nothing but equal differences: an interval from minus to plus infinity.
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 2 or not d.size:
        raise InputError(
            f"differences of shape {d.shape} are not seeds x prompts",
            field="scores",
            fix="evaluate both models with the same prompts",
        )
    if not np.isfinite(d).all():
        raise InputError(
            "a score is not finite", field="scores", fix="leave its prompt out of both"
        )
    seeds, prompts = d.shape
    mean = float(d.mean())
    spread, error, freedom = _estimated(d)
    if not error > 1e-9 * np.abs(d).max() or freedom < 1:
        certain = bool(np.ptp(d) == 0 and mean == 0)  # the same scores twice
        return Effect(
            mean, 0.0 if certain else np.inf, 0.0 if certain else -np.inf, 0.0 if certain else np.inf,
            1.0, seeds, prompts, spread,
        )  # fmt: skip
    half = float(stdtrit(freedom, 0.975)) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error))
    return Effect(mean, error, mean - half, mean + half, p, seeds, prompts, spread)


def _estimated(d: np.ndarray) -> tuple[Spread, float, float]:
    """Spread, standard error and degrees of freedom from the mean squares of the two-way layout."""
    seeds, prompts = d.shape
    of_seeds, of_prompts = d.mean(axis=1), d.mean(axis=0)
    rest = d - of_seeds[:, None] - of_prompts + d.mean()
    if prompts < 2:
        return Spread(np.nan, np.nan, np.nan), 0.0, 0.0
    if seeds < 2:
        deviation = float(of_prompts.std(ddof=1))
        return Spread(np.nan, deviation, np.nan), deviation / prompts**0.5, prompts - 1.0
    squares = (
        prompts * float(of_seeds.var(ddof=1)),
        seeds * float(of_prompts.var(ddof=1)),
        float(np.square(rest).sum()) / ((seeds - 1) * (prompts - 1)),
    )
    spread = Spread(
        _beyond(squares[0], squares[2]) ** 0.5 / prompts**0.5,
        _beyond(squares[1], squares[2]) ** 0.5 / seeds**0.5,
        squares[2] ** 0.5,
    )
    return spread, *_error(*squares, seeds, prompts)


def _beyond(one: float, other: float) -> float:
    """How much one mean square is above another; nothing within rounding: they are equal where all seeds but one kept the base."""
    return one - other if one > (1 + 1e-9) * other else 0.0


def _error(
    of_seeds: float, of_prompts: float, rest: float, seeds: int, prompts: int
) -> tuple[float, float]:
    """Standard error and degrees of freedom of the mean, from the three mean squares."""
    if seeds < 2:  # the spread over seeds cannot be seen: the differences' own over prompts
        return (of_prompts / prompts) ** 0.5, prompts - 1.0
    whole = of_seeds + of_prompts - rest
    largest, of_largest = max((of_seeds, seeds - 1), (of_prompts, prompts - 1))
    if not _beyond(whole, largest):
        return (largest / (seeds * prompts)) ** 0.5, float(of_largest)
    freedom = whole**2 / (
        of_seeds**2 / (seeds - 1)
        + of_prompts**2 / (prompts - 1)
        + rest**2 / ((seeds - 1) * (prompts - 1))
    )
    return (whole / (seeds * prompts)) ** 0.5, freedom


def hierarchical_bootstrap(
    differences: ArrayLike, *, resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """Means [resamples, K] of differences [K, seeds, prompts] of which seeds are drawn with replacement, then prompts,
    the same for all seeds and all K scores: what several claims about one comparison share.

    One seed is not drawn. Its percentiles are no interval for five seeds (they may cover 84 %, tests/metrics/test_crossed.py):
    use `crossed_effect` for that.
    """
    d = np.asarray(differences, dtype=np.float64)
    rng = np.random.default_rng([seed, *d.shape])
    seeds, prompts = d.shape[1:]
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    of_prompts = rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=resamples) / prompts
    return np.stack([((of_seeds @ one) * of_prompts).sum(axis=1) for one in d], axis=1)
