"""Which text feature files a run makes, and who waits for which."""

from __future__ import annotations

from motionrft.workflow_plan import Plan
from tests.test_workflow_plan import Wildcards, plan


def test_a_stage_of_motions_alone_waits_for_no_text():
    p = plan(backbones=["mld", "acmdm", "mdm"])
    waits = {
        (name, stage): p.text_of_stage(Wildcards(backbone=name, stage=stage))
        for name in p.backbones
        for stage in p.stages(name)
    }
    text = ["results/t/text/toy.safetensors"]
    assert waits == {
        ("mld", "vae"): [],
        ("mld", "denoiser"): text,
        ("acmdm", "denoiser"): text,
        ("mdm", "denoiser"): text,
    }
    stage = Wildcards(backbone="acmdm", stage="autoencoder")
    assert plan(size="paper", backbones=["acmdm"]).text_of_stage(stage) == []


def test_an_option_is_quoted_or_left_out():
    assert Plan.option("--text", ["a b.safetensors"]) == "--text 'a b.safetensors'"
    assert Plan.option("--text", "a.safetensors") == "--text a.safetensors"
    assert Plan.option("--text", []) == ""


def test_an_evaluator_with_words_of_its_own_makes_no_text_features():
    files = {"checkpoint": "finest.tar", "mean": "m.npy", "std": "s.npy", "glove": "glove"}
    trained = plan(size="paper")
    assert trained.text_of_evaluator() == ["results/t/text/clip-b32.safetensors"]
    official = plan(size="paper", evaluator={**files, "judge": None})
    assert official.text_of_evaluator() == []
    assert "clip-b32" in trained.encoders
    assert "clip-b32" not in official.encoders
    # its judge is trained here, and reads the section's
    judged = plan(size="paper", evaluator=files)
    assert judged.text_of_evaluator() == []
    assert judged.text_of_judge() == ["results/t/text/clip-b32.safetensors"]
    assert "clip-b32" in judged.encoders
    spm = plan(size="paper", evaluator={**files, "network": "spm", "text": "t5"})
    assert spm.text_of_evaluator() == ["results/t/text/t5.safetensors"]


def test_a_second_evaluator_validates_and_the_first_does_not_know_of_it():
    p, without = plan(), plan(evaluator={"judge": None})
    assert p.judge == "results/t/judge/model.safetensors"
    assert without.judge == "results/t/evaluator/model.safetensors"
    assert p.job_counts()["train_judge"] == 1
    assert "train_judge" not in without.job_counts()
    assert p.evaluator_settings() == without.evaluator_settings()
    assert p.settings_of("evaluator") != without.settings_of("evaluator")
    longer = plan(evaluator={"train": {"steps": 7}})
    assert longer.evaluator_settings() != p.evaluator_settings()
