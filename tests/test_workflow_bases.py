"""Base models of every seed, in the plan."""

from tests.test_workflow_plan import Wildcards, plan


def test_own_bases_are_trained_evaluated_and_fine_tuned_seed_by_seed():
    p = plan(backbones=["motionlcm-1step"], seeds=[0, 2], bases="own")
    teacher = p.run["backbones"]["motionlcm-1step"]["teacher"]
    assert (
        p.base_model("motionlcm-1step") == "results/t/backbones/motionlcm-1step/distill.safetensors"
    )
    own = "results/t/backbones/motionlcm-1step/seed2/distill.safetensors"
    assert p.base_model("motionlcm-1step", "2") == own
    stages = p.stages(teacher)
    start = p.start_of_stage(Wildcards(backbone="motionlcm-1step", stage="distill", seed="2"))
    assert start == [f"results/t/backbones/{teacher}/seed2/{stages[-1]}.safetensors"]
    start = p.start_of_stage(Wildcards(backbone=teacher, stage=stages[1], seed="2"))
    assert start == [f"results/t/backbones/{teacher}/seed2/{stages[0]}.safetensors"]
    cell = Wildcards(backbone="motionlcm-1step", method="base", seed="2")
    assert p.scored_model(cell) == own
    folder = "results/t/evaluate/motionlcm-1step/base"
    assert {f"{folder}/seed{k}/replications.parquet" for k in (0, 2)} <= set(p.evaluations())
    counts = p.job_counts()
    assert counts["pretrain_again"] == counts["pretrain"] == 1 + len(stages)
    shared = plan(backbones=["motionlcm-1step"], seeds=[0, 2])
    assert shared.base_model("motionlcm-1step", 2) == shared.base_model("motionlcm-1step")
    assert "pretrain_again" not in shared.job_counts()
