"""One of everything that can be added, in a scratch checkout: new files are all it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from motionrft.configuration.files import ROOT, read_yaml
from motionrft.corpus.kinds.toy import make_clip
from motionrft.files import read_json, read_table
from tests.docs import examples

CLIPS = 160
RESULTS = Path("results/ci")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A checkout with the page's files in it, and a folder of arrays for the corpus it shows."""
    folder = examples.checkout(tmp_path_factory.mktemp("scratch") / "motionrft")
    examples.add_files(folder)
    arrays = folder.parent / "arrays"
    arrays.mkdir()
    for index in range(CLIPS):
        joints, captions = make_clip(index, {"seed": 0, "frames": [41, 53]})[:2]
        np.save(arrays / f"{index}.npy", joints)
        (arrays / f"{index}.txt").write_text("\n".join(captions), encoding="utf-8")
    return folder


def changed(folder: Path) -> dict[str, str]:
    """path -> git's letters for it"""
    lines = examples.git(folder, "status", "--porcelain", "--untracked-files=all").splitlines()
    return {line[3:]: line[:2] for line in lines}


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1400,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


FOLDERS = (
    "motionrft/backbones",
    "config/backbones",
    "motionrft/finetune/methods",
    "config/methods",
    "motionrft/reward/terms",
    "motionrft/finetune/analysis",
    "motionrft/reporting/figures",
    "motionrft/reporting/tables",
    "motionrft/corpus/kinds",
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_page_adds_one_of_each(folder):
    assert len(examples.names(folder)) == 1


def test_what_is_added_is_new_files(scratch):
    assert changed(scratch) == dict.fromkeys(examples.FILES, "??")
    assert not [name for name in examples.FILES if (ROOT / name).exists()]


@pytest.mark.slow
@pytest.mark.timeout(1500)  # a minute and a half alone on two cores
def test_a_run_of_everything_that_was_added(scratch):
    added = {folder: examples.names(folder)[0] for folder in FOLDERS}
    backbone, method = added["config/backbones"], added["config/methods"]
    kind, term = added["motionrft/corpus/kinds"], added["motionrft/reward/terms"]
    analysis, figure, table = (
        added[f"motionrft/{name}"]
        for name in ("finetune/analysis", "reporting/figures", "reporting/tables")
    )
    file = scratch.parent / "run.yaml"
    settings = read_yaml(scratch / "config" / "ci.yaml")
    settings |= {"backbones": [backbone], "methods": [method]}
    settings["corpus"] = {"kind": kind, "folder": str(scratch.parent / "arrays")}
    # what no example touches is left out
    settings["reward"]["weights"] = {"preference": 0, "authenticity": 0}
    settings["override"] = {
        "backbones": {backbone: {"pretrain": {"denoiser": {"steps": 20}}}},
        "methods": {method: {"reward_weights": {term: 0.1}}},
    }
    settings["reward"]["stages"] = {
        "semantic": settings["reward"]["stages"]["semantic"],
        "spl": None,
    }
    settings["finetune"]["updates"] = 2
    settings["evaluator"]["judge"] = None
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    run(scratch, "snakemake", "--cores", "2", "--nocolor", "--configfile", str(file))
    results = scratch / RESULTS
    assert read_json(results / "corpus/corpus.json")["corpus"]["kind"] == kind
    cell = results / f"finetune/{backbone}/{method}/seed0"
    assert read_json(cell / "cost.json")["updates"] == 2
    assert f"reward/{term}" in set(read_table(cell / "record.parquet")[0]["name"])
    scores, _ = read_table(results / f"evaluate/{backbone}/{method}/seed0/replications.parquet")
    assert np.isfinite(scores["value"]).all()
    frame, about = read_table(results / f"analyse/{analysis}/{backbone}-{method}.parquet")
    assert about["what"] == analysis
    assert len(frame) > 0
    assert (results / f"figures/{figure}.png").stat().st_size > 1000
    assert backbone in (results / f"tables/{table}.csv").read_text(encoding="utf-8")
    finetuning = (results / "tables/finetuning.csv").read_text(encoding="utf-8")
    assert backbone in finetuning
    assert method in finetuning
    page = (results / "report.html").read_text(encoding="utf-8")
    assert f"figures/{figure}" in page or figure in page
    assert table in page
    # results are ignored, and nothing else came or changed
    assert changed(scratch) == dict.fromkeys(examples.FILES, "??")
