# The network that judges, trained apart from every reward.


rule train_evaluator:
    """The network that judges, trained apart from every reward."""
    input:
        features="<results>/features/stats.safetensors",
        text=PLAN.text_of_evaluator(),
    output:
        "<results>/evaluator/model.safetensors",
    log:
        "<logs>/evaluator.log",
    benchmark:
        "<benchmarks>/evaluator.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads(PLAN.evaluator_rule)
    resources:
        **PLAN.resources(PLAN.evaluator_rule),
    params:
        settings=PLAN.settings_of("evaluator"),
        config=CONFIG,
        features=subpath(input.features, parent=True),
        text=lambda wildcards, input: PLAN.option("--text", input.text),
    shell:
        "python -m motionrft train-evaluator --config {params.config:q} --features {params.features:q} "
        "{params.text} --device {resources.device} --out {output:q} > {log:q} 2>&1"
