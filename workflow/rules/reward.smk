# MotionReward: the semantic stage, what the later stages learn from, the later stages, its scores, and what the
# released code's ways (`reward.official`) change in them.


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
        settings=PLAN.reward_settings("semantic"),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft train-reward --config {params.config:q} --stage semantic "
        "--features {params.features:q} --text {input.text:q} "
        "--device {resources.device} --processes {resources.gpu} --out {output:q} > {log:q} 2>&1"


rule sample:
    input:
        model=lambda wildcards: PLAN.base_model(wildcards.backbone),
        features="<results>/features/stats.safetensors",
        text=PLAN.text_of_backbone,
    output:
        "<results>/backbones/{backbone}/samples.safetensors",
    log:
        "<logs>/sample/{backbone}.log",
    benchmark:
        "<benchmarks>/sample/{backbone}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("sample")
    resources:
        **PLAN.resources("sample"),
    params:
        settings=PLAN.sampling_settings,
        config=CONFIG,
        features=subpath(input.features, parent=True),
        prompts=PLAN.prompts(),
    shell:
        "python -m motionrft sample --config {params.config:q} --backbone {wildcards.backbone} "
        "--model {input.model:q} --features {params.features:q} --text {input.text:q} "
        "--prompts {params.prompts} --device {resources.device} --out {output:q} > {log:q} 2>&1"


rule reward_data:
    input:
        features="<results>/features/stats.safetensors",
        samples=PLAN.samples(),
    output:
        directory("<results>/reward/data/{judged}"),
    log:
        "<logs>/reward/{judged}-data.log",
    benchmark:
        "<benchmarks>/reward/{judged}-data.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("reward_data")
    resources:
        **PLAN.resources("reward_data"),
    params:
        settings=lambda wildcards: PLAN.reward_data_settings(wildcards.judged),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft reward-data --config {params.config:q} --kind {wildcards.judged} "
        "--features {params.features:q} --samples {input.samples:q} --out {output:q} > {log:q} 2>&1"


rule train_reward_judged:
    input:
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
        start="<results>/reward/semantic.safetensors",
        data="<results>/reward/data/{judged}",
    output:
        "<results>/reward/{judged}.safetensors",
    log:
        "<logs>/reward/{judged}.log",
    benchmark:
        "<benchmarks>/reward/{judged}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("train_reward")
    resources:
        **PLAN.resources("train_reward"),
    params:
        settings=lambda wildcards: PLAN.reward_settings(wildcards.judged),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft train-reward --config {params.config:q} --stage {wildcards.judged} "
        "--features {params.features:q} --text {input.text:q} --from {input.start:q} --data {input.data:q} "
        "--device {resources.device} --processes {resources.gpu} --out {output:q} > {log:q} 2>&1"


rule train_reward_spl:
    input:
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
        start="<results>/reward/semantic.safetensors",
    output:
        "<results>/reward/spl.safetensors",
    log:
        "<logs>/reward/spl.log",
    benchmark:
        "<benchmarks>/reward/spl.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("train_reward")
    resources:
        **PLAN.resources("train_reward"),
    params:
        settings=PLAN.reward_settings("spl"),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft train-reward --config {params.config:q} --stage spl "
        "--features {params.features:q} --text {input.text:q} --from {input.start:q} "
        "--device {resources.device} --processes {resources.gpu} --out {output:q} > {log:q} 2>&1"


rule evaluate_reward:
    input:
        stages=PLAN.scored_rewards(),
        data=PLAN.judged_data(),
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
        evaluator="<results>/evaluator/model.safetensors",
    output:
        "<results>/reward/scores.parquet",
    log:
        "<logs>/reward/scores.log",
    benchmark:
        "<benchmarks>/reward/scores.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("evaluate_reward")
    resources:
        **PLAN.resources("evaluate_reward"),
    params:
        config=CONFIG,
        features=subpath(input.features, parent=True),
        stages=PLAN.reward_options(),
    shell:
        "python -m motionrft evaluate-reward --config {params.config:q} {params.stages} "
        "--features {params.features:q} --text {input.text:q} --evaluator {input.evaluator:q} "
        "--device {resources.device} --out {output:q} > {log:q} 2>&1"


rule train_reward_switched:
    input:
        unpack(PLAN.start_and_data),
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
    output:
        "<results>/reward/switches/{switch}/{switched}.safetensors",
    log:
        "<logs>/reward/switches/{switch}-{switched}.log",
    benchmark:
        "<benchmarks>/reward/switches/{switch}-{switched}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("train_reward")
    resources:
        **PLAN.resources("train_reward"),
    params:
        settings=lambda wildcards: PLAN.reward_settings(wildcards.switched),
        config=CONFIG,
        features=subpath(input.features, parent=True),
        options=PLAN.switched_training_options,
    shell:
        "python -m motionrft train-reward --config {params.config:q} --set reward.official.{wildcards.switch}=true "
        "--stage {wildcards.switched} {params.options} --features {params.features:q} --text {input.text:q} "
        "--device {resources.device} --processes {resources.gpu} --out {output:q} > {log:q} 2>&1"


rule evaluate_reward_switched:
    input:
        unpack(PLAN.start_and_data),
        model="<results>/reward/switches/{switch}/{switched}.safetensors",
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
    output:
        "<results>/reward/switches/{switch}/{switched}.{reading}.parquet",
    log:
        "<logs>/reward/switches/{switch}-{switched}-{reading}.log",
    benchmark:
        "<benchmarks>/reward/switches/{switch}-{switched}-{reading}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("evaluate_reward")
    resources:
        **PLAN.resources("evaluate_reward"),
    params:
        config=CONFIG,
        features=subpath(input.features, parent=True),
        options=PLAN.switched_scoring_options,
    shell:
        "python -m motionrft evaluate-reward --config {params.config:q} {params.options} "
        "--features {params.features:q} --text {input.text:q} --only-scores "
        "--device {resources.device} --out {output:q} > {log:q} 2>&1"
