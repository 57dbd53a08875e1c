"""`plan`: what a run will do, on one screen."""

import json
import re

from motionrft.cli import main
from motionrft.configuration.files import ROOT

PAPER = str(ROOT / "config" / "humanml3d.yaml")


def test_a_run_of_the_papers_size(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", PAPER]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "0 done" in lines[0]
    [stage] = [line for line in lines if line.startswith("finetune ")]
    assert stage.split()[:3] == ["finetune", "219", "0"]
    assert "1 GPU" in stage
    assert lines[0].endswith("on H100, 80 GB")
    # GPU hours and memory of every stage that computes on one
    for name in ("finetune", "pretrain", "train_reward", "evaluate"):
        [stage] = [line for line in lines if line.startswith(f"{name} ")]
        hours, memory = stage.split()[6:8]
        assert float(hours) > 0
        assert 0 < float(memory) <= 80
    full = next(line for line in lines if line.startswith("  hymotion ") and " x " in line)
    # one of pre-training, 1,042,878,811 values of four bytes each, and 27 fine-tunings, which are adapters
    assert full.split()[1:4] == ["1", "x", "4.172"]
    assert full.split()[5:7] == ["+", "27"]
    assert float(full.split()[8]) < 0.1
    assert any(line.startswith("missing: corpus.humanml3d_dir: ") for line in lines)
    assert len([line for line in lines if line.startswith("missing: backbones.")]) == 8
    assert len(lines) < 60  # a screen
    assert list(tmp_path.iterdir()) == []


def test_finished_jobs_are_counted_with_what_they_took(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "ci" / "benchmarks" / "finetune"
    folder.mkdir(parents=True)
    record = {"rule_name": "finetune", "s": 7200.0, "max_rss": 2500.0, "resources": {}}
    (folder / "mdm-easytune-seed0.jsonl").write_text(json.dumps(record) + "\n")
    site = tmp_path / "site.yaml"
    site.write_text("seeds: [0, 1]\n")
    assert main(["plan", str(ROOT / "config" / "ci.yaml"), str(site)]) == 0
    out = capsys.readouterr().out
    [stage] = [line for line in out.splitlines() if line.startswith("finetune ")]
    # two methods, two seeds; one took two hours, and three are left
    assert stage.split()[:6] == ["finetune", "4", "1", "2.00", "6.00", "2.5"]
    assert "Nothing is missing." in out


def test_a_smaller_card_needs_other_forms(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", PAPER, "--card", "24"]) == 0
    out = capsys.readouterr().out
    assert "on A100s, 24 GB" in out
    assert "cells do not fit 24 GB" in out
    assert main(["plan", PAPER, "--cells"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if " / " in line]
    assert len(rows) == 73
    assert not any("does not fit" in row for row in rows)


def test_an_unknown_card_is_refused(capsys):
    assert main(["plan", PAPER, "--card", "Voodoo2"]) != 0
    assert "--card" in capsys.readouterr().err


def test_whether_a_gain_would_show_is_said_before_anything_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few = tmp_path / "few.yaml"
    few.write_text(
        "corpus: {clips: 1000, splits: {train: 0.8, val: 0.08, test: 0.12}}\nseeds: [0, 1, 2, 3, 4]\n"
    )
    assert main(["plan", str(ROOT / "config" / "toy.yaml"), str(few)]) == 0
    lines = capsys.readouterr().out.splitlines()
    [top1] = [line for line in lines if line.startswith("R-Precision Top-1: a gain of 0.05 shows")]
    assert "with 120 test prompts; 80 % takes" in top1
    assert "(5 seeds, " in top1
    assert any(line.startswith("FID: a gain of 20% of the base model's shows") for line in lines)


def columns(out: str, rule: str) -> list[str]:
    """Hours and memory of a stage."""
    [stage] = [line for line in out.splitlines() if line.startswith(f"{rule} ")]
    return stage.split()[6:8]


def test_rivals_are_counted_on_a_card_and_estimated_on_a_processor(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rivals = str(ROOT / "config" / "rivals.yaml")
    assert main(["plan", rivals, "--card", "H100"]) == 0
    out = capsys.readouterr().out
    for rule in ("pretrain", "train_reward", "finetune", "evaluate"):
        hours, memory = columns(out, rule)
        assert float(hours) > 0
        assert float(memory) > 0
    # four methods of three seeds leave models; those that train nothing leave none
    assert re.search(r"^  mld .*\+ 12 x", out, re.MULTILINE)
    assert main(["plan", rivals]) == 0
    out = capsys.readouterr().out
    assert "hours of one core of this machine are estimated" in out
    for rule in ("pretrain", "train_reward", "finetune", "evaluate"):
        hours, memory = columns(out, rule)
        assert float(hours) > 0
        assert memory == "-"


def test_kit_is_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", str(ROOT / "config" / "kit.yaml")]) == 0
    out = capsys.readouterr().out
    for rule in ("pretrain", "train_reward", "finetune", "evaluate"):
        assert float(columns(out, rule)[0]) > 0
