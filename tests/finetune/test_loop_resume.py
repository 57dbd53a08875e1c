"""Killed at any moment and started again, a run ends with the very weights of an uninterrupted one."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from motionrft.errors import InputError
from motionrft.finetune.loop import Training

from .toy_run import METHODS, main, stopped_at, toy_run

PROGRAM = [sys.executable, "-m", "tests.finetune.toy_run"]
ROOT = Path(__file__).parents[2]


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*PROGRAM, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.processes
def test_killed_three_times_equals_uninterrupted(tmp_path):
    method = "chain"  # it has the most to remember
    main(str(tmp_path / "a.pt"), str(tmp_path / "whole.pt"), method)
    checkpoint, out = tmp_path / "b.pt", tmp_path / "resumed.pt"
    rng, kills = random.Random(method), 0
    reached: list[int] = []
    while kills < 3:
        process = start(str(checkpoint), str(out), method, "0.02")
        assert process.stdout is not None
        begun = [process.stdout.readline() for _ in range(rng.randint(2, 5))]
        time.sleep(rng.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL
        reached.append(int(begun[0].split()[1]))
        kills += 1
    final = start(str(checkpoint), str(out), method)
    assert final.wait() == 0
    assert final.stdout is not None
    first = int(final.stdout.readline().split()[1])
    assert first >= reached[-1] > 0, "it went on from the checkpoint and not from the start"
    expected, found = (torch.load(path, weights_only=True) for path in (tmp_path / "whole.pt", out))
    assert len(expected) == len(found) == 5
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def test_a_damaged_checkpoint_is_one_clear_error(tmp_path):
    run = toy_run(METHODS["draft"], {"updates": 2})
    (tmp_path / "bad.pt").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(InputError, match="unreadable checkpoint"):
        Training(run, tmp_path / "bad.pt").run()


def test_a_checkpoint_of_other_settings_is_not_resumed(tmp_path):
    long = toy_run(METHODS["draft"], {"updates": 6, "checkpoint_every": 1, "checkpoint_minutes": 0})
    Training(long, tmp_path / "checkpoint").run()
    for settings in (
        {"updates": 6, "checkpoint_every": 1, "checkpoint_minutes": 0},
        {"updates": 6, "checkpoint_every": 1, "checkpoint_minutes": 0, "lr": 0.5},
    ):
        training = Training(toy_run(METHODS["draft"], settings), tmp_path / "checkpoint")
        assert training.resume() == ("lr" not in settings)
        assert training.trajectory == (0 if "lr" in settings else 5)


@pytest.mark.parametrize("method", ["draft", "chain"])
def test_a_resumed_run_has_the_same_average(tmp_path, method):
    settings = {"trajectories": 6, "checkpoint_every": 1, "checkpoint_minutes": 0, "ema": 0.9}
    whole, half = (toy_run(METHODS[method], settings) for _ in range(2))
    Training(whole, tmp_path / "whole").run()
    stopped_at(Training(half, tmp_path / "half"), 3)
    resumed = toy_run(METHODS[method], settings)
    training = Training(resumed, tmp_path / "half")
    assert training.resume()
    assert training.trajectory == 3
    training.run()
    for a, b in zip(whole.trained, resumed.trained, strict=True):
        assert torch.equal(a, b)
