"""`verify` finds the reference checks of its repository, or says that it needs one."""

from pathlib import Path

from motionrft import cli
from motionrft.cli import verify

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_repository_it_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verify, "REPOSITORY", tmp_path)
    assert cli.main(["verify"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: verify: the reference checks are not installed")
    assert message.count("\n") == 1


def test_a_folder_is_compared(capsys):
    assert cli.main(["verify", str(ROOT / "tests/fixtures/data_eval"), "--failures-only"]) == 0
    assert "0 failed" in capsys.readouterr().out
