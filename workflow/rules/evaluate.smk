# Sampling and scoring, all replications of a model in one job.


def model_to_score(wildcards):
    if wildcards.method == "base":
        return base_model(wildcards.backbone)
    return f"results/{RUN['name']}/finetune/{wildcards.backbone}/{wildcards.method}/seed{wildcards.seed}/model.safetensors"


rule evaluate:
    input:
        model=model_to_score,
        evaluator="<results>/evaluator/model.safetensors",
        features=FEATURES,
        text=lambda wildcards: text_features(BACKBONES[wildcards.backbone]["text"]),
    output:
        scores="<results>/evaluate/{backbone}/{method}/seed{seed}/replications.parquet",
        samples="<results>/evaluate/{backbone}/{method}/seed{seed}/samples.safetensors",
    log:
        "<logs>/evaluate/{backbone}-{method}-seed{seed}.log",
    benchmark:
        "<benchmarks>/evaluate/{backbone}-{method}-seed{seed}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: threads_of("evaluate")
    resources:
        **resources_of("evaluate"),
    params:
        settings=lambda wildcards: digest(
            [BACKBONES[wildcards.backbone]["sampler"], RUN["evaluate"]]
        ),
        config=CONFIG,
        features=FEATURES_FOLDER,
        out=subpath(output.scores, parent=True),
    shell:
        "python -m motionrft evaluate --config {params.config:q} --backbone {wildcards.backbone} "
        "--model {input.model:q} --evaluator {input.evaluator:q} --features {params.features:q} "
        "--text {input.text:q} --device {DEVICE} --out {params.out:q} > {log:q} 2>&1"
