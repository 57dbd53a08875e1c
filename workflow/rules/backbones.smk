# Backbones: pre-trained stage by stage, or read from an official checkpoint.


rule pretrain:
    """One stage of a backbone, trained from scratch."""
    input:
        features="<results>/features/stats.safetensors",
        text=PLAN.text_of_stage,
        start=PLAN.start_of_stage,
    output:
        model="<results>/backbones/{backbone}/{stage}.safetensors",
        history="<results>/backbones/{backbone}/{stage}.history.parquet",
    log:
        "<logs>/pretrain/{backbone}-{stage}.log",
    benchmark:
        "<benchmarks>/pretrain/{backbone}-{stage}.jsonl"
    wildcard_constraints:
        backbone="|".join(PLAN.trained) or "none",
    priority: 1  # much waits for it
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("pretrain")
    resources:
        **PLAN.resources("pretrain"),
    params:
        settings=PLAN.pretraining_settings,
        config=CONFIG,
        features=subpath(input.features, parent=True),
        text=lambda wildcards, input: PLAN.option("--text", input.text),
        seed=lambda wildcards: wildcards.get("seed", 0),
    shell:
        "python -m motionrft pretrain --config {params.config:q} --backbone {wildcards.backbone} "
        "--stage {wildcards.stage} --features {params.features:q} {params.text} --from {input.start:q} "
        "--seed {params.seed} --device {resources.device} --out {output.model:q} > {log:q} 2>&1"


use rule pretrain as pretrain_again with:
    output:
        model="<results>/backbones/{backbone}/seed{seed}/{stage}.safetensors",
        history="<results>/backbones/{backbone}/seed{seed}/{stage}.history.parquet",
    log:
        "<logs>/pretrain/{backbone}-{stage}-seed{seed}.log",
    benchmark:
        "<benchmarks>/pretrain/{backbone}-{stage}-seed{seed}.jsonl"


rule import_backbone:
    """A backbone read from its official checkpoint."""
    input:
        checkpoint=lambda wildcards: PLAN.run["backbones"][wildcards.backbone][
            "checkpoint"
        ],
        features="<results>/features/stats.safetensors",
        text=PLAN.text_of_import,
    output:
        "<results>/backbones/{backbone}/{stage}.safetensors",
    log:
        "<logs>/import/{backbone}-{stage}.log",
    benchmark:
        "<benchmarks>/import/{backbone}-{stage}.jsonl"
    wildcard_constraints:
        backbone="|".join(PLAN.official) or "none",
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("import_backbone")
    resources:
        **PLAN.resources("import_backbone"),
    params:
        settings=PLAN.import_settings,
        config=CONFIG,
        features=subpath(input.features, parent=True),
        text=lambda wildcards, input: PLAN.option("--text", input.text),
    shell:
        "python -m motionrft import --config {params.config:q} --backbone {wildcards.backbone} "
        "--checkpoint {input.checkpoint:q} --features {params.features:q} {params.text} "
        "--out {output:q} > {log:q} 2>&1"
