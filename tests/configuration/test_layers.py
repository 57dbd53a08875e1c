"""What a command line says, as the user wrote it."""

import pytest

from motionrft.configuration import apply_set, as_written, read_yaml, resolve
from motionrft.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024_05", "2024_05"), ("2024-05-01", "2024-05-01"), ("1:30", "1:30"), ("007", "007"), ("'7'", "7"),
        ("7", 7), ("-3", -3), ("0", 0), ("1e-4", 1e-4), ("1.5e3", 1500.0), (".5", 0.5), ("2.", 2.0), ("true", True),
        ("[0, 1]", [0, 1]), ("{a: 1e-5}", {"a": 1e-5}), ("/data/my #1/x", "/data/my #1/x"), ("'a #b'", "a #b"), ("", None),
    ],
)  # fmt: skip
def test_a_value_is_read_as_it_is_meant(text, value):
    given = apply_set({}, [f"a.b={text}"])["a"]["b"]
    assert given == value
    assert type(given) is type(value)


def test_snakemakes_reading_is_corrected(tmp_path, monkeypatch):
    (tmp_path / "here" / "data").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    parsed = {
        "name": 202405,
        "mocap_dir": "data",
        "kit_dir": "none",
        "humanml3d_dir": "/d/my",
        "seeds": ["0"],
        "n": 3,
    }
    words = [
        "snakemake",
        "--config",
        "name=2024_05",
        "mocap_dir=data",
        "humanml3d_dir=/d/my #1",
        "seeds=[0_1]",
        "n=3",
    ]
    as_written(parsed, words, tmp_path / "here")
    assert parsed == {
        "name": "2024_05", "mocap_dir": str(tmp_path / "here" / "data"), "kit_dir": "none", "humanml3d_dir": "/d/my #1",
        "seeds": ["0"], "n": 3,
    }  # fmt: skip


def test_a_run_may_be_called_by_a_month():
    run = {"corpus": {"kind": "toy"}, "backbones": ["mdm"], "methods": []}
    assert resolve(apply_set(run, ["name=2024_05"]))["name"] == "2024_05"


def test_splits_that_do_not_sum_to_one_are_refused_when_planned():
    run = {"name": "t", "backbones": ["mdm"], "methods": []}
    for kind in ({"kind": "toy"}, {"kind": "bvh", "mocap_dir": "x"}):
        for fractions in ((0.7, 0.1, 0.1), (0.5, 0.5, 0.5)):
            splits = dict(zip(("train", "val", "test"), fractions, strict=True))
            with pytest.raises(InputError, match=r"corpus\.splits: train 0\.\d, val .* sum to"):
                resolve(run | {"corpus": kind | {"splits": splits}})
        thirds = dict.fromkeys(("train", "val", "test"), 1 / 3)
        resolve(run | {"corpus": kind | {"splits": thirds}})


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text("head: a\nneck: b\nhead: c\n")
    with pytest.raises(
        InputError, match=r"map\.yaml: not valid YAML .*'head' stands twice.*line 3"
    ):
        read_yaml(path)
    path.write_text("a: &x {b: 1}\nc: {<<: *x, b: 2}\n")
    assert read_yaml(path) == {"a": {"b": 1}, "c": {"b": 2}}
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path) == {"a": 1}


def test_a_file_that_is_not_there_is_named_absolutely(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"no such file \\({tmp_path}/none.yaml\\)"):
        read_yaml("none.yaml")
    with pytest.raises(InputError, match="not readable"):
        read_yaml(tmp_path)
