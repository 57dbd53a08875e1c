# MotionReward, stage by stage.


rule train_reward:
    input:
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
    output:
        "<results>/reward/semantic.safetensors",
    log:
        "<logs>/reward/semantic.log",
    benchmark:
        "<benchmarks>/reward/semantic.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("train_reward")
    resources:
        **PLAN.resources("train_reward"),
    params:
        settings=PLAN.settings_of("reward"),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft train-reward --config {params.config:q} --stage semantic "
        "--features {params.features:q} --text {input.text:q} --device {resources.device} --processes {resources.gpu} "
        "--out {output:q} > {log:q} 2>&1"
