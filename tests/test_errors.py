"""One line for a user: place, problem, fix; a full disk told from other errors."""

import errno

import pytest

from motionrft.errors import InputError, storage_error


def test_the_line():
    error = InputError("unknown", where="run.yaml", field="lr", fix="set it")
    assert str(error) == "run.yaml: lr: unknown. Fix: set it"
    assert str(InputError("unknown")) == "unknown"


def test_a_full_disk_behind_another_error():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "out.npy")
        except OSError as error:
            raise RuntimeError("could not write") from error
    except RuntimeError as error:
        told = storage_error(error, "results")
    assert told is not None
    assert str(told).startswith("out.npy: No space left on device. Fix: free some space")


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "no such file"), ValueError("x")])
def test_other_errors_are_not_about_storage(error):
    assert storage_error(error, "results") is None


def test_a_file_where_a_folder_has_to_be(tmp_path):
    where = tmp_path / "model.safetensors" / "wave"
    where.parent.write_text("")
    with pytest.raises(FileExistsError) as refused:
        where.parent.mkdir()
    told = storage_error(refused.value, where)
    assert (
        str(told)
        == f"{where.parent}: is a file where a folder has to be. Fix: write somewhere else"
    )
    # the same of a file that is not on the way there
    assert storage_error(refused.value, tmp_path / "elsewhere") is None


def test_a_name_too_long(tmp_path):
    with pytest.raises(OSError, match="name too long") as refused:
        (tmp_path / ("a" * 300)).write_text("")
    assert "choose a shorter name" in str(storage_error(refused.value, "results"))


def test_libraries_of_other_languages():
    error = RuntimeError("PytorchStreamWriter failed writing file data/0")
    assert str(storage_error(error, "model.pt")).startswith("model.pt: No space left on device")
