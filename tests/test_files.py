"""Folders that are replaced whole, and only when what replaces them is finished."""

import pytest

from motionrft.errors import InputError
from motionrft.files import atomic_folder, read_tensors


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    (folder / "part").mkdir(parents=True)
    for name in ("done.json", "a.npy", "left.npy", "part/x", "part/left", "mine.npz"):
        (folder / name).write_text("old")
    (folder / ".snakemake_timestamp").touch()
    return folder


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def replace(folder, fail=False):
    with atomic_folder(folder, last="done.json", owned=["*.npy"]) as new:
        (new / "part").mkdir()
        for name in ("done.json", "a.npy", "part/x"):
            (new / name).write_text("new")
        assert content(folder)["done.json"] == "old"
        if fail:
            raise KeyboardInterrupt


def test_a_folder_changes_only_when_all_is_written(folder):
    before = content(folder)
    with pytest.raises(KeyboardInterrupt):
        replace(folder, fail=True)
    assert content(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_what_earlier_runs_left_goes_and_what_is_the_users_stays(folder):
    replace(folder)
    assert content(folder) == {
        "done.json": "new", "a.npy": "new", "part/x": "new", "mine.npz": "old"
    }  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_a_linked_folder_is_replaced_where_it_lies(folder, tmp_path):
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(folder)
    replace(link)
    assert link.is_symlink()
    assert content(folder)["a.npy"] == "new"


def test_a_file_cut_off_on_the_way_in_leaves_no_mark_of_a_whole_folder(folder, monkeypatch):
    moved = []
    path = type(folder)
    move = path.replace

    def once(self, target):
        if moved:
            raise OSError("gone")
        moved.append(target.name)
        return move(self, target)

    monkeypatch.setattr(path, "replace", once)
    with pytest.raises(OSError, match="gone"):
        replace(folder)
    assert moved == ["a.npy"]
    assert "done.json" not in content(folder)


def test_a_folder_given_for_a_model_file_is_named_with_what_is_in_it(tmp_path):
    with pytest.raises(InputError, match=r"a folder\. Fix: name a file in it \(it has no"):
        read_tensors(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(InputError, match=r"name a file in it \(model.safetensors\)"):
        read_tensors(tmp_path)
