"""Captions tables as spreadsheets and editors write them."""

import pytest

from motionrft.corpus.bvh.captions_table import Row, plain_name, read_captions
from motionrft.errors import InputError


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "captions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return [(row.clip, row.caption) for row in read_captions(path)]


def test_rows_with_lines(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text("clip,caption\n\ntake0,  a person   walks \ntake0.bvh,walks\n")
    assert read_captions(path) == [Row(3, "take0", "a person walks"), Row(4, "take0", "walks")]


@pytest.mark.parametrize(
    "text",
    [
        "clip,caption\ntake0,a person walks, then turns left, and stops\n",
        'clip,caption\ntake0,"a person walks, then turns left, and stops"\n',
        "clip;caption\ntake0;a person walks, then turns left, and stops\n",
        "clip\tcaption\r\ntake0\ta person walks, then turns left, and stops\r\n",
        "Clip, Caption\ntake0, a person walks, then turns left, and stops\n",
        "split,clip,caption\ntest,take0,a person walks, then turns left, and stops\n",
        'clip, caption\ntake0, "a person walks, then turns left, and stops"\n',
        'caption,clip\n"a person walks, then turns left, and stops",take0\n',
        "\ufeffclip,caption\ntake0,a person walks, then turns left, and stops\n",
    ],
)
def test_the_whole_caption_is_read(tmp_path, text):
    assert read(tmp_path, text) == [("take0", "a person walks, then turns left, and stops")]
    assert read(tmp_path, text.removeprefix("\ufeff"), "utf-16") == read(tmp_path, text)


BROKEN = {
    "open quote": ('clip,caption\na,x\ntake0,"a person walks\ntake1,runs\n', r":3: caption: a quote that is never"),
    "text after a quote": ('clip,caption\ntake0,"a" person\n', ":2: caption: a quote"),
    "empty caption": ("clip,caption\ntake_0,  \n", r"captions\.csv:2: caption: empty caption"),
    "empty clip": ("clip,caption\n,walks\n", ":2: clip: empty clip"),
    "one field": ("clip,caption\ntake0\n", ":2: caption: 1 fields"),
    "comma elsewhere": ("caption,clip\na, b,take0\n", ":2: caption: 3 fields"),
    "other columns": ("name,text\ntake_0,x\n", "column"),
    "empty": ("", "an empty file"),
    "latin-1": ("clip,caption\ntake_0,a caf\xe9\n".encode("latin-1"), "UTF-8"),
    "a pointer": ("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_table_is_named_with_its_line(tmp_path, kind):
    text, message = BROKEN[kind]
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_names_have_one_spelling():
    assert plain_name("U\u0308bung.BVH") == plain_name("\u00dcbung") == "\u00dcbung"
    assert plain_name(".\\subject01\\take0.bvh ") == "subject01/take0"
