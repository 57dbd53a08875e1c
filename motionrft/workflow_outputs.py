"""An output that exists stays until the job that replaces it has finished.

Snakemake deletes a job's outputs before the job runs, and those of a failed job after it, so that a run with one
wrong setting costs the finished model it was to replace. Its `update()` restores outputs when a job fails, but
records the failed job's settings with them: the next run takes the old model for one made with the new settings.
On a cluster it deletes them after all, since the job on the node has used up the backup.

Every stage of this suite writes beside its output and renames what is finished into place
(`motionrft.files`), so nothing has to be deleted, and a failed job leaves the outputs and the record of how
they were made as they were. Where it has replaced some of its outputs and not all, they are incomplete, and the
next run makes them again.
"""

from __future__ import annotations

from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.io import is_flagged
from snakemake.jobs import Job
from snakemake_interface_executor_plugins.settings import ExecMode

snakemake_postprocess = Job.postprocess


async def remove_existing_output(job: Job) -> None:
    """Before a job runs: old logs go, outputs stay."""
    for file in job.log:
        await file.remove(remove_non_empty_dir=False)


async def postprocess(job: Job, *arguments: Any, error: bool = False, **options: Any) -> None:
    """After a job has run; only the process that the user started keeps records."""
    if job.dag.workflow.exec_mode != ExecMode.DEFAULT:
        if not error:
            await snakemake_postprocess(job, *arguments, **options)
        return
    before = [file for file in job.output if await unchanged(job, file)]
    persistence = job.dag.workflow.persistence
    if not error:
        left = [file for file in before if not is_flagged(file, "touch")]
        if left:
            raise WorkflowError(f"rule {job.rule}: the job ended without writing {', '.join(left)}")
        await snakemake_postprocess(job, *arguments, **options)
    elif len(before) == len(job.output):
        for file in before:
            persistence._unmark_incomplete(persistence._get_key(file))
    else:
        persistence.started(job)  # marks the outputs as incomplete


async def unchanged(job: Job, file: Any) -> bool:
    """Whether an output is still the one of which Snakemake has recorded how it was made."""
    record = job.dag.workflow.persistence.metadata(file)
    if record is None or record.endtime is None or not await file.exists():
        return False
    return bool((await file.mtime()).local_or_storage() == record.endtime)


def keep_outputs_until_replaced() -> None:
    """To be called once, from the Snakefile."""
    for function in (remove_existing_output, postprocess):
        assert hasattr(Job, function.__name__), f"this Snakemake has no Job.{function.__name__}"
        setattr(Job, function.__name__, function)
