"""The reward's stages as a run makes them: what they learn from, which are scored, which a method waits for."""

from __future__ import annotations

from pathlib import Path

from tests.test_workflow_plan import Wildcards, plan


def test_judged_stages_learn_from_the_generators_that_are_named():
    def generators(**data):
        p = plan(backbones=["mdm", "mld"], reward={"stages": {"authenticity": {"data": data}}})
        return [file.split("/")[-2] for file in p.samples()]

    assert generators() == ["mdm", "mld"]
    assert generators(generators=["mld"]) == ["mld"]


def test_scored_stages_follow_the_weights():
    silent = {"weights": {"preference": 0, "authenticity": 0}}
    assert plan(reward=silent).weighed_stages == ["semantic"]
    assert plan(reward=silent, methods=["motionrft"]).weighed_stages == [
        "semantic",
        "preference",
        "authenticity",
    ]
    silent["stages"] = {"spl": {"train": {"steps": 8}}}
    run = plan(reward=silent, methods=["easytune", "easytune-spl"])
    assert run.scored_stages == ["semantic", "spl"]
    assert run.judged_data(run.scored_stages) == []
    read = {
        name: [file.split("/")[-1] for file in run.reward_files(Wildcards(method=name))]
        for name in ("easytune", "easytune-spl")
    }
    assert read["easytune"] == ["semantic.safetensors"]
    assert read["easytune-spl"] == ["semantic.safetensors", "spl.safetensors"]


def test_a_method_waits_for_the_stages_it_weighs_and_no_other():
    def read(method, **reward):
        files = plan(reward=reward, methods=[method]).reward_files(Wildcards(method=method))
        return [Path(file).stem for file in files]

    assert read("easytune") == ["semantic"]
    assert read("easytune-spl") == ["semantic", "spl"]
    assert read("motionrft") == ["semantic", "preference", "authenticity"]
    # a run whose own weights are of nothing but a judged stage validates by it
    people = {"semantic": 0, "m2m": 0, "preference": 1, "authenticity": 0}
    assert read("easytune", weights=people) == ["semantic", "preference"]


def test_a_stage_that_is_left_out_is_none():
    assert "spl" in plan().reward_stages
    assert "spl" not in plan(reward={"stages": {"spl": None}}).reward_stages
