"""A rate is chosen by validations, and what the search cost is counted."""

from __future__ import annotations

import pytest

from motionrft.errors import InputError
from motionrft.finetune.tuning import tune_rate

from .toy_run import METHODS, toy_run


def prepared(gains, **settings):
    """A cell whose validation reward after two updates is what `gains` says of its rate."""

    def of(rate):
        options = {"updates": 4, "validate_every": 2, "lr": rate, "select": "best", **settings}
        run = toy_run(METHODS["draft"], options)
        assert run.settings.optimisation.lr == rate
        scores = iter([0.5, gains[rate], gains[rate] - 0.1])
        run.validation = lambda: {"reward": next(scores), "FID": 1.0}
        return run

    return of


def test_the_rate_with_the_best_validation_is_chosen(tmp_path):
    result = tune_rate(prepared({1e-3: 0.6, 1e-2: 0.8, 1e-1: 0.7}), [1e-1, 1e-3, 1e-2], tmp_path)
    assert result["rate"] == 1e-2
    assert [trial["rate"] for trial in result["trials"]] == [1e-3, 1e-2, 1e-1]
    best = result["trials"][1]
    assert (best["score"], best["update"], best["updates"]) == (0.8, 2, 4)
    assert best["validation"] == {"reward": 0.8, "FID": 1.0}
    assert result["seconds"] == pytest.approx(sum(trial["seconds"] for trial in result["trials"]))
    assert result["seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_of_equal_rates_the_smaller_is_chosen(tmp_path):
    assert tune_rate(prepared({1e-2: 0.6, 1e-1: 0.6}), [1e-1, 1e-2], tmp_path)["rate"] == 1e-2


def test_a_rate_that_diverges_is_not(tmp_path):
    result = tune_rate(prepared({1e-2: 0.6, 1e-1: float("nan")}), [1e-1, 1e-2], tmp_path)
    assert result["rate"] == 1e-2


def test_that_none_is_better_than_the_base_is_said(tmp_path, caplog):
    tune_rate(prepared({1e-2: 0.4, 1e-1: 0.3}), [1e-2, 1e-1], tmp_path)
    assert "better on validation than the base" in caplog.text


def test_it_needs_validations(tmp_path):
    without = prepared({1e-2: 0.4}, validate_every=0, select="last")
    with pytest.raises(InputError, match="validate_every"):
        tune_rate(without, [1e-2], tmp_path)
