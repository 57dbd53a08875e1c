# What is taken from another run (`base`) instead of being made again: one job that links it.
SHARED_FOLDERS = ("text_encoder", "reward_data")


if SHARED:

    ruleorder:
        take
        > corpus
        > features
        > text_encoder
        > text
        > train_evaluator
        > train_judge
        > pretrain
        > pretrain_again
        > import_backbone
        > sample
        > reward_data
        > train_reward
        > import_reward
        > evaluate_reward
        > train_reward_switched
        > evaluate_reward_switched
        > tune
        > finetune
        > analyse
        > evaluate_real
        > evaluate

    # no input: what is there is older than this run, and a change of it is a change of `files`
    rule take:
        """What another run has made of the same settings."""
        output:
            [
                f"<results>/{name}"
                for job in SHARED
                if job.rule not in SHARED_FOLDERS
                for name in job.outputs
            ],
            [
                directory(f"<results>/{name}")
                for job in SHARED
                if job.rule in SHARED_FOLDERS
                for name in job.outputs
            ],
        log:
            "<logs>/take.log",
        localrule: True
        conda:
            "../../envs/report.yaml"
        params:
            files=digest(states(PLAN, SHARED)),
            config=CONFIG,
        shell:
            "python -m motionrft take --config {params.config:q} > {log:q} 2>&1"
