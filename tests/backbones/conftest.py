"""A corpus with its features and text, made once for the tests of pre-training."""

import pytest

from motionrft.cli import main
from motionrft.configuration import dump, resolve

RUN = {
    "name": "tiny",
    "size": "small",
    "corpus": {"kind": "toy", "clips": 24, "seed": 0, "frames": [41, 57]},
    "backbones": ["mdm"],
    "methods": [],
    "override": {
        "backbones": {
            "mdm": {
                "network": {"latent_dim": 16, "ff_size": 16, "layers": 1, "heads": 2},
                "sampler": {"steps": 4},
                "pretrain": {
                    "denoiser": {
                        "steps": 6,
                        "batch_size": 4,
                        "checkpoint_every": 2,
                        "checkpoint_minutes": 0,
                        "validate_every": 3,
                    }
                },
            }
        }
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny run")
    config = folder / "config.yaml"
    config.write_text(dump(resolve(RUN)), encoding="utf-8")
    common = ["--config", str(config)]
    stages = (
        ["corpus", *common, "--out", str(folder / "corpus")],
        [
            "features",
            *common,
            "--corpus",
            str(folder / "corpus"),
            "--out",
            str(folder / "features"),
        ],
        [
            "text-encoder",
            *common,
            "--corpus",
            str(folder / "corpus"),
            "--name",
            "toy",
            "--out",
            str(folder / "text/toy"),
        ],
        [
            "text",
            *common,
            "--corpus",
            str(folder / "corpus"),
            "--name",
            "toy",
            "--source",
            str(folder / "text/toy"),
            "--out",
            str(folder / "text/toy.safetensors"),
        ],
    )
    for stage in stages:
        assert main(stage) == 0
    return folder


def pretrain(run, out, *extra, backbone="mdm", stage="denoiser"):
    words = ["pretrain", "--config", str(run / "config.yaml"), "--backbone", backbone]
    words += ["--stage", stage, "--features", str(run / "features")]
    return main([*words, "--text", str(run / "text/toy.safetensors"), "--out", str(out), *extra])
