# Every caption through every text encoder that is used, once.


rule text_encoder:
    """A small seeded text encoder, made from the corpus's captions."""
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
    threads: PLAN.threads("text_encoder")
    resources:
        **PLAN.resources("text_encoder"),
    params:
        settings=PLAN.encoder_settings,
        config=CONFIG,
        corpus=subpath(input.corpus, parent=True),
    shell:
        "python -m motionrft text-encoder --config {params.config:q} --corpus {params.corpus:q} "
        "--name {wildcards.encoder} --out {output:q} > {log:q} 2>&1"


rule text:
    """Every caption through one text encoder."""
    input:
        corpus="<results>/corpus/corpus.json",
        encoder=PLAN.synthetic_encoder,
    output:
        "<results>/text/{encoder}.safetensors",
    log:
        "<logs>/text/{encoder}.log",
    benchmark:
        "<benchmarks>/text/{encoder}.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("text")
    resources:
        **PLAN.resources("text"),
    params:
        settings=PLAN.encoder_settings,
        config=CONFIG,
        corpus=subpath(input.corpus, parent=True),
        source=lambda wildcards, input: (
            f"--source {input.encoder}" if input.encoder else ""
        ),
    shell:
        "python -m motionrft text --config {params.config:q} --corpus {params.corpus:q} "
        "--name {wildcards.encoder} {params.source} --device {resources.device} "
        "--out {output:q} > {log:q} 2>&1"
