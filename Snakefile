# MotionRFT, from a corpus to its tables, figures and report:
#
#   snakemake --cores all                                       the toy run, config/toy.yaml
#   snakemake --cores all --configfile config/mocap.yaml --config mocap_dir=/path/to/bvh
#   snakemake --profile slurm --configfile config/humanml3d.yaml
#
# Everything a run makes is in results/<run>/; a path there reads as what, backbone, method, seed:
#   corpus/  features/  text/<encoder>  evaluator/  reward/<stage>  backbones/<backbone>/<stage>
#   finetune/<backbone>/<method>/seed<k>/  evaluate/<backbone>/<method>/seed<k>/  tables/  figures/  report.html
import os
import sys

from snakemake.utils import min_version

min_version("9.27.1")

# the package of this checkout, for the rules' definitions and for their commands
sys.path.insert(0, str(workflow.basedir))
from motionrft.workflow_outputs import keep_outputs_until_replaced
from motionrft.workflow_plan import use_this_python

use_this_python(workflow.basedir)
keep_outputs_until_replaced()

# an explicit --configfile stands alone: it is not laid over the toy run
if not workflow.config_settings.configfiles:

    configfile: os.path.join(workflow.basedir, "config", "toy.yaml")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/corpus.smk"
include: "workflow/rules/text.smk"
include: "workflow/rules/evaluator.smk"
include: "workflow/rules/reward.smk"
include: "workflow/rules/backbones.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/share.smk"


rule all:
    """The whole run."""
    default_target: True
    input:
        "<results>/report.html",


onsuccess:
    # of a run whose target was a single table, the report may not be there
    if os.path.exists(f"{PLAN.results}/report.html"):
        print(f"open {PLAN.results}/report.html", file=sys.stderr)
