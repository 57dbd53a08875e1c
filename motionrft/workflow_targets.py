"""Targets on Snakemake's command line that no rule makes: said in one line, with what there is instead."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from motionrft.errors import InputError


def check_targets(
    workflow: Any, files: Collection[str], cells: Mapping[str, Sequence[str]]
) -> None:
    """Makes `workflow` (Snakemake's) refuse, before it plans, a target that is no rule, no file that one makes and no
    file that exists. files: outputs of the run to guess from; cells: the methods of each backbone.

    Snakemake tells a Snakefile of its targets only after the last line is read, and ends in a bare
    `MissingRuleException` where it finds no rule.
    """
    plan_jobs = workflow._prepare_dag

    def prepare_dag(*arguments: Any, **options: Any) -> Any:
        names = [rule.name for rule in workflow.rules]
        for target in sorted(workflow.dag_settings.targets):
            path = os.path.normpath(target)
            made = any(rule.is_producer(path) for rule in workflow.rules)
            if target not in names and not made and not Path(target).exists():
                problem = unknown_target(target, names, files, cells)
                raise WorkflowError(f"error: {problem}")
        return plan_jobs(*arguments, **options)

    workflow._prepare_dag = prepare_dag


def unknown_target(
    target: str, names: Collection[str], files: Collection[str], cells: Mapping[str, Sequence[str]]
) -> InputError:
    """A word is taken for a rule's name, a path for an output."""
    is_path = "/" in target or bool(Path(target).suffix)
    close = difflib.get_close_matches(target, files if is_path else names, 1)
    guess = f"did you mean {close[0]}? " if close else ""
    if is_path:
        listed = "; ".join(
            f"{backbone}: {', '.join(methods)}" for backbone, methods in cells.items()
        )
        fix = f"{guess}the run's cells are {listed}; the head of the Snakefile says where files lie"
    else:
        fix = f"{guess}`snakemake --list-rules` names every target"
    return InputError("no rule makes it", where=target, fix=fix)
