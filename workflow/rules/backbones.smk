# Backbones: pre-trained stage by stage, or read from an official checkpoint.

OFFICIAL = [name for name, entry in BACKBONES.items() if "checkpoint" in entry]


def stages(backbone):
    return list(BACKBONES[backbone]["pretrain"])


def base_model(backbone):
    """The file fine-tuning starts from: the last stage."""
    return (
        f"results/{RUN['name']}/backbones/{backbone}/{stages(backbone)[-1]}.safetensors"
    )


def start_of_stage(wildcards):
    """What a stage starts from: the stage before it, or the teacher of a distilled backbone."""
    order = stages(wildcards.backbone)
    place = order.index(wildcards.stage)
    if place > 0:
        return [
            f"results/{RUN['name']}/backbones/{wildcards.backbone}/{order[place - 1]}.safetensors"
        ]
    teacher = BACKBONES[wildcards.backbone].get("teacher")
    return [base_model(teacher)] if teacher else []


def pretraining_settings(wildcards):
    """All of a backbone but its other stages and what only fine-tuning reads."""
    entry = BACKBONES[wildcards.backbone]
    own = {
        key: value
        for key, value in entry.items()
        if key not in FINETUNING_KEYS and key != "pretrain"
    }
    return digest({**own, "stage": entry["pretrain"][wildcards.stage]})


rule pretrain:
    input:
        features=FEATURES,
        text=lambda wildcards: text_features(BACKBONES[wildcards.backbone]["text"]),
        start=start_of_stage,
    output:
        model="<results>/backbones/{backbone}/{stage}.safetensors",
        history="<results>/backbones/{backbone}/{stage}.history.parquet",
    log:
        "<logs>/pretrain/{backbone}-{stage}.log",
    benchmark:
        "<benchmarks>/pretrain/{backbone}-{stage}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: threads_of("pretrain")
    resources:
        **resources_of("pretrain"),
    params:
        settings=pretraining_settings,
        config=CONFIG,
        features=FEATURES_FOLDER,
        start=lambda wildcards, input: [f"--from {file}" for file in input.start],
    shell:
        "python -m motionrft pretrain --config {params.config:q} --backbone {wildcards.backbone} "
        "--stage {wildcards.stage} --features {params.features:q} --text {input.text:q} {params.start} "
        "--device {DEVICE} --out {output.model:q} > {log:q} 2>&1"
