"""Scale and up axis, found from how bodies are; what is odd is remarked."""

import numpy as np
import pytest

from motionrft.corpus.bvh.body import UNITS, placed
from motionrft.corpus.bvh.file import read_bvh
from motionrft.corpus.bvh.reader import describe, open_reader
from motionrft.corpus.report import Report
from motionrft.errors import InputError
from tests.corpus.bvh_texts import AXES, person


def read(tmp_path, text, report=None, **settings):
    path = tmp_path / "a.bvh"
    path.write_text(text)
    reader = open_reader(settings, [path], report or Report())
    return placed(reader.body(read_bvh(path), path)), reader


@pytest.fixture
def wanted(tmp_path):
    """The person in centimetres, Y up, with everything given."""
    joints, _ = read(tmp_path, person(5), scale=0.01, up="y")
    return joints


@pytest.mark.parametrize("up", AXES)
def test_any_axis_is_turned_up(tmp_path, wanted, up):
    report = Report()
    joints, reader = read(tmp_path, person(5, up=up), report)
    assert reader.up == up
    assert bool([line for line in report.remarks if f"bodies stand along {up}" in line]) == (
        up != "y"
    )
    # the walk goes along X in the text whatever its up axis: bones are compared, not the path
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(joints, axis=1), axis=-1), np.linalg.norm(np.diff(wanted, axis=1), axis=-1), atol=1e-5
    )  # fmt: skip
    assert joints[:, 15, 1].min() > joints[:, 0, 1].max()
    across = joints[0, 1] - joints[0, 2]
    assert across[0] > 0.19  # facing +Z, the left at +X, in a right-handed system


@pytest.mark.parametrize("unit", UNITS.values())
def test_the_unit_is_told_by_the_legs(tmp_path, wanted, unit):
    report = Report()
    joints, reader = read(tmp_path, person(5, unit=0.01 / unit), report)
    assert list(reader.scales) == [unit]
    np.testing.assert_allclose(joints, wanted, atol=1e-4)


def test_no_likely_unit_is_an_error_and_a_given_one_a_remark(tmp_path):
    with pytest.raises(InputError, match=r"corpus\.scale"):
        read(tmp_path, person(5, unit=40))
    report = Report()
    read(tmp_path, person(5), report, scale=1.0)
    assert "legs are 80 m long at corpus.scale 1, 0.80 m at 0.01" in report.remarks[-1]


def test_a_wrong_axis_is_remarked(tmp_path):
    report = Report()
    read(tmp_path, person(5, up="-z"), report, up="z")
    assert "head is above the pelvis in 0 % of frames with corpus.up: z" in report.remarks[-1]


def test_a_map_that_fits_no_file_is_said_once(tmp_path):
    with pytest.raises(
        InputError, match=r"joint_map: pelvis: no joint 'Hips'; the file has pelvis, left_hip"
    ):
        read(tmp_path, person(5), joint_map="lafan1")


def test_what_was_seen_is_described(tmp_path):
    report = Report()
    _, reader = read(tmp_path, person(5), report)
    describe(reader)
    seen = dict(report.seen)
    assert seen["joints"].startswith("22 in 1 files: pelvis, left_hip")
    assert seen["joint map"].startswith("guessed: pelvis = pelvis, left_hip = left_hip")
    assert seen["scale"] == "0.01 m a unit in 1 files (from the legs)"
    assert seen["legs"] == "0.80 to 0.80 m from hip to ankle"
    assert seen["up axis"] == "y"
