"""`generate`: the files it writes, their bytes, two models beside each other, several sentences."""

import base64
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import motionrft
from motionrft.backbones.io import build_backbone, load_backbone, save_backbone
from motionrft.cli import main
from motionrft.configuration import ROOT, load_run
from tests.same import sampled

WAVE = "a person waves with the left hand"


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def call(model_file, out, *words):
    return main(["generate", "--model", str(model_file), "--out", str(out), *words])


def players_of(page):
    html = page.read_text("utf-8")
    assert not re.search(r"(src|href)=\"(?!data:)", html)  # nothing is loaded from elsewhere
    found = re.search(r'<script type="application/json" id="players">(.*?)</script>', html, re.S)
    return json.loads(found[1])


def test_the_same_seed_gives_the_same_bytes(model_file, tmp_path):
    for name in ("one", "two"):
        assert call(model_file, tmp_path / name / "wave", WAVE, "--seconds", "2.4") == 0
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert set(digests(tmp_path / "one")) == {"wave.npz", "wave.html", "wave.gif"}
    motion = motionrft.read_motion(tmp_path / "one" / "wave.npz")
    assert motion.caption == WAVE
    assert motion.joints.shape == (48, 22, 3)
    with Image.open(tmp_path / "one" / "wave.gif") as film:
        assert (film.size, film.n_frames) == ((220, 220), 24)
    assert (
        call(model_file, tmp_path / "three" / "wave", WAVE, "--seconds", "2.4", "--seed", "1") == 0
    )
    assert digests(tmp_path / "three") != digests(tmp_path / "one")


def test_the_page_plays_the_motion(model_file, tmp_path):
    assert call(model_file, tmp_path / "wave", WAVE, "--seconds", "1") == 0
    data = players_of(tmp_path / "wave.html")
    assert data["entries"][0]["prompts"] == [WAVE]
    [model] = data["entries"][0]["models"]
    shown = np.frombuffer(base64.b64decode(model["motions"][0]), "<i2").reshape(-1, 22, 3) / 1000
    joints = motionrft.read_motion(tmp_path / "wave.npz").joints
    joints = joints - joints[0, 0] * torch.tensor([1.0, 0.0, 1.0])
    np.testing.assert_allclose(
        shown, joints.clamp(-32.768, 32.767).numpy(), atol=0.5e-3 + 1e-6
    )  # whole millimetres


def test_several_sentences_and_two_models(model_file, tmp_path):
    # a line of the file is a sentence, whatever is in it
    (tmp_path / "more.txt").write_text("a person\u2028walks\fforward\n\n", encoding="utf-8")
    backbone, about = load_backbone(model_file)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.mul_(1.1)
    tuned = model_file.with_name("tuned.safetensors")
    save_backbone(tuned, backbone, {**about, "finetune": {"method": {"name": "easytune"}}})
    out = tmp_path / "made" / "m"
    words = ["--text", str(tmp_path / "more.txt"), "--beside", str(model_file)]
    assert call(tuned, out, WAVE, *words) == 0
    assert set(digests(out.parent)) == {
        *("m-1.npz", "m-2.npz", "m-1-beside.npz", "m-2-beside.npz", "m-1.gif", "m-2.gif", "m.html")
    }
    first, beside = (motionrft.read_motion(out.parent / f"m-1{end}.npz") for end in ("", "-beside"))
    assert (first.about["model"], beside.about["model"]) == ("easytune", "base")
    assert first.about["noise"] == beside.about["noise"]
    assert len(first) == len(beside)
    assert not torch.equal(first.joints, beside.joints)
    models = players_of(out.parent / "m.html")["entries"][0]["models"]
    assert [model["model"] for model in models] == ["easytune", "base"]
    [alone] = motionrft.load_model(model_file).generate([WAVE], lengths=[len(first)])
    within = sampled(backbone, about["backbone"]["sampler"], frames=len(first))
    torch.testing.assert_close(alone.joints, beside.joints, **within)


def test_mp4_through_ffmpeg(model_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "out" / "wave"
    assert call(model_file, out, WAVE, "--seconds", "1", "--mp4") == 2
    assert "ffmpeg is not on this machine" in capsys.readouterr().err
    assert not out.parent.exists()
    program = tmp_path / "ffmpeg"
    cat, wc = shutil.which("cat", path="/usr/bin:/bin"), shutil.which("wc", path="/usr/bin:/bin")
    program.write_text(f'#!/bin/sh\nfor last; do :; done\n{cat} | {wc} -c > "$last"\n', "utf-8")
    program.chmod(0o755)
    assert call(model_file, out, WAVE, "--seconds", "1", "--mp4") == 0
    assert int(out.with_suffix(".mp4").read_text()) == 20 * 220 * 220 * 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no sentence"), ([WAVE, "--seconds", "99"], "choose from"), ([WAVE, "--text", "no.txt"], "no.txt"),
        ([WAVE, "--guidance", "nan"], "guidance: nan is no scale"), ([WAVE, "--guidance", "1e38"], "NaN or infinity"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_write_nothing(model_file, tmp_path, capsys, words, message):
    assert call(model_file, tmp_path / "x" / "wave", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_the_name_of_a_file_to_write_is_as_good_as_its_begin(model_file, tmp_path):
    assert call(model_file, tmp_path / "wave.npz", WAVE, "--seconds", "1") == 0
    assert set(digests(tmp_path)) == {"wave.npz", "wave.html", "wave.gif"}


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.processes
def test_a_sentence_takes_less_than_fifteen_seconds_of_one_core(model_file, tmp_path):
    """Start-up included, by a network of the demo's size: 7 to 9 s were measured."""
    tiny, about = load_backbone(model_file)
    section = load_run(ROOT / "config" / "toy.yaml")["backbones"]["mdm"]
    torch.manual_seed(0)
    network = build_backbone(
        section, dim=about["dim"], text=about["text"], normaliser=tiny.normaliser
    )
    model = model_file.with_name("demo.safetensors")
    save_backbone(model, network, {**about, "backbone": section})
    words = ["generate", "--model", str(model), WAVE, "--seconds", "2.4", "--out", "wave"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    before = processor_seconds()
    subprocess.run(
        [sys.executable, "-m", "motionrft", *words], cwd=tmp_path, env=environment, check=True
    )
    assert processor_seconds() - before < 15
    assert set(digests(tmp_path)) == {"wave.npz", "wave.html", "wave.gif"}
