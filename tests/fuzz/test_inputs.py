"""Files of others, mutated: every reader answers with the file's own numbers or with one clear error.

200 mutations of each format; FUZZ_EXAMPLES=10000 for a night.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionrft.checkpoints import read_plain
from motionrft.contents import read_array
from motionrft.corpus.bvh.captions_table import read_captions as read_table
from motionrft.corpus.bvh.file import read_bvh
from motionrft.corpus.bvh.joint_map import JOINTS, read_joint_map
from motionrft.corpus.captions import read_captions
from motionrft.corpus.official.reader import read_splits
from motionrft.corpus.report import Report
from motionrft.errors import InputError
from tests.corpus.bvh_texts import ARM, person

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
fuzz = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES == 200, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

TABLE = 'clip,caption\ntake0,a person walks, then stops\ntake1,"he runs, fast"\ntake2,she jumps\n'
TEXTS = "a man walks#a/DET man/NOUN#0.0#0.0\nhe turns#he/PRON#1.5#4.0\nshe sits#she/PRON#nan#nan\n"
SPLIT = "000001\n000002\nM000001\n"
MAP = yaml.safe_dump({joint: [joint, "hips"] if joint == "spine2" else joint for joint in JOINTS})
WEIGHTS = {"a.weight": torch.arange(12.0).view(3, 4), "a.bias": torch.tensor([1, 2, 3]), "epoch": 7}


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(12.0, dtype=np.float32).reshape(4, 3))
    return buffer.getvalue()


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` after one to three edits of bytes: removed, repeated, overwritten, inserted, or cut off."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        size = draw(st.sampled_from([1, 1, 1, 4, 40]))
        edit = draw(st.sampled_from(["remove", "repeat", "overwrite", "insert", "cut"]))
        noise = draw(st.one_of(st.binary(min_size=1, max_size=size), st.sampled_from(JUNK)))
        data = {
            "remove": data[:place] + data[place + size :],
            "repeat": data[: place + size] + data[place:],
            "overwrite": data[:place] + noise + data[place + len(noise) :],
            "insert": data[:place] + noise + data[place:],
            "cut": data[:place],
        }[edit]
    return data


JUNK = [
    b"\n", b" ", b",", b'"', b"#", b"{", b"}", b"nan", b"-nan(ind)", b"inf", b"1e999", b"1_0", b"\0", b"\xff", b"\xef\xbb\xbf",
    b"OFFSET", b"CHANNELS 99", b"JOINT x", b"End Site", b"- ", b": ", b"[", b"*a", b"&a ", b"!!python/object:os.system ", b"\r",
]  # fmt: skip


def clear(read: Callable[[], object]) -> object | None:
    """What `read` returns; None after an `InputError` of one line. Anything else fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read()
        except InputError as error:
            message = str(error)
    assert "\n" not in message
    assert "\x1b" not in message
    return None


@fuzz
@given(data=mutated(ARM.encode()))
def test_a_mutated_bvh_file(tmp_path, data):
    path = tmp_path / "a.bvh"
    path.write_bytes(data)
    motion = clear(lambda: read_bvh(path))
    if motion is not None:
        assert np.isfinite(motion.translation).all()
        assert np.isfinite(motion.rotation).all()
        assert len(set(motion.names)) == len(motion.names) == motion.translation.shape[1]


@st.composite
def restructured(draw: st.DrawFn, text: str) -> str:
    """`text` with a line or a word removed, repeated or added: no number in it is another one."""
    lines = text.split("\n")
    row = draw(st.integers(0, len(lines) - 2))
    words = lines[row].split()
    edit = draw(st.sampled_from(["remove", "repeat", "blank", "join", "drop", "add", "twice"]))
    word = draw(st.integers(0, max(len(words) - 1, 0)))
    if edit == "remove":
        del lines[row]
    elif edit == "repeat":
        lines.insert(row, lines[row])
    elif edit == "blank":
        lines.insert(row, "  \t")
    elif edit == "join":
        lines[row : row + 2] = [" ".join(lines[row : row + 2])]
    elif edit == "drop":
        lines[row] = " ".join(words[:word] + words[word + 1 :])
    elif edit == "add":
        lines[row] = " ".join(
            [*words[:word], draw(st.sampled_from(["0", "7.5", "x", "{", "}"])), *words[word:]]
        )
    else:
        lines[row] = " ".join(words[: word + 1] + words[word:])
    return "\n".join(lines)


@pytest.mark.parametrize("text", [ARM, person(4)], ids=["arm", "person"])
def test_a_restructured_bvh_file_keeps_its_numbers(tmp_path, text):
    (tmp_path / "whole.bvh").write_text(text)
    whole = read_bvh(tmp_path / "whole.bvh")
    wanted = whole.positions()

    @fuzz
    @given(data=restructured(text))
    def check(data):
        path = tmp_path / "a.bvh"
        path.write_text(data)
        motion = clear(lambda: read_bvh(path))
        if motion is None or motion.remarks:
            return
        assert motion.fps == whole.fps
        np.testing.assert_array_equal(motion.positions(), wanted)

    check()


@fuzz
@given(data=mutated(TABLE.encode()))
def test_a_mutated_captions_table(tmp_path, data):
    path = tmp_path / "captions.csv"
    path.write_bytes(data)
    rows = clear(lambda: read_table(path))
    if rows is None or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()][1:]
    assert [row.line for row in rows] == filled  # no row is lost or swallowed by another
    for row in rows:
        # quotes and spacing apart, the caption is in its line to the last letter
        plain = re.sub(r'["\s]', "", lines[row.line - 1])
        assert re.sub(r'["\s]', "", row.caption) in plain
        if lines[0].strip() == "clip,caption":
            assert plain.endswith(re.sub(r'["\s]', "", row.caption))


@fuzz
@given(data=mutated(TEXTS.encode()))
def test_a_mutated_caption_file(tmp_path, data):
    path = tmp_path / "000001.txt"
    path.write_bytes(data)
    answer = clear(lambda: read_captions(path))
    if answer is None or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    captions, broken = answer
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    assert len(captions) + len(broken) == sum(1 for line in text.split("\n") if line.strip())
    for caption in captions:
        assert caption.text in " ".join(text.split())
        assert 0 <= caption.begin <= caption.end < float("inf")


@fuzz
@given(data=mutated(SPLIT.encode()))
def test_a_mutated_split_file(tmp_path, data):
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.txt").write_bytes(data if split == "train" else split.encode())
    report = Report()
    split_of = clear(lambda: read_splits(tmp_path, report))
    if split_of is None or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    names = data.decode("utf-8-sig").split()
    assert [name for name, split in split_of.items() if split == "train"] == list(
        dict.fromkeys(names)
    )
    assert len(report.skipped) == len([*names, "val", "test"]) - len(split_of)


@fuzz
@given(data=mutated(MAP.encode()))
def test_a_mutated_joint_map(tmp_path, data):
    path = tmp_path / "map.yaml"
    path.write_bytes(data)
    joint_map = clear(lambda: read_joint_map(path))
    if joint_map is not None:
        assert list(joint_map) == JOINTS
        assert all(name and isinstance(name, str) for names in joint_map.values() for name in names)
        assert len({frozenset(names) for names in joint_map.values()}) == len(JOINTS)


@fuzz
@given(data=mutated(saved(WEIGHTS)))
def test_a_mutated_checkpoint(tmp_path, data):
    path = tmp_path / "a.pt"
    path.write_bytes(data)
    content = clear(lambda: read_plain(path))
    if isinstance(content, dict):
        for name, value in content.items():
            if name in WEIGHTS and isinstance(value, torch.Tensor):
                assert torch.equal(value, WEIGHTS[name]), name


@fuzz
@given(data=mutated(array()))
def test_a_mutated_array(tmp_path, data):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    values = clear(lambda: read_array(path))
    assert values is None or values.dtype.kind in "fiub"
