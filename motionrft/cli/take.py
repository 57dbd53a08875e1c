"""What a run takes from its base instead of making it again."""

from __future__ import annotations

from motionrft.cli.app import app
from motionrft.cli.options import RunFile


@app.command
def take(*, run: RunFile = RunFile()) -> None:
    """Link into a run's folder what its `base` has made of equal settings.

    For example:
        python -m motionrft take --config results/toy-rates/config.yaml
    """
    from motionrft.errors import InputError
    from motionrft.workflow_plan import Plan
    from motionrft.workflow_sharing import take as link_files

    plan = Plan(run.load())
    if "base" not in plan.run:
        fix = "name a finished run as its base"
        raise InputError("no base", where=run.config, field="base", fix=fix)
    print(f"{link_files(plan)} files of results/{plan.run['base']} linked into {plan.results}")
