# Reward fine-tuning, one job a backbone, method and seed; rates tuned on validation; what happens at a single denoising step.


rule tune:
    """The learning rate of one backbone and method, chosen on the validation split."""
    input:
        base=lambda wildcards: PLAN.base_model(wildcards.backbone),
        reward=PLAN.reward_files,
        features="<results>/features/stats.safetensors",
        text=PLAN.text_of_backbone,
        reward_text=PLAN.text_file(PLAN.run["reward"]["text"]),
        evaluator=PLAN.judge,
        evaluator_text=PLAN.text_of_judge(),
    output:
        "<results>/tune/{backbone}/{method}.json",
    log:
        "<logs>/tune/{backbone}-{method}.log",
    benchmark:
        "<benchmarks>/tune/{backbone}-{method}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("tune")
    resources:
        **PLAN.resources("tune"),
    params:
        settings=PLAN.finetuning_settings,
        config=CONFIG,
        features=subpath(input.features, parent=True),
        evaluator_text=lambda wildcards, input: PLAN.option(
            "--evaluator-text", input.evaluator_text
        ),
        rates=PLAN.run.get("tune", {}).get("rates", []),
        seed=PLAN.run.get("tune", {}).get("seed", 0),
    shell:
        "python -m motionrft tune --config {params.config:q} --backbone {wildcards.backbone} "
        "--method {wildcards.method} --seed {params.seed} --rates {params.rates} --base {input.base:q} "
        "--reward {input.reward:q} --features {params.features:q} --text {input.text:q} "
        "--reward-text {input.reward_text:q} --evaluator {input.evaluator:q} "
        "{params.evaluator_text} --device {resources.device} --out {output:q} > {log:q} 2>&1"


rule finetune:
    """One backbone, one method, one seed."""
    input:
        base=lambda wildcards: PLAN.base_model(wildcards.backbone, wildcards.seed),
        reward=PLAN.reward_files,
        features="<results>/features/stats.safetensors",
        text=PLAN.text_of_backbone,
        reward_text=PLAN.text_file(PLAN.run["reward"]["text"]),
        evaluator=PLAN.judge,
        evaluator_text=PLAN.text_of_judge(),
        tuned=PLAN.tuned,
    output:
        model="<results>/finetune/{backbone}/{method}/seed{seed}/model.safetensors",
        record="<results>/finetune/{backbone}/{method}/seed{seed}/record.parquet",
        cost="<results>/finetune/{backbone}/{method}/seed{seed}/cost.json",
    log:
        "<logs>/finetune/{backbone}-{method}-seed{seed}.log",
    benchmark:
        "<benchmarks>/finetune/{backbone}-{method}-seed{seed}.jsonl"
    priority: 1  # the longest jobs; evaluations fill the cores they leave
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("finetune")
    resources:
        **PLAN.resources("finetune"),
    params:
        settings=PLAN.finetuning_settings,
        config=CONFIG,
        features=subpath(input.features, parent=True),
        out=subpath(output.model, parent=True),
        evaluator_text=lambda wildcards, input: PLAN.option(
            "--evaluator-text", input.evaluator_text
        ),
    shell:
        "python -m motionrft finetune --config {params.config:q} --backbone {wildcards.backbone} "
        "--method {wildcards.method} --seed {wildcards.seed} --base {input.base:q} --reward {input.reward:q} "
        "--features {params.features:q} --text {input.text:q} --reward-text {input.reward_text:q} "
        "--evaluator {input.evaluator:q} {params.evaluator_text} --tuned {input.tuned:q} "
        "--device {resources.device} --processes {resources.gpu} --out {params.out:q} > {log:q} 2>&1"


rule analyse:
    """What happens at single denoising steps of one backbone with one method."""
    input:
        base=lambda wildcards: PLAN.base_model(wildcards.backbone),
        reward=PLAN.reward_files,
        features="<results>/features/stats.safetensors",
        text=PLAN.text_of_backbone,
        reward_text=PLAN.text_file(PLAN.run["reward"]["text"]),
    output:
        "<results>/analyse/{what}/{backbone}-{method}.parquet",
    log:
        "<logs>/analyse/{what}-{backbone}-{method}.log",
    benchmark:
        "<benchmarks>/analyse/{what}-{backbone}-{method}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("analyse")
    resources:
        **PLAN.resources("analyse"),
    params:
        settings=PLAN.finetuning_settings,
        config=CONFIG,
        features=subpath(input.features, parent=True),
        rows=PLAN.run["analyse"]["rows"],
    shell:
        "python -m motionrft analyse {wildcards.what} --config {params.config:q} "
        "--backbone {wildcards.backbone} --method {wildcards.method} --base {input.base:q} "
        "--reward {input.reward:q} --features {params.features:q} --text {input.text:q} "
        "--reward-text {input.reward_text:q} --rows {params.rows} --device {resources.device} "
        "--out {output:q} > {log:q} 2>&1"
