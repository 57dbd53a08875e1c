# Sampling and scoring, all replications of a model in one job.


rule evaluate:
    input:
        model=PLAN.scored_model,
        evaluator="<results>/evaluator/model.safetensors",
        features="<results>/features/stats.safetensors",
        text=PLAN.text_of_backbone,
    output:
        scores="<results>/evaluate/{backbone}/{method}/seed{seed}/replications.parquet",
        samples="<results>/evaluate/{backbone}/{method}/seed{seed}/samples.safetensors",
    log:
        "<logs>/evaluate/{backbone}-{method}-seed{seed}.log",
    benchmark:
        "<benchmarks>/evaluate/{backbone}-{method}-seed{seed}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("evaluate")
    resources:
        **PLAN.resources("evaluate"),
    params:
        settings=PLAN.evaluation_settings,
        config=CONFIG,
        features=subpath(input.features, parent=True),
        out=subpath(output.scores, parent=True),
    shell:
        "python -m motionrft evaluate --config {params.config:q} --backbone {wildcards.backbone} "
        "--model {input.model:q} --evaluator {input.evaluator:q} --features {params.features:q} "
        "--text {input.text:q} --device {resources.device} --out {params.out:q} > {log:q} 2>&1"
