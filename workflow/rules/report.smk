# What the records say: tables, figures, the report.


rule scored:
    input:
        PLAN.evaluations(),
