"""`python -m motionrft <stage> …`: every rule of the workflow is one such command.

A file of this folder holds the commands of one stage: typed functions under `@app.command`, whose
docstrings are their `--help`. Commands import what they compute with when they run, so that help
and light rules never load torch.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import io
import logging
import os
import select
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from motionrft import drop_ins
from motionrft.cli.app import app
from motionrft.cli.options import Processes
from motionrft.errors import InputError, storage_error
from motionrft.loading import loading
from motionrft.training.launch import relaunch

for file in drop_ins.names(__name__):
    importlib.import_module(f"{__name__}.{file}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` and returns its exit status: 2 for what the user can mend,
    told in one line; 130 where it was interrupted; 141 where `| head` has heard enough."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    bound.apply_defaults()
    status = _launched(words, bound)
    if status is not None:
        return status
    if "device" in bound.arguments:
        _load_torch()
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("motionrft").setLevel(logging.INFO)
    try:
        status = int(command(*bound.args, **bound.kwargs) or 0)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        if not _unheard():
            raise
        return 141
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        problem = storage_error(error, bound.arguments.get("out") or command.__name__)
        if problem is None:
            raise
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: run the same command again to continue", file=sys.stderr)
        return 130


def _load_torch() -> None:
    """What a command that computes loads first. Its modules are never searched for garbage."""
    if "torch" not in sys.modules:
        with loading():
            importlib.import_module("torch")
            gc.freeze()


def _unheard() -> bool:
    """Whether what reads the output has gone; if so, the rest is printed to nobody."""
    try:
        output = sys.stdout.fileno()
    except io.UnsupportedOperation:
        return False
    pipe = select.poll()
    pipe.register(output, 0)  # a reader's end is always told
    if not pipe.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True


def _launched(words: Sequence[str], bound: inspect.BoundArguments) -> int | None:
    """The exit status of the processes among which the command was shared; None if it runs here."""
    for value in bound.arguments.values():
        if isinstance(value, Processes):
            return relaunch(words, value.processes)
    return None
