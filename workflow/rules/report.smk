# What the records say: tables, figures, the report.


def scores():
    """The evaluations of this run: every base model, every fine-tuned one."""
    models = [(backbone, "base", 0) for backbone in BACKBONES] + CELLS
    return [
        f"results/{RUN['name']}/evaluate/{backbone}/{method}/seed{seed}/replications.parquet"
        for backbone, method, seed in models
    ]


rule scored:
    input:
        scores(),
