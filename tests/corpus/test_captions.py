from pathlib import Path

import pytest

from motionrft.corpus.captions import Caption, parse_line, plain_tokens, read_captions
from motionrft.errors import InputError


def test_a_line_is_caption_tokens_and_seconds():
    whole = parse_line("a man walks#a/DET man/NOUN walk/VERB#0.0#0.0\n", "x:1")
    assert whole == Caption("a man walks", ("a/DET", "man/NOUN", "walk/VERB"))
    assert whole.whole
    part = parse_line("he turns#he/PRON turn/VERB#1.5#4", "x:1")
    assert (part.begin, part.end, part.whole) == (1.5, 4.0, False)
    assert parse_line("he turns#he/PRON#nan#nan", "x:1").whole
    assert parse_line(part.line(), "x:1") == part


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a man walks", "1 fields"),
        ("kick #1#kick/VERB#0.0#0.0", "5 fields"),
        ("#a/DET#0.0#0.0", "empty caption"),
        ("walks#walk/VERB#start#0.0", "seconds"),
        ("walks#walk/VERB#3.0#1.0", "does not exist"),
        ("walks#walk/VERB#-1#1.0", "does not exist"),
    ],
)
def test_a_broken_line_names_file_line_and_fix(tmp_path: Path, line: str, message: str):
    path = tmp_path / "000001.txt"
    path.write_text(f"he stands#he/PRON stand/VERB#0.0#0.0\n\n{line}\n")
    captions, broken = read_captions(path)
    assert [caption.text for caption in captions] == ["he stands"]
    assert message in str(broken[0])
    assert f"{path}:3" in str(broken[0])
    assert "Fix:" in str(broken[0])


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(InputError, match="texts: no such file"):
        read_captions(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9#caf/NOUN#0#0")
    with pytest.raises(InputError, match="UTF-8"):
        read_captions(tmp_path / "latin.txt")


def test_plain_tokens_are_words():
    assert plain_tokens("A man walks in a U-turn, twice!") == (
        "a/OTHER", "man/OTHER", "walks/OTHER", "in/OTHER", "a/OTHER", "uturn/OTHER", "twice/OTHER",
    )  # fmt: skip
