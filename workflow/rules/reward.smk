# MotionReward, stage by stage.


rule train_reward:
    input:
        features=FEATURES,
        text=text_features(RUN["reward"]["text"]),
    output:
        "<results>/reward/semantic.safetensors",
    log:
        "<logs>/reward/semantic.log",
    benchmark:
        "<benchmarks>/reward/semantic.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: threads_of("train_reward")
    resources:
        **resources_of("train_reward"),
    params:
        settings=section("reward"),
        config=CONFIG,
        features=FEATURES_FOLDER,
    shell:
        "python -m motionrft train-reward --config {params.config:q} --stage semantic "
        "--features {params.features:q} --text {input.text:q} --device {DEVICE} "
        "--out {output:q} > {log:q} 2>&1"
