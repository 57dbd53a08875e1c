"""Folders of BVH files as disks hold them: links, cases, subfolders, and captions by name."""

import pytest

from motionrft.corpus.bvh.captions_table import Row
from motionrft.corpus.bvh.folder import captions_by_take, find_takes, walk
from motionrft.corpus.report import Report
from motionrft.errors import InputError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_any_case_is_found(tmp_path):
    touch(tmp_path, "a.bvh", "b.BVH", "c.Bvh", "d.txt")
    assert [take.name for take in find_takes(tmp_path, Report())] == ["a", "b", "c"]


def test_links_are_followed_once_and_without_loops(tmp_path):
    touch(tmp_path / "elsewhere", "take0.bvh", "take1.bvh")
    touch(tmp_path / "mine", "own0.bvh")
    (tmp_path / "mine" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "mine" / "again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "mine", target_is_directory=True)
    (tmp_path / "mine" / "one.bvh").symlink_to(tmp_path / "elsewhere" / "take0.bvh")
    names = [take.name for take in find_takes(tmp_path / "mine", Report())]
    assert names == ["take0", "take1", "one", "own0"]


def test_what_is_no_file_is_reported_and_left_out(tmp_path):
    touch(tmp_path, "a.bvh", "x.bvh/inside.bvh")
    (tmp_path / "gone.bvh").symlink_to(tmp_path / "nowhere")
    report = Report()
    assert [take.name for take in find_takes(tmp_path, report)] == ["a", "inside"]
    assert len(report.skipped) == 2
    assert "gone.bvh: a link that leads nowhere" in report.skipped[0]
    assert "x.bvh: a folder, not a file" in report.skipped[1]
    with pytest.raises(InputError, match="leads nowhere"):
        find_takes(tmp_path, Report(fatal=True))


def test_the_same_name_in_two_subfolders(tmp_path):
    touch(tmp_path, "subject01/take0.bvh", "subject02/take0.bvh", "subject02/take1.bvh")
    takes = find_takes(tmp_path, Report())
    assert [take.name for take in takes] == ["subject01-take0", "subject02-take0", "take1"]
    report = Report()
    rows = [Row(2, "subject01/take0", "a"), Row(3, "take0", "b"), Row(4, "take1", "c"), Row(5, "subject02/take1", "d")]  # fmt: skip
    captions = captions_by_take(takes, rows, tmp_path / "t.csv", report)
    assert captions == {"subject01-take0": ["a"], "take1": ["c", "d"]}
    assert report.skipped == [
        f"{tmp_path}/t.csv:3: 'take0' is the name of 2 files: write its path in the folder"
    ]


def test_names_that_would_meet_are_refused(tmp_path):
    touch(tmp_path, "a/b.bvh", "c/b.bvh", "a-b.bvh")
    with pytest.raises(InputError, match="clip 'a-b' is two files"):
        find_takes(tmp_path, Report())


def test_spellings_of_a_letter_are_one_name(tmp_path):
    touch(tmp_path, "U\u0308bung.bvh")  # as macOS writes Ü
    takes = find_takes(tmp_path, Report())
    assert takes[0].name == "\u00dcbung"
    rows = [Row(2, "\u00dcbung", "a")]
    assert captions_by_take(takes, rows, tmp_path, Report()) == {"\u00dcbung": ["a"]}


def test_rows_without_file_are_named(tmp_path):
    touch(tmp_path, "a.bvh")
    report = Report()
    captions_by_take(
        find_takes(tmp_path, report), [Row(7, "take9", "x")], tmp_path / "t.csv", report
    )
    assert report.skipped == [f"{tmp_path}/t.csv:7: no file take9.bvh in the folder"]


def test_nothing_there_names_the_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    with pytest.raises(InputError, match=rf"no such folder \({tmp_path}/data\)"):
        find_takes(Path("data"), Report())
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match=rf"no \.bvh file \({tmp_path}/data\)"):
        find_takes(Path("data"), Report())
    assert list(walk(tmp_path)) == []
