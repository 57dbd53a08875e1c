# Every caption through every text encoder that is used, once.


def encoder_source(wildcards):
    """Files of an encoder that the run makes; an encoder with a `source` has none."""
    if (
        "source" in RUN["text"][wildcards.encoder]
        or "sources" in RUN["text"][wildcards.encoder]
    ):
        return []
    return [f"results/{RUN['name']}/text/{wildcards.encoder}"]


rule text_encoder:
    input:
        corpus="<results>/corpus/corpus.json",
    output:
        directory("<results>/text/{encoder}"),
    log:
        "<logs>/text/{encoder}-encoder.log",
    benchmark:
        "<benchmarks>/text/{encoder}-encoder.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: threads_of("text_encoder")
    resources:
        **resources_of("text_encoder"),
    params:
        settings=lambda wildcards: digest(RUN["text"][wildcards.encoder]),
        config=CONFIG,
        corpus=subpath(input.corpus, parent=True),
    shell:
        "python -m motionrft text-encoder --config {params.config:q} --corpus {params.corpus:q} "
        "--name {wildcards.encoder} --out {output:q} > {log:q} 2>&1"


rule text:
    input:
        corpus="<results>/corpus/corpus.json",
        encoder=encoder_source,
    output:
        "<results>/text/{encoder}.safetensors",
    log:
        "<logs>/text/{encoder}.log",
    benchmark:
        "<benchmarks>/text/{encoder}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: threads_of("text")
    resources:
        **resources_of("text"),
    params:
        settings=lambda wildcards: digest(RUN["text"][wildcards.encoder]),
        config=CONFIG,
        corpus=subpath(input.corpus, parent=True),
        source=lambda wildcards, input: (
            f"--source {input.encoder}" if input.encoder else ""
        ),
    shell:
        "python -m motionrft text --config {params.config:q} --corpus {params.corpus:q} "
        "--name {wildcards.encoder} {params.source} --device {DEVICE} "
        "--out {output:q} > {log:q} 2>&1"
