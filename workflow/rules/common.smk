# What every stage shares: the resolved configuration, its digests, and what each rule asks of the machine.
from motionrft.artefacts import atomic, digest
from motionrft.config import dump, resolve
from motionrft.errors import InputError


def complete_configuration():
    """The run as rules see it; a mistake in it ends Snakemake with the one line that says what to change."""
    files = workflow.config_settings.configfiles or ["config/toy.yaml"]
    try:
        return resolve(config, ", ".join(map(str, files)))
    except InputError as error:
        raise WorkflowError(f"error: {error}") from None


RUN = complete_configuration()
BACKBONES = RUN["backbones"]
DEVICE = RUN["device"]
FEATURES_FOLDER = f"results/{RUN['name']}/features"
FEATURES = [f"{FEATURES_FOLDER}/clips.parquet", f"{FEATURES_FOLDER}/stats.safetensors"]
REWARD = [f"results/{RUN['name']}/reward/semantic.safetensors"]
FINETUNING_KEYS = ("reward_form", "tune", "lora")
CELLS = [
    (cell["backbone"], cell["method"], seed)
    for cell in RUN["matrix"]
    for seed in cell["seeds"]
]


pathvars:
    results=f"results/{RUN['name']}",
    logs=f"results/{RUN['name']}/logs",
    benchmarks=f"results/{RUN['name']}/benchmarks",


wildcard_constraints:
    encoder="[^/.]+",
    backbone="|".join(BACKBONES) or "none",
    method="|".join([*RUN["methods"], "base"]),
    stage="[^/.]+",
    seed=r"\d+",


# a cap on GPUs (--resources gpu=N) holds on this machine only: a cluster's scheduler counts its own
resource_scopes:
    gpu="local",


# Jobs read the resolved run from this file. It is no input: a change to it re-runs nothing by itself.
# What a job depends on stands in its `settings` parameter, the digest of its own sections.
CONFIG = f"results/{RUN['name']}/config.yaml"


onstart:
    with atomic(CONFIG) as temporary:
        temporary.write_text(dump(RUN), encoding="utf-8")


def text_features(encoder):
    """The cached features of an encoder."""
    return f"results/{RUN['name']}/text/{encoder}.safetensors"


def section(*names):
    """Digest of whole sections of the run."""
    return digest({name: RUN[name] for name in names})


def asked(rule, resource, wildcards):
    """The entry of the `resources` table for one job: default, rule, backbone, method, cell, the last one that has it."""
    row = RUN["resources"].get(rule, {})
    backbone, method = wildcards.get("backbone"), wildcards.get("method")
    layers = (
        RUN["resources"]["default"],
        row,
        row.get("backbones", {}).get(backbone, {}),
        row.get("methods", {}).get(method, {}),
        row.get("cells", {}).get(f"{backbone}/{method}", {}),
    )
    return next(
        (layer[resource] for layer in reversed(layers) if resource in layer), None
    )


def threads_of(rule):
    return lambda wildcards: asked(rule, "threads", wildcards)


def resources_of(rule):
    """All of a rule's resources. Memory and time grow by half with every attempt that `retries` allows."""
    row = RUN["resources"].get(rule, {})
    nested = [
        entry
        for kind in ("backbones", "methods", "cells")
        for entry in row.get(kind, {}).values()
    ]
    names = {
        name for layer in (RUN["resources"]["default"], row, *nested) for name in layer
    }

    def value(name):
        if name in ("mem_mb", "runtime"):
            return (
                lambda wildcards, attempt: asked(rule, name, wildcards)
                * (1 + attempt)
                // 2
            )
        return lambda wildcards: asked(rule, name, wildcards)

    return {
        name: value(name)
        for name in sorted(names - {"threads", "backbones", "methods", "cells"})
    }
