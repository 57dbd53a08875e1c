# What every stage shares: the resolved configuration and what is derived from it (motionrft/workflow_plan.py).
from motionrft.configuration import as_written, dump, merge, resolve, typed
from motionrft.configuration.switches import switches
from motionrft.errors import InputError, storage_error
from motionrft.files import atomic, digest
from motionrft.finetune.cells import check_cells, unread
from motionrft.workflow_command import snakemake_command
from motionrft.workflow_inputs import missing_inputs
from motionrft.workflow_plan import Plan, analyses
from motionrft.workflow_sharing import base_plan, states, taken, told
from motionrft.workflow_targets import check_targets

# in place: jobs on other machines are started with these values
START = os.environ.get("PWD", os.getcwd())
as_written(workflow.config_settings.config, sys.argv, START)
SOURCE = ", ".join(
    map(str, workflow.config_settings.configfiles or ["config/toy.yaml"])
)

try:
    PLAN = Plan(resolve(merge(config, typed(workflow.config_settings.config)), SOURCE))
    check_cells(PLAN.run, SOURCE)
    # what is taken from another run (`base`) instead of being made again
    BASE = base_plan(PLAN.run)
    SHARED = taken(PLAN, BASE)
except InputError as error:
    raise WorkflowError(f"error: {error}") from None

if workflow.is_main_process:
    for missing in missing_inputs(PLAN.run):
        print(f"missing: {missing}", file=sys.stderr)
    written = typed(workflow.config_settings.config).get("finetune", {})
    for line in unread(PLAN.run, written, [cell[:2] for cell in PLAN.trained_cells]):
        print(f"note: {line}", file=sys.stderr)
    if BASE is not None:
        print(told(PLAN, BASE, SHARED), file=sys.stderr)
    ends = [f"{PLAN.results}/report.html", *PLAN.records()]
    check_targets(workflow, ends, PLAN.methods_of_backbones())


pathvars:
    results=PLAN.results,
    logs=f"{PLAN.results}/logs",
    benchmarks=f"{PLAN.results}/benchmarks",


wildcard_constraints:
    encoder="|".join(PLAN.run["text"]),
    backbone="|".join(PLAN.backbones) or "none",
    method="|".join([*PLAN.run["methods"], "base"]),
    stage="|".join(PLAN.all_stages),
    seed=r"\d+",
    what="|".join(analyses()),
    switch="|".join(switches()),
    reading="released|used",
    table="[^/.]+",


# a cap on GPUs (--resources gpu=N) holds on this machine only: a cluster's scheduler counts its own
resource_scopes:
    gpu="local",
    machine_percent="local",


# Jobs read the resolved run from this file. It is no input of theirs, so that a change to it runs nothing
# again by itself: what a job depends on stands in its `settings`, the digest of its own sections. `command` is
# what a table tells a person to type for what it lacks.
CONFIG = f"{PLAN.results}/config.yaml"


onstart:
    try:
        with atomic(CONFIG) as temporary:
            run = {**PLAN.run, "command": snakemake_command(workflow, START)}
            temporary.write_text(dump(run), encoding="utf-8")
    except OSError as problem:
        raise WorkflowError(
            f"error: {storage_error(problem, CONFIG) or problem}"
        ) from None
