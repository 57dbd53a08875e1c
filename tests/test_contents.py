"""What files of others really are."""

import numpy as np
import pytest

from motionrft.contents import described, read_array, read_arrays, read_statistics, read_text
from motionrft.errors import InputError

STAND_INS = {
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1180\n",
    "an HTML page": b"\n <!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "a server's answer": b'{"message": "rate limit"}',
    "an empty file": b"",
}


@pytest.mark.parametrize("kind", STAND_INS)
@pytest.mark.parametrize(
    "read", [read_array, lambda path: read_arrays(path, {"a"}), read_statistics]
)
def test_a_stand_in_is_called_what_it_is(tmp_path, kind, read):
    path = tmp_path / "Mean.npy"
    path.write_bytes(STAND_INS[kind])
    with pytest.raises(InputError, match=kind) as caught:
        read(path)
    assert "Mean.npy" in str(caught.value)
    assert "Fix:" in str(caught.value)


def test_what_is_not_there(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert described(tmp_path / "link") == ("a link that leads nowhere", "")
    assert described(tmp_path)[0] == "a folder, not a file"
    with pytest.raises(InputError, match=r"no such file. Fix: make it"):
        read_array(tmp_path / "none.npy", "make it")


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\x93NUMPY\x01\x00", "not a readable"), (b"hello", "not a readable"), (b"PK\x03\x04", "not a readable")],
)  # fmt: skip
def test_broken_arrays(tmp_path, data, message):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_array(path)
    with pytest.raises(InputError, match=message):
        read_arrays(path, {"a"})


def test_arrays_that_are_no_numbers(tmp_path):
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "many.npz", a=np.ones(2))
    for name in ("text.npy", "object.npy", "many.npz"):
        with pytest.raises(InputError, match=r"no numbers|not a readable"):
            read_array(tmp_path / name)
    assert read_arrays(tmp_path / "many.npz", {"a", "b"})["a"].tolist() == [1, 1]
    with pytest.raises(InputError, match=r"not an .npz archive|not a readable"):
        read_arrays(tmp_path / "text.npy", {"a"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 0.0, 2.0], r"channel 1 is 0, not positive \(1 channels\)"),
        ([1.0, 1.0, -2.0], "channel 2 is -2, not positive"),
        ([1.0, np.nan, 2.0], "channel 1 is nan"),
        ([1.0, np.inf, 2.0], "channel 1 is inf"),
        ([1.0, 2.0], "2 numbers, expected 3"),
    ],
)
def test_deviations_divide(tmp_path, values, message):
    np.save(tmp_path / "Std.npy", np.array(values))
    with pytest.raises(InputError, match=message):
        read_statistics(tmp_path / "Std.npy", 3, deviation=True)
    np.save(tmp_path / "Mean.npy", np.array([[0.0, -1.0, 2.0]]))
    assert read_statistics(tmp_path / "Mean.npy", 3).tolist() == [0, -1, 2]


def test_marks_are_no_text(tmp_path):
    path = tmp_path / "a.txt"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes("a\r\nb\rc".encode(encoding))
        assert read_text(path, "texts", "x") == "a\nb\nc"
    path.write_bytes(b"a\0b")
    with pytest.raises(InputError, match="zero bytes"):
        read_text(path, "texts", "x")
