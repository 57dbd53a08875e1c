"""`motionrft run`: which Snakemake command it becomes."""

import sys

import pytest

from motionrft.cli.run import snakemake_words
from motionrft.configuration.files import ROOT, run_file
from motionrft.errors import InputError

START = [
    *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
    *("--workflow-profile", str(ROOT / "workflow" / "profiles" / "default"), "--configfile"),
]
TOY = str(ROOT / "config" / "toy.yaml")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("name: mine\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [TOY, "--cores", "all"]),
        (["mine.yaml"], ["mine.yaml", "--cores", "all"]),
        (["toy", "mine.yaml", "-n", "-c2"], [TOY, "mine.yaml", "-n", "-c2"]),
        (["--", "table_sota"], [TOY, "--cores", "all", "--", "table_sota"]),
        (["config/toy.yaml", "-j", "1", "--", "-c"], [TOY, "-j", "1", "--", "-c"]),
        (["--profile", "slurm"], [TOY, "--profile", str(ROOT / "workflow/profiles/slurm")]),
        (["--profile", "ours"], [TOY, "--profile", "ours"]),
        (["--use-conda"], [TOY, "--cores", "all", "--use-conda"]),
    ],
)
def test_words(words, expected):
    assert snakemake_words(words) == START + expected


def test_a_file_of_this_folder_comes_first(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "toy.yaml").write_text("name: ours\n", encoding="utf-8")
    assert str(run_file("config/toy.yaml")) == "config/toy.yaml"
    assert run_file("toy") == ROOT / "config" / "toy.yaml"


def test_an_unknown_run_lists_the_shipped_ones():
    with pytest.raises(InputError, match="did you mean toy"):
        run_file("toyy")
