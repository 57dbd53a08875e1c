# MotionReward: its stages, the judged motions that some of them learn from, its scores, and what the released
# code's ways (`reward.official`) change in them.
TRAINED_STAGES = "|".join(PLAN.trained_stages) or "none"


rule train_reward:
    """One stage of the reward: the semantic one, or one that builds on it."""
    input:
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
        start=PLAN.start_of_reward_stage,
        data=PLAN.data_of_reward_stage,
    output:
        "<results>/reward/{stage}.safetensors",
    log:
        "<logs>/reward/{stage}.log",
    benchmark:
        "<benchmarks>/reward/{stage}.jsonl"
    wildcard_constraints:
        stage=TRAINED_STAGES,
    priority: 1  # much waits for it
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("train_reward")
    resources:
        **PLAN.resources("train_reward"),
    params:
        settings=lambda wildcards: PLAN.reward_settings(wildcards.stage),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft train-reward --config {params.config:q} --stage {wildcards.stage} "
        "--features {params.features:q} --text {input.text:q} --from {input.start:q} --data {input.data:q} "
        "--device {resources.device} --processes {resources.gpu} --out {output:q} > {log:q} 2>&1"


rule import_reward:
    """One stage of the reward, read from released files."""
    input:
        checkpoint=PLAN.reward_checkpoint,
        start=PLAN.start_of_reward_stage,
    output:
        "<results>/reward/{stage}.safetensors",
    log:
        "<logs>/reward/{stage}-import.log",
    benchmark:
        "<benchmarks>/reward/{stage}-import.jsonl"
    wildcard_constraints:
        stage="|".join(PLAN.imported_stages) or "none",
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("import_reward")
    resources:
        **PLAN.resources("import_reward"),
    params:
        settings=PLAN.reward_import_settings,
        config=CONFIG,
    shell:
        "python -m motionrft import-reward --config {params.config:q} --stage {wildcards.stage} "
        "--checkpoint {input.checkpoint:q} --from {input.start:q} --out {output:q} > {log:q} 2>&1"


rule sample:
    """Motions of a pre-trained backbone, for stages that learn from generated ones."""
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
    priority: 1  # much waits for it
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
    """Judged motions that a stage of the reward learns from."""
    input:
        features="<results>/features/stats.safetensors",
        samples=PLAN.samples_of_data,
        given=lambda wildcards: PLAN.given_data(wildcards.stage),
    output:
        directory("<results>/reward/data/{stage}"),
    log:
        "<logs>/reward/{stage}-data.log",
    benchmark:
        "<benchmarks>/reward/{stage}-data.jsonl"
    wildcard_constraints:
        stage="|".join(PLAN.judged_stages) or "none",
    priority: 1  # much waits for it
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("reward_data")
    resources:
        **PLAN.resources("reward_data"),
    params:
        settings=lambda wildcards: PLAN.reward_data_settings(wildcards.stage),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft reward-data --config {params.config:q} --kind {wildcards.stage} "
        "--features {params.features:q} --samples {input.samples:q} --given {input.given:q} --out {output:q} > {log:q} 2>&1"


rule evaluate_reward:
    """Scores of the reward itself."""
    input:
        reward=[PLAN.reward_file(stage) for stage in PLAN.scored_stages],
        data=PLAN.judged_data(PLAN.scored_stages),
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
        evaluator="<results>/evaluator/model.safetensors",
    output:
        "<results>/reward/scores.parquet",
    log:
        "<logs>/reward/scores.log",
    benchmark:
        "<benchmarks>/reward/scores.jsonl"
    priority: 1  # begun last, it would run alone
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("evaluate_reward")
    resources:
        **PLAN.resources("evaluate_reward"),
    params:
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft evaluate-reward --config {params.config:q} --reward {input.reward:q} "
        "--data {input.data:q} --features {params.features:q} --text {input.text:q} "
        "--evaluator {input.evaluator:q} --device {resources.device} --out {output:q} > {log:q} 2>&1"


rule train_reward_switched:
    """A stage of the reward trained once more, in one way as the released code does."""
    input:
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
        start=PLAN.start_of_reward_stage,
        data=PLAN.data_of_reward_stage,
    output:
        "<results>/reward/switches/{switch}/{stage}.safetensors",
    log:
        "<logs>/reward/switches/{switch}-{stage}.log",
    benchmark:
        "<benchmarks>/reward/switches/{switch}-{stage}.jsonl"
    wildcard_constraints:
        stage=TRAINED_STAGES,
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("train_reward")
    resources:
        **PLAN.resources("train_reward"),
    params:
        settings=lambda wildcards: PLAN.reward_settings(wildcards.stage),
        config=CONFIG,
        features=subpath(input.features, parent=True),
    shell:
        "python -m motionrft train-reward --config {params.config:q} --set reward.official.{wildcards.switch}=true "
        "--stage {wildcards.stage} --features {params.features:q} --text {input.text:q} "
        "--from {input.start:q} --data {input.data:q} "
        "--device {resources.device} --processes {resources.gpu} --out {output:q} > {log:q} 2>&1"


rule evaluate_reward_switched:
    """Scores of a stage that was trained with a switch."""
    input:
        model="<results>/reward/switches/{switch}/{stage}.safetensors",
        start=PLAN.start_of_reward_stage,
        data=PLAN.data_of_reward_stage,
        features="<results>/features/stats.safetensors",
        text=PLAN.text_file(PLAN.run["reward"]["text"]),
    output:
        "<results>/reward/switches/{switch}/{stage}.{reading}.parquet",
    log:
        "<logs>/reward/switches/{switch}-{stage}-{reading}.log",
    benchmark:
        "<benchmarks>/reward/switches/{switch}-{stage}-{reading}.jsonl"
    wildcard_constraints:
        stage=TRAINED_STAGES,
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("evaluate_reward")
    resources:
        **PLAN.resources("evaluate_reward"),
    params:
        config=CONFIG,
        features=subpath(input.features, parent=True),
        switch=lambda wildcards: (
            f"--set reward.official.{wildcards.switch}=true"
            if wildcards.reading == "released"
            else ""
        ),
    shell:
        "python -m motionrft evaluate-reward --config {params.config:q} {params.switch} "
        "--reward {input.model:q} {input.start:q} --data {input.data:q} --features {params.features:q} "
        "--text {input.text:q} --only-scores --device {resources.device} --out {output:q} > {log:q} 2>&1"
