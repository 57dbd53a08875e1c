"""What jobs take, from counts in closed form; what is asked of a cluster; the shipped table of counts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.counted import PAPER as PAPERS
from benchmarks.counted import with_every_method
from motionrft.configuration import load_run
from motionrft.configuration.files import ROOT
from motionrft.counting.card import GIB, Card, card_named
from motionrft.counting.costs import Line, Work, WorkLine
from motionrft.finetune.memory_choice import Counted
from motionrft.finetune.settings import cell_settings
from motionrft.forecast import table as keys
from motionrft.forecast.cells import cell_lines, described, summary_lines
from motionrft.forecast.costs import CONTEXT, LONGEST, START, Forecast, trajectories
from motionrft.forecast.table import (
    BackboneCounts,
    Calls,
    Samples,
    ScoreCounts,
    StageCounts,
    Table,
    lacking,
)

PAPER = ROOT / "config" / "humanml3d.yaml"
# a card that does one operation a second and half of that in products: a second is an operation
SLOW = Card("slow", 10.0, 2.0, 2.0, 2.0, 1e9)


def small_run(*changes: str):
    sizes = ["backbones=[mld]", "methods=[draft-10]", "matrix=[{methods: [draft-10]}]"]
    numbers = [
        "finetune={updates: 10, batch_size: 8, validate_every: 0, select: last, reward_ceiling: 0}",
        "seeds=[0]",
    ]
    return load_run(PAPER, [*sizes, *numbers, *changes])


def table_of(run, held: float = 1.0) -> Table:
    """A step without gradient is one operation a row, a live one three, a scoring two; ten live steps hold `held` GiB a
    row each."""
    table, settings = Table(), cell_settings(run, "mld", "draft-10")
    line = lambda row: WorkLine(Line(0, row), Line(0, 0), 0)  # noqa: E731
    one = Line(0, held * GIB)
    counts = BackboneCounts(0, 0, 0, 0, line(1), Line(0, 0), line(3), one, one, Line(0, 0))
    table.put("backbones", keys.backbone_key(run, "mld", settings), "mld", counts)
    score = ScoreCounts(0, Line(0, 0.25 * GIB), line(2))
    table.put("scores", keys.score_key(run, "mld", "draft-10"), "mld draft-10", score)
    calls = Calls(50.0, 10.0, 1.0, 1, 10)
    table.put("calls", keys.calls_key(run, "mld", "draft-10"), "draft-10", calls)
    return table


def test_a_cell_takes_its_steps_and_its_scorings():
    run = small_run()
    cost = Forecast(run, table_of(run, held=1e-6), SLOW).cell("mld", "draft-10")
    assert (cost.plan.activations, cost.plan.slices) == ("plain", 1)
    # ten trajectories of eight rows: forty steps, ten live ones, one scoring
    assert cost.seconds == pytest.approx(10 * 8 * (40 * 1 + 10 * 3 + 2))
    assert cost.fits_plain


def test_validations_are_walks_without_gradient():
    run = small_run(
        "finetune={updates: 10, batch_size: 8, validate_every: 5, validate_prompts: 16}"
    )
    plain = Forecast(small_run(), table_of(small_run(), 1e-6), SLOW).cell("mld", "draft-10")
    cost = Forecast(run, table_of(run, held=1e-6), SLOW).cell("mld", "draft-10")
    assert cost.seconds - plain.seconds == pytest.approx(3 * 16 * 50)


def test_a_method_that_trains_nothing_costs_its_evaluations():
    run = small_run("methods=[best-of-4]", "matrix=[{methods: [best-of-4]}]")
    run["evaluate"] |= {"replications": 1}
    table, settings = Table(), cell_settings(run, "mld", "best-of-4")
    step, score, one = WorkLine(Line(0, 1), Line(0, 0), 0), WorkLine(Line(0, 2), Line(0, 0), 0), Line(0, 0)  # fmt: skip
    counts = BackboneCounts(0, 0, 0, 0, step, one, step, one, one, one)
    table.put("backbones", keys.backbone_key(run, "mld", settings), "mld", counts)
    table.put("samples", keys.samples_key(run), "", Samples(128, 0))
    forecast = Forecast(run, table, SLOW)
    # one batch of the base model: fifty steps
    assert forecast.evaluation("mld").seconds == pytest.approx(50 * 128)
    assert forecast.evaluation("mld", "best-of-4") is None  # not counted
    table.put("scores", keys.score_key(run, "mld", "best-of-4"), "", ScoreCounts(0, one, score))
    calls = Calls(200.0, 0.0, 4.0, 1, 1, by_value=True)
    table.put("calls", keys.calls_key(run, "mld", "best-of-4"), "", calls)
    # four times fifty steps, and four scorings without their way back
    expected = 128 * (200 * 1 + 4 * 2 / 2)
    assert forecast.evaluation("mld", "best-of-4").seconds == pytest.approx(expected)
    assert forecast.cells == {}
    minutes = forecast.minutes("evaluate", "mld", "best-of-4", None)
    assert minutes == round(3 * expected / 60) + START


def test_states_that_are_kept_are_counted_for_the_whole_batch():
    one = Line(0, 1.0)
    counted = Counted(one, one, one, Line(0, 10.0), live=1, kept=5)
    # of sixteen rows in two slices five states stay; a slice's graph and scoring beside them
    assert counted.needed("plain", 8, 8, 16) == 5 * 160 + 8 + 8
    assert counted.needed("exact", 8, 8, 16) == 5 * 160 + 80 + 8


def test_a_budget_of_seconds_is_what_it_takes():
    run = small_run("finetune={seconds: 90, updates: null, batch_size: 8, validate_every: 0, select: last, reward_ceiling: 0}")  # fmt: skip
    assert Forecast(run, table_of(run, 1e-6), SLOW).cell("mld", "draft-10").seconds == 90


def test_the_form_that_auto_takes_is_counted_with_what_it_costs():
    run = small_run()
    cost = Forecast(run, table_of(run), SLOW).cell("mld", "draft-10")
    # eighty GiB in plain form on a card of ten: each live step is walked again
    assert not cost.fits_plain
    assert cost.plan.fits
    assert cost.plan.activations == "exact"
    assert cost.memory <= SLOW.memory * GIB
    assert cost.plain == pytest.approx((80 + 0.25 * 8) * GIB + CONTEXT)
    assert cost.seconds == pytest.approx(10 * 8 * (40 * 1 + 10 * (3 + 1) + 2))
    assert "exact" in described(cost)
    [line] = [line for line in cell_lines(run, table_of(run), [SLOW]) if "draft-10" in line]
    assert "exact" in line
    assert any("1 of 1 cells do not fit" in line for line in summary_lines(Forecast(run, table_of(run), SLOW)))  # fmt: skip


def test_what_was_not_counted_is_not_invented():
    run = small_run()
    other = small_run(
        "finetune={updates: 10, batch_size: 8, tune: lora, validate_every: 0, select: last, reward_ceiling: 0}"
    )
    forecast = Forecast(other, table_of(run), SLOW)
    assert forecast.cells == {}
    assert forecast.minutes("finetune", "mld", "draft-10", None) is None
    assert ("stages", keys.stage_key(run, "mld", "vae")) in lacking(table_of(run), run)


def test_minutes_asked_of_a_cluster():
    run, table = small_run(), table_of(small_run())
    train = run["backbones"]["mld"]["pretrain"]["vae"]
    key = keys.stage_key(run, "mld", "vae")
    table.put("stages", key, "mld vae", StageCounts(0, Work(0.001, 0.0, 0.0)))
    forecast = Forecast(run, table, SLOW)
    # a millisecond a step, and the margin of three
    minutes = round(3 * 0.001 * train["steps"] / 60)
    assert forecast.minutes("pretrain", "mld", None, "vae") == START + minutes == 30 + 55
    table.put("stages", key, "mld vae", StageCounts(0, Work(1e9, 0.0, 0.0)))
    assert forecast.minutes("pretrain", "mld", None, "vae") == LONGEST
    assert forecast.minutes("evaluate", None, None, None) == START
    table.put("samples", keys.samples_key(run), "sound", Samples(100, 56))
    often = run["evaluate"]["replications"]
    assert forecast.evaluation("mld").seconds == pytest.approx((often * 100 + 56) * 50)
    run["compare"] |= {"replications": 3, "methods": ["draft-10"]}
    assert forecast.evaluation("mld").seconds == pytest.approx((3 * 100 + 56) * 50)
    assert forecast.evaluation("mld", "draft-10").seconds == pytest.approx((3 * 100 + 56) * 50)
    run["compare"]["methods"] = []
    assert forecast.evaluation("mld").seconds == pytest.approx((often * 100 + 56) * 50)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"updates": 40, "trajectories": None}, 10.0),
        ({"updates": None, "trajectories": 7}, 7.0),
        ({"updates": None, "denoiser_calls": 120}, 2.0),
        ({"updates": None, "seconds": 60}, 0.0),
    ],
)
def test_trajectories_of_a_budget(changes, expected):
    settings = cell_settings({**small_run(), "finetune": changes}, "mld", "draft-10")
    assert trajectories(settings, Calls(50.0, 10.0, 1.0, 4, 10)) == expected


def test_the_shipped_table_has_all_of_the_papers_run():
    run = load_run(PAPER)
    assert lacking(Table.read(), run) == []
    for file in PAPERS:  # with the methods that they do not name
        assert lacking(Table.read(), with_every_method(ROOT / file)) == []
    cells = Forecast(run, Table.read(), Card("A100", 80, 19.5e12, 156e12, 312e12, 2e12)).cells
    assert len(cells) == 73
    assert all(cost.plan.fits for cost in cells.values())


def test_forecasts_load_no_torch():
    code = (
        "import sys, motionrft.workflow_plan, motionrft.forecast.cells, motionrft.counting.card;"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_page_of_memory_is_what_plan_prints():
    cards = [card_named(size) for size in ("80", "48", "24")]
    page = (ROOT / "docs" / "memory.md").read_text(encoding="utf-8").splitlines()
    for line in cell_lines(load_run(PAPER), Table.read(), cards):
        assert line in page
