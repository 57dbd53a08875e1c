"""Figures are found by their folder, drawn where their records exist, and the same by any number of processes."""

import pytest

from motionrft import cli
from motionrft.errors import InputError
from motionrft.reporting import figures
from motionrft.reporting.records import Records
from tests.reporting.made_run import make_run

MOTIONS = ("strips", "motions")
OF_METHODS = {"fid_memory", "memory_steps", "reward_time"}  # of one there is nothing to compare


def test_every_figure_is_written(drawn):
    written = {path.name for path in drawn.iterdir()}
    for name in set(figures.names()) - set(MOTIONS) - OF_METHODS:
        assert {f"{name}.png", f"{name}.pdf"} <= written or {
            f"{name}_mdm.png",
            f"{name}_mdm.pdf",
        } <= written
    assert {"strips_mdm.png", "strips_mdm.pdf", "motions_mdm.gif"} <= written


@pytest.mark.parametrize("name", sorted(OF_METHODS))
def test_methods_are_compared_where_there_are_two(name, records, tmp_path):
    assert figures.write(name, records, tmp_path) == []
    two = Records(make_run(tmp_path, methods=("easytune", "draft-10")))
    written = {path.name for path in figures.write(name, two, tmp_path)}
    assert written == {f"{name}_mdm.png", f"{name}_mdm.pdf"}


def test_they_stand_in_the_papers_order():
    order = figures.in_order()
    assert sorted(order) == figures.names()
    assert order[:4] == ["reward_time", "memory_steps", "fid_memory", "fid_mmdist"]
    assert tuple(order[-2:]) == MOTIONS
    assert len({figures.load(name).order for name in order}) == len(order)


@pytest.mark.parametrize("name", figures.names())
def test_nothing_is_drawn_without_records(name, tmp_path):
    run = make_run(tmp_path)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    assert figures.write(name, Records(bare), tmp_path / "figures") == []
    assert not (tmp_path / "figures").exists()


def test_two_workers_draw_the_same_figures(records, drawn, tmp_path, monkeypatch):
    def launched(*_):
        raise AssertionError("drawing is no distributed job")

    monkeypatch.setattr(cli, "relaunch", launched)
    names = ("faithfulness", "calibration")
    words = [word for name in names for word in ("--name", name)]
    words = ["figures", "--results", str(records.folder), "--workers", "2", *words]
    assert cli.main([*words, "--out", str(tmp_path)]) == 0
    for name in names:
        one, two = (folder / f"{name}.pdf" for folder in (drawn, tmp_path))
        assert one.read_bytes() == two.read_bytes()


def test_an_unknown_figure_is_named_with_the_choices():
    with pytest.raises(InputError, match="did you mean calibration"):
        figures.load("calibrations")
