"""The command line: help without torch, one-line mistakes, exit statuses, and the examples of its own help."""

from __future__ import annotations

import errno
import inspect
import os
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App

from motionrft import cli
from motionrft.cli.app import app
from motionrft.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(name for name in app if not name.startswith("-"))


def help_of(name: str, capsys) -> str:
    assert cli.main([name, "--help"]) == 0
    return capsys.readouterr().out


def options_of(name: str) -> list:
    """Its options; groups of them are taken apart."""
    arguments = app[name].assemble_argument_collection(parse_docstring=True)
    return [argument for argument in arguments if argument.parse and not argument.children]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_says_what_the_command_does_and_how_it_is_called(name, capsys):
    shown = help_of(name, capsys)
    assert re.search(rf"^For example:\n    python -m motionrft {name}\b", shown, re.M)
    first = (app[name].default_command.__doc__ or "").splitlines()[0]
    assert first.endswith(".")
    assert first in shown
    # a terminal of 80 columns would break longer lines once more, in their middle
    text = inspect.getdoc(app[name].default_command).partition("\nParameters\n")[0]
    assert [line for line in text.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_sentence(name):
    assert options_of(name)
    for option in options_of(name):
        described = option.parameter.help or ""
        assert re.search(r"\w .*[.)]$", described, re.S), f"{option.name}: {described!r}"


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_can_be_given_by_position_alone(name):
    """Only motions, sentences, and the names of what is listed, analysed, verified, planned or run, stand without an option."""
    by_position = [option.name for option in options_of(name) if not option.name.startswith("--")]
    alone = {
        "analyse": ["WHAT"],
        "verify": ["FOLDERS"],
        "plan": ["FILES"],
        "generate": ["SENTENCES"],
    }
    alone |= {"run": ["WORDS"]}
    alone |= {"score": ["MOTION", "SENTENCE"], "export-motion": ["MOTIONS"], "list": ["KIND"]}
    alone |= {"compare": ["FIRST", "SECOND"], "preferences": ["FIRST", "SECOND"], "fetch": ["NAME"]}
    assert by_position == alone.get(name, [])


def examples() -> list[str]:
    """Every call of the commands' own help."""
    calls = []
    for name in COMMANDS:
        text = (app[name].default_command.__doc__ or "").replace("\\\n", " ")
        calls += re.findall(r"^ +(python -m motionrft .*)$", text, re.M)
    return calls


@pytest.mark.parametrize("call", examples())
def test_the_examples_parse(call):
    words = shlex.split(call)[3:]
    command = app.parse_args(words, exit_on_error=False, print_error=False)[0]
    assert command is app[words[0]].default_command


def test_lists_follow_one_option_or_several():
    words = ["reward-data", "--kind", "authenticity", "--features", "f", "--out", "o"]
    for samples, files in (
        (["--samples", "a", "b", "c"], ["a", "b", "c"]),
        (["--samples", "a", "--samples", "b"], ["a", "b"]),
        (["--samples", "--seed", "1"], []),
    ):
        bound = app.parse_args([*words, *samples], exit_on_error=False, print_error=False)[1]
        assert bound.arguments["samples"] == [Path(file) for file in files]


SAMPLE = shlex.split("sample --backbone zzz --model m --features f --text t --out o")
SCORE = shlex.split("evaluate-reward --reward s --features f --text t --out o")
MISTAKES = {
    "a command": (["fintune"], 'Did you mean "finetune"?'),
    "an option": (["verify", "--failures-onli"], "Did you mean --failures-only?"),
    "no value": (["corpus", "--out"], "--out requires an argument"),
    "a missing option": (["corpus"], "--out"),
    "a choice": ([*SCORE, "--split", "train"], '"val", "test"'),
    "a number": (["features", "--corpus", "c", "--out", "o", "--batch", "x"], "--batch"),
    "no clips at once": (["features", "--corpus", "c", "--out", "o", "--batch", "0"], "--batch"),
    "no prompts": ([*SAMPLE, "--prompts", "0"], "--prompts"),
    "a word too many": (["config", "more"], "more"),
    "an option twice": (["corpus", "--out", "a", "--out", "b"], "--out specified multiple times"),
    "an unknown backbone": (
        [*SAMPLE, "--config", str(ROOT / "config" / "toy.yaml")],
        "unknown backbone 'zzz'",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(mistake, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, message = MISTAKES[mistake]
    assert cli.main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    [line] = shown.err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (InputError("wrong", where="a.yaml"), 2, "error: a.yaml: wrong"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "free some space"),
        (KeyboardInterrupt(), 130, "run the same command again"),
    ],
)
def test_exit_statuses(raised, status, message, capsys, monkeypatch):
    program = App(name="test")

    @program.command
    def stage(*, out: str) -> None:
        raise raised

    monkeypatch.setattr(cli, "app", program)
    assert cli.main(["stage", "--out", "folder"]) == status
    [line] = capsys.readouterr().err.strip().splitlines()
    assert message in line


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nobody_has_to_read_all_that_is_printed(unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "motionrft", "list"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, env=environment
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_broken_pipe_elsewhere_keeps_its_traceback(monkeypatch):
    program = App(name="test")

    @program.command
    def stage() -> None:
        raise BrokenPipeError

    monkeypatch.setattr(cli, "app", program)
    with pytest.raises(BrokenPipeError):
        cli.main(["stage"])


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    program = App(name="test")

    @program.command
    def stage() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(cli, "app", program)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["stage"])


def test_only_commands_that_share_a_batch_are_launched_again(monkeypatch):
    launched = []
    monkeypatch.setattr(cli, "relaunch", lambda words, count: launched.append(count) or 7)
    words = ["train-reward", "--stage", "semantic", "--features", "f", "--text", "t", "--out", "o"]
    assert cli.main([*words, "--processes", "3"]) == 7
    assert cli.main(words) == 7
    assert launched == [3, 1]
    names = {name for name in COMMANDS for o in options_of(name) if o.name == "--processes"}
    assert names == {"train-reward", "finetune"}


def test_no_job_starts_with_the_compiler_or_a_hub():
    """torch._dynamo takes 1.5 s of a job's start, peft 5, transformers 2, diffusers 2. What stages work with is imported
    here; what they build of it, in tests/training, tests/diffusion and tests/reward."""
    code = (
        "import sys\n"
        "from motionrft.cli import finetune, pretrain, sample, evaluate, features, reward, evaluator\n"
        "import motionrft.finetune.loop, motionrft.evaluation.replicate, motionrft.backbones.pretrain\n"
        "import motionrft.reward.motion_reward, motionrft.backbones.generate\n"
        "from motionrft.backbones import families, family\n"
        "from motionrft.reward import stages\n"
        "[family(name) for name in families()], [stages.load(name) for name in stages.names()]\n"
        "heavy = {'torch._dynamo', 'diffusers', 'peft', 'transformers', 'roma'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_a_job_loads_is_not_searched_for_garbage_what_it_makes_is():
    code = (
        "import gc; from motionrft.cli import main; loaded = gc.get_freeze_count();"
        "status = main(['score', 'nothing.npz', 'a sentence', '--reward', 'nothing', '--device', 'cpu']);"
        "assert status == 2, status;"
        "assert gc.isenabled(); assert gc.get_freeze_count() - loaded > 50_000"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_comes_at_once_and_without_torch():
    code = (
        "import sys; from motionrft.cli import main; main(['--help']); main(['finetune', '--help']);"
        "assert not {'torch', 'pandas', 'numpy', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    command = [sys.executable, "-m", "motionrft", "--help"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # its own work, however many share the machine
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
