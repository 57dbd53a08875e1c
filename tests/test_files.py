"""Folders that are replaced whole, and only when what replaces them is finished."""

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from motionrft.errors import InputError
from motionrft.files import atomic_folder, read_table, read_tensors, write_table


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


def test_numbers_of_a_table_come_back_bit_for_bit_and_take_less_room_than_in_a_dictionary(tmp_path):
    rng = np.random.default_rng(0)
    varied = rng.normal(3.0, 0.2, 20_000).astype("float32")
    frame = pd.DataFrame({"metric": "FID", "seed": 1.0, "value": varied})
    frame.loc[0, "value"] = np.nan
    write_table(tmp_path / "one.parquet", frame, {"kind": "test"})
    again, about = read_table(tmp_path / "one.parquet")
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert about == {"kind": "test"}
    group = pyarrow.parquet.ParquetFile(tmp_path / "one.parquet").metadata.row_group(0)
    sizes = {column.path_in_schema: column for column in map(group.column, range(3))}
    assert "BYTE_STREAM_SPLIT" in sizes["value"].encodings
    assert sizes["value"].total_compressed_size < 0.9 * varied.nbytes
    assert sizes["seed"].total_compressed_size < 200  # one number, in a dictionary
