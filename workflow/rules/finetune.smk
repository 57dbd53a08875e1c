# Reward fine-tuning: one job a backbone, method and seed.


rule finetune:
    input:
        base=lambda wildcards: base_model(wildcards.backbone),
        reward=REWARD,
        features=FEATURES,
        text=lambda wildcards: text_features(BACKBONES[wildcards.backbone]["text"]),
    output:
        model="<results>/finetune/{backbone}/{method}/seed{seed}/model.safetensors",
        record="<results>/finetune/{backbone}/{method}/seed{seed}/record.parquet",
        cost="<results>/finetune/{backbone}/{method}/seed{seed}/cost.json",
    log:
        "<logs>/finetune/{backbone}-{method}-seed{seed}.log",
    benchmark:
        "<benchmarks>/finetune/{backbone}-{method}-seed{seed}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: threads_of("finetune")
    resources:
        **resources_of("finetune"),
    params:
        settings=lambda wildcards: digest(
            [
                BACKBONES[wildcards.backbone],
                RUN["methods"][wildcards.method],
                RUN["finetune"],
                RUN["reward"],
            ]
        ),
        config=CONFIG,
        features=FEATURES_FOLDER,
        out=subpath(output.model, parent=True),
    shell:
        "python -m motionrft finetune --config {params.config:q} --backbone {wildcards.backbone} "
        "--method {wildcards.method} --seed {wildcards.seed} --base {input.base:q} --reward {input.reward:q} "
        "--features {params.features:q} --text {input.text:q} --device {DEVICE} --out {params.out:q} > {log:q} 2>&1"
