# The network that judges, trained apart from every reward.


rule train_evaluator:
    input:
        features=FEATURES,
        text=text_features(RUN["evaluator"]["text"]),
    output:
        "<results>/evaluator/model.safetensors",
    log:
        "<logs>/evaluator.log",
    benchmark:
        "<benchmarks>/evaluator.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: threads_of("train_evaluator")
    resources:
        **resources_of("train_evaluator"),
    params:
        settings=section("evaluator"),
        config=CONFIG,
        features=FEATURES_FOLDER,
    shell:
        "python -m motionrft train-evaluator --config {params.config:q} --features {params.features:q} "
        "--text {input.text:q} --device {DEVICE} --out {output:q} > {log:q} 2>&1"
