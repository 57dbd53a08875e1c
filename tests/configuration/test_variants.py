"""Backbones and methods of a run alone: another one with changes."""

import pytest

from motionrft.configuration import resolve
from motionrft.errors import InputError


def toy(**changes):
    return {"name": "t", "corpus": {"kind": "toy"}, "backbones": ["mdm"]} | changes


def test_a_variant_is_another_one_with_changes():
    run = resolve(
        toy(
            backbones=["mdm", "early"],
            methods=["easytune", "k5"],
            matrix=[
                {"backbones": ["early"], "methods": ["k5"]},
                {"backbones": ["mdm"], "methods": ["easytune"]},
            ],
            variants={
                "backbones": {"early": {"of": "mdm", "pretrain": {"denoiser": {"steps": 7}}}},
                "methods": {"k5": {"of": "easytune", "options": {"window": {"k": 5}}}},
            },
            override={
                "backbones": {"mdm": {"pretrain": {"denoiser": {"steps": 9}}}},
                "methods": {"easytune": {"clip": 0.5}, "k5": {"lr": 0.25}},
            },
            compare={"methods": ["k5"]},
        )
    )
    early, mdm = run["backbones"]["early"], run["backbones"]["mdm"]
    assert (early["name"], early["family"]) == ("early", "mdm")
    assert (early["pretrain"]["denoiser"]["steps"], mdm["pretrain"]["denoiser"]["steps"]) == (7, 9)
    assert early["pretrain"]["denoiser"]["batch_size"] == mdm["pretrain"]["denoiser"]["batch_size"]
    k5, easytune = run["methods"]["k5"], run["methods"]["easytune"]
    assert k5["options"] == easytune["options"] | {
        "window": easytune["options"]["window"] | {"k": 5}
    }
    assert (k5["clip"], k5["lr"], easytune.get("lr")) == (0.5, 0.25, None)
    assert (k5["name"], k5["label"]) == ("k5", "k5")
    assert [(cell["backbone"], cell["method"]) for cell in run["matrix"]] == [
        ("early", "k5"),
        ("mdm", "easytune"),
    ]
    assert resolve(run) == run


def test_a_variant_that_is_left_out_waits():
    variants = {"methods": {"k5": {"of": "easytune", "options": {"window": {"k": 5}}}}}
    rows = [{"methods": ["easytune", "k5"]}]
    run = resolve(toy(methods=["easytune"], matrix=rows, variants=variants))
    assert [cell["method"] for cell in run["matrix"]] == ["easytune"]


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ({"methods": {"k5": {"of": "easytun"}}}, "easytun"),
        ({"methods": {"easytune": {"of": "draft-10"}}}, r"variants\.methods\.easytune"),
        ({"methods": {"k5": {"of": "easytune", "lrr": 1}}}, r"variants\.methods\.k5"),
    ],
)
def test_a_variant_is_checked_as_what_it_is_of(variants, said):
    with pytest.raises(InputError, match=said):
        resolve(toy(methods=["easytune", "k5"], variants=variants))
