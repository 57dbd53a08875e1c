# What the records say: tables, figures, the report; and names for parts of the matrix.


# every record of the run has been made: one file for the tables and figures to wait for, not a thousand
rule records:
    """Everything that tables and figures are made from."""
    input:
        PLAN.records(),
    output:
        touch("<results>/records.done"),
    localrule: True


# one job: each table alone takes less time than Python takes to start
rule tables:
    """Every table, as csv, Markdown and LaTeX."""
    input:
        "<results>/records.done",
    output:
        csv=[
            report(
                f"<results>/tables/{name}.csv",
                caption="../report/table.rst",
                category="Tables",
                labels={"table": name, "format": "csv"},
            )
            for name in PLAN.tables
        ],
        markdown=collect("<results>/tables/{table}.md", table=PLAN.tables),
        latex=collect("<results>/tables/{table}.tex", table=PLAN.tables),
    log:
        "<logs>/tables.log",
    benchmark:
        "<benchmarks>/tables.jsonl"
    group:
        "reporting"
    conda:
        "../../envs/report.yaml"
    threads: PLAN.threads("tables")
    resources:
        **PLAN.resources("tables"),
    params:
        results=lambda wildcards, output: Path(output.csv[0]).parents[1],
        settings=PLAN.presentation_settings(),
    shell:
        "python -m motionrft tables --results {params.results:q} > {log:q} 2>&1"


rule figures:
    """Every figure, as png and pdf."""
    input:
        "<results>/records.done",
    output:
        report(
            directory("<results>/figures"),
            patterns=["{figure}.png", "{figure}.gif"],
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        "<logs>/figures.log",
    benchmark:
        "<benchmarks>/figures.jsonl"
    group:
        "reporting"
    conda:
        "../../envs/report.yaml"
    threads: PLAN.threads("figures")
    resources:
        **PLAN.resources("figures"),
    params:
        results=subpath(output[0], parent=True),
    shell:
        "python -m motionrft figures --results {params.results:q} --workers {threads} > {log:q} 2>&1"


rule page:
    """The report, one offline page."""
    input:
        tables=rules.tables.output.csv,
        figures="<results>/figures",
    output:
        report(
            "<results>/report.html",
            caption="../report/page.rst",
            category="Report",
            labels={"page": "whole run"},
        ),
    log:
        "<logs>/page.log",
    benchmark:
        "<benchmarks>/page.jsonl"
    group:
        "reporting"
    conda:
        "../../envs/report.yaml"
    threads: PLAN.threads("page")
    resources:
        **PLAN.resources("page"),
    params:
        results=subpath(output[0], parent=True),
        settings=PLAN.settings_of("name", "matrix"),
    shell:
        "python -m motionrft report --results {params.results:q} > {log:q} 2>&1"


rule report:
    """The report and all it needs."""
    input:
        "<results>/report.html",


rule plan:
    """What the run will do and needs: its jobs, what it lacks, its disk."""
    log:
        "<logs>/plan.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        config=CONFIG,
    shell:
        "python -m motionrft plan {params.config:q} 2>&1 | tee {log:q}"


# it has no inputs, so that nothing else runs, and no outputs, so that it is drawn whenever it is asked for
for name in PLAN.tables:

    rule:
        """One table, from what has finished; it says how to fill its gaps."""
        name:
            f"table_{name}"
        log:
            f"<logs>/table-{name}.log",
        localrule: True
        conda:
            "../../envs/report.yaml"
        params:
            results=PLAN.results,
            table=name,
        shell:
            "python -m motionrft tables --results {params.results:q} --name {params.table} 2>&1 | tee {log:q}"


for name in PLAN.backbones:

    rule:
        """Scores of one backbone, base and fine-tuned."""
        name:
            f"backbone_{name}"
        input:
            PLAN.evaluations(backbone=name),


for name in PLAN.run["methods"]:

    rule:
        """Scores of one method on every backbone that it fine-tunes."""
        name:
            f"method_{name}"
        input:
            PLAN.evaluations(method=name),
