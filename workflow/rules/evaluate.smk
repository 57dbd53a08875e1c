# Sampling and scoring, all replications of a model in one job.


rule evaluate:
    """A base or fine-tuned model, sampled and scored; with a method that trains nothing, sampled under the reward."""
    input:
        model=PLAN.scored_model,
        base=PLAN.base_of_scored,
        text=PLAN.text_of_backbone,
        steering=PLAN.steering_reward,
        evaluator="<results>/evaluator/model.safetensors",
        evaluator_text=PLAN.text_of_evaluator(),
        features="<results>/features/stats.safetensors",
    output:
        scores="<results>/evaluate/{backbone}/{method}/seed{seed}/replications.parquet",
        prompts="<results>/evaluate/{backbone}/{method}/seed{seed}/per_prompt.parquet",
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
        steering=PLAN.sampling_options,
        out=subpath(output.scores, parent=True),
        evaluator_text=lambda wildcards, input: PLAN.option(
            "--evaluator-text", input.evaluator_text
        ),
    shell:
        "python -m motionrft evaluate --config {params.config:q} --backbone {wildcards.backbone} --model {input.model:q} --text {input.text:q} "
        "{params.steering} "
        "--features {params.features:q} --evaluator {input.evaluator:q} "
        "{params.evaluator_text} --device {resources.device} "
        "--out {params.out:q} > {log:q} 2>&1"


rule evaluate_real:
    """The recorded motions, scored as a model is."""
    input:
        evaluator="<results>/evaluator/model.safetensors",
        evaluator_text=PLAN.text_of_evaluator(),
        features="<results>/features/stats.safetensors",
    output:
        scores="<results>/evaluate/real/base/seed0/replications.parquet",
        prompts="<results>/evaluate/real/base/seed0/per_prompt.parquet",
        samples="<results>/evaluate/real/base/seed0/samples.safetensors",
    log:
        "<logs>/evaluate/real.log",
    benchmark:
        "<benchmarks>/evaluate/real.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("evaluate")
    resources:
        **PLAN.resources("evaluate"),
    params:
        settings=PLAN.settings_of("evaluate"),
        config=CONFIG,
        features=subpath(input.features, parent=True),
        out=subpath(output.scores, parent=True),
        evaluator_text=lambda wildcards, input: PLAN.option(
            "--evaluator-text", input.evaluator_text
        ),
    shell:
        "python -m motionrft evaluate --config {params.config:q} "
        "--features {params.features:q} --evaluator {input.evaluator:q} "
        "{params.evaluator_text} --device {resources.device} "
        "--out {params.out:q} > {log:q} 2>&1"
