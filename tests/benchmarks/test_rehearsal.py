"""benchmarks/rehearsal.py: the fake corpus is one, the files are read as released ones, and the table has its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.rehearsal import main, printed, run_file, targets
from benchmarks.rehearse.corpus import OFFICIAL, Size, caption, write_corpus
from motionrft.configuration import load_run, resolve
from motionrft.corpus.kinds.humanml3d import CORPUS
from motionrft.corpus.report import Report
from motionrft.files import read_tensors
from motionrft.finetune.cells import check_cells
from motionrft.workflow_text import TextFiles


def test_the_official_size() -> None:
    assert (OFFICIAL.clips, OFFICIAL.captions) == (29_228, 93_451)
    assert len({caption(number) for number in range(20_000)}) == 20_000


def test_the_fake_corpus_is_read_as_humanml3d(tmp_path: Path) -> None:
    write_corpus(tmp_path, Size(12, 4, 4, 63, 50))
    report = Report(fatal=True)
    settings = {"humanml3d_dir": str(tmp_path), "compat": "humanml3d"}
    clips = list(CORPUS(settings, "", report))
    assert sum(clip.split == "train" for clip in clips) == 12
    assert sum(len(clip.captions) for clip in clips) == 63
    twins = {clip.name: clip.mirror_of for clip in clips if clip.name.startswith("M")}
    assert len(twins) == 10
    split = {clip.name: clip.split for clip in clips}
    assert all(split[name] == split[twin] for name, twin in twins.items())


def test_its_run_is_planned_and_reaches_every_stage() -> None:
    run = resolve(run_file(Path("/somewhere"), ["mld", "mdm"]), "rehearsal")
    check_cells(run, "rehearsal")
    wanted = " ".join(targets(["mld", "mdm"]))
    for part in (
        "semantic",
        "preference",
        "authenticity",
        "spl",
        "mldpp",
        "finetune/mdm",
        "evaluate/mld",
    ):
        assert part in wanted


def test_a_table_says_what_is_not_known() -> None:
    rows = [{"job": "corpus", "wall_s": 12.3, "cpu_s": 11.0, "peak_mb": None, "disk_mb": 4567.0}]
    assert printed(rows).splitlines()[-1] == "| corpus | 12 | 11 | – | 4,567 |"


@pytest.mark.slow
def test_the_tiny_form_runs_the_workflow_on_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = "results/rehearsal"
    files = [
        f"{folder}/backbones/mdm/denoiser.safetensors",
        f"{folder}/reward/semantic.safetensors",
        f"{folder}/evaluator/model.safetensors",
    ]
    options = ["--out", str(tmp_path), "--tiny", "--backbones", "mdm", "--targets", *files]
    assert main(options) == 0
    written = load_run(tmp_path / "rehearsal.yaml")
    assert all(
        Path(written["text"][name]["source"]).is_dir() for name in TextFiles(written).encoders
    )
    _, about = read_tensors(tmp_path / files[0])
    assert about["stage"] == "imported"
    assert about["text"] == {"pooled": 512, "tokens": 512}
    rows = {row["job"]: row for row in json.loads((tmp_path / "rehearsal.json").read_text())}
    assert set(rows) == {
        "corpus",
        "features",
        "evaluator",
        "import/mdm-denoiser",
        "text/t5",
        "reward/semantic",
    }
    assert all(row["disk_mb"] > 0 for row in rows.values())
    assert "| wall s | processor s | peak MB | disk MB |" in capsys.readouterr().out
