# Motions, captions and splits; their three representations.


rule corpus:
    """Motions, captions and splits of a source, packed."""
    output:
        about="<results>/corpus/corpus.json",
        clips="<results>/corpus/clips.parquet",
        motions="<results>/corpus/motions.npy",
    log:
        "<logs>/corpus.log",
    benchmark:
        "<benchmarks>/corpus.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("corpus")
    resources:
        **PLAN.resources("corpus"),
    params:
        settings=PLAN.settings_of("corpus"),
        config=CONFIG,
        out=subpath(output.about, parent=True),
    shell:
        "python -m motionrft corpus --config {params.config:q} --out {params.out:q} --enough "
        "> {log:q} 2>&1"


rule features:
    """The three representations of the corpus, and their statistics."""
    input:
        about="<results>/corpus/corpus.json",
        clips="<results>/corpus/clips.parquet",
        motions="<results>/corpus/motions.npy",
    output:
        clips="<results>/features/clips.parquet",
        statistics="<results>/features/stats.safetensors",
    log:
        "<logs>/features.log",
    benchmark:
        "<benchmarks>/features.jsonl"
    conda:
        "../../envs/motionrft.yaml"
    threads: PLAN.threads("features")
    resources:
        **PLAN.resources("features"),
    params:
        settings=PLAN.settings_of("corpus"),
        config=CONFIG,
        corpus=subpath(input.about, parent=True),
        out=subpath(output.clips, parent=True),
    shell:
        "python -m motionrft features --config {params.config:q} --corpus {params.corpus:q} "
        "--out {params.out:q} --workers {threads} > {log:q} 2>&1"
