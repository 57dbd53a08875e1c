# The networks that judge, trained apart from every reward: one for the test, one for validations.


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
    priority: 1  # every evaluation waits for it
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads(PLAN.evaluator_rule)
    resources:
        **PLAN.resources(PLAN.evaluator_rule),
    params:
        settings=PLAN.evaluator_settings(),
        config=CONFIG,
        features=subpath(input.features, parent=True),
        text=lambda wildcards, input: PLAN.option("--text", input.text),
    shell:
        "python -m motionrft train-evaluator --config {params.config:q} --features {params.features:q} "
        "{params.text} --device {resources.device} --out {output:q} > {log:q} 2>&1"


rule train_judge:
    """A second network, of another seed, that chooses among weights on the validation split."""
    input:
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["evaluator"]["text"]),
    output:
        "<results>/judge/model.safetensors",
    log:
        "<logs>/judge.log",
    benchmark:
        "<benchmarks>/judge.jsonl"
    priority: 1  # every fine-tuning waits for it
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("train_evaluator")
    resources:
        **PLAN.resources("train_evaluator"),
    params:
        settings=PLAN.settings_of("evaluator"),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft train-evaluator --judge --config {params.config:q} --features {params.features:q} "
        "--text {input.text:q} --device {resources.device} --out {output:q} > {log:q} 2>&1"
