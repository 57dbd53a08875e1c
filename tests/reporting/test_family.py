"""Holm's correction over what a run declares, and nothing else."""

import pytest

from motionrft.configuration import resolve
from motionrft.configuration.comparisons import declared
from motionrft.errors import InputError
from motionrft.reporting.compare import holm
from motionrft.reporting.family import effect, verdicts
from motionrft.reporting.page.summary import summary
from motionrft.reporting.records import Records
from tests.reporting.made_run import RUN, make_run

BOTH = ("easytune", "draft-10")


def changed(tmp_path, **compare):
    records = Records(make_run(tmp_path, methods=BOTH))
    records.run = resolve(RUN | {"compare": compare})
    return records


def test_the_usual_family_is_the_proposed_methods(records):
    metrics = ("R-Precision Top-1", "FID")
    assert declared(records.run) == [("mdm", "easytune", metric) for metric in metrics]


def test_p_is_corrected_over_the_family_alone(tmp_path):
    records = changed(tmp_path, methods="all", metrics=["R-Precision Top-1", "MM-Dist"])
    found = verdicts(records)
    evaluated = (*BOTH, "best-of-4")  # the last trains nothing and counts as they do
    members = [("mdm", name, m) for name in evaluated for m in ("R-Precision Top-1", "MM-Dist")]
    assert list(found) == members
    alone = [effect(records, *member).p for member in members]
    assert [verdict.p for verdict in found.values()] == pytest.approx(holm(alone))
    narrow = changed(tmp_path / "narrow", methods=["easytune"], metrics=["MM-Dist"])
    assert [verdict.p for verdict in verdicts(narrow).values()] == [alone[1]]


def test_what_has_not_run_counts_as_found_nothing(records):
    whole = Records(records.folder)
    whole.run = resolve(RUN | {"compare": {"methods": "all"}})  # draft-10 was not run
    p = verdicts(whole)["mdm", "easytune", "FID"].p
    assert (
        p >= 3 * effect(whole, "mdm", "easytune", "FID").p
    )  # of four, or of the three that are left


def test_fid_is_better_where_it_falls(records):
    found = effect(records, "mdm", "easytune", "FID")
    assert found.difference == pytest.approx(-0.5, abs=0.01)
    assert verdicts(records)["mdm", "easytune", "FID"].word == "better"
    assert effect(records, "mdm", "easytune", "Diversity") is None
    assert effect(records, "mdm", "draft-10", "FID") is None


def test_the_summary_says_effect_interval_verdict(tmp_path):
    said = summary(changed(tmp_path, metrics=["R-Precision Top-1"]))
    [line] = said.clear
    assert line.startswith("easytune on mdm: R@1 +0.0")
    assert line.index("[+0.0") < line.index("better (p =")
    assert "3 seeds, 40 prompts" in line
    assert said.counts == [
        "R@1 against the base model: better in 1, worse in 0, no clear difference in 0 of 1 declared comparisons."
    ]
    for name, other in zip(("draft-10", "best-of-4"), said.others, strict=True):
        assert other.startswith(f"{name} on mdm")
        assert "better" not in other


def test_a_declared_name_exists():
    with pytest.raises(InputError, match=r"compare\.methods"):
        resolve(RUN | {"compare": {"methods": ["easytun"]}})
