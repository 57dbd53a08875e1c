"""From a corpus to samples with a tiny MDM: one command a stage, resumable, samples independent of their batch."""

import pytest
import torch

from motionrft.backbones.generate import generate
from motionrft.backbones.io import build_backbone, load_backbone, save_backbone
from motionrft.cli import main
from motionrft.configuration import dump, resolve
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextCache

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


def test_pretraining_is_deterministic_and_describes_itself(run, tmp_path):
    assert pretrain(run, tmp_path / "a.safetensors") == 0
    assert pretrain(run, tmp_path / "b.safetensors") == 0
    first, about = load_backbone(tmp_path / "a.safetensors")
    second, _ = load_backbone(tmp_path / "b.safetensors")
    for (name, a), (_, b) in zip(
        first.state_dict().items(), second.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name
    assert about["backbone"]["name"] == "mdm"
    assert about["provenance"]["seed"] == 0
    assert not list(tmp_path.glob("*.checkpoint"))
    assert (tmp_path / "denoiser.history.parquet").exists()
    assert pretrain(run, tmp_path / "c.safetensors", "--seed", "1") == 0
    third, _ = load_backbone(tmp_path / "c.safetensors")
    assert any(
        not torch.equal(a, b) for a, b in zip(first.parameters(), third.parameters(), strict=True)
    )


def test_a_sample_depends_on_its_caption_length_and_seed_alone(run, tmp_path):
    assert pretrain(run, tmp_path / "a.safetensors") == 0
    backbone, about = load_backbone(tmp_path / "a.safetensors")
    text = TextCache(run / "text/toy.safetensors")
    captions = [caption for caption in text.captions if caption][:3]
    lengths, seeds = torch.tensor([40, 56, 48]), [7, 8, 9]
    together = generate(backbone, about["backbone"]["sampler"], captions, lengths, seeds, text)
    assert [tuple(motion.shape) for motion in together] == [(40, 263), (56, 263), (48, 263)]
    for row in range(3):
        alone = generate(
            backbone,
            about["backbone"]["sampler"],
            captions[row : row + 1],
            lengths[row : row + 1],
            seeds[row : row + 1],
            text,
        )[0]
        torch.testing.assert_close(alone, together[row], atol=1e-5, rtol=1e-4)
    further = generate(
        backbone, about["backbone"]["sampler"], captions, lengths, seeds, text, beyond=4
    )
    for row, motion in enumerate(
        further
    ):  # what MDM emits after a length, and nothing else changes
        assert len(motion) == lengths[row] + 4
        torch.testing.assert_close(motion[:-4], together[row], atol=1e-5, rtol=1e-4)
        assert not torch.allclose(motion[-4:], backbone.normaliser.mean, atol=1e-3)
    other = generate(backbone, about["backbone"]["sampler"], captions, lengths, [7, 8, 10], text)
    assert torch.equal(other[0], together[0])
    assert not torch.allclose(other[2], together[2])


@pytest.mark.parametrize(
    ("extra", "change", "message"),
    [
        ([], {"backbone": "mdmm"}, "unknown backbone 'mdmm'. Fix: did you mean mdm?"),
        ([], {"stage": "vae"}, "no such stage"),
        (["--device", "tpu9"], {}, "unknown device"),
    ],
)
def test_bad_requests_are_one_line_and_write_nothing(run, tmp_path, capsys, extra, change, message):
    assert pretrain(run, tmp_path / "out/x.safetensors", *extra, **change) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert message in errors[-1]
    assert "Fix:" in errors[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is visible")
def test_a_gpu_that_is_not_there_is_one_line(run, tmp_path, capsys):
    assert pretrain(run, tmp_path / "x.safetensors", "--device", "cuda") == 2
    assert "no GPU is visible" in capsys.readouterr().err


def test_a_file_of_another_shape_is_refused(run, tmp_path, capsys):
    assert pretrain(run, tmp_path / "a.safetensors") == 0
    wider = tmp_path / "wide.yaml"
    change = {
        **RUN,
        "override": {
            "backbones": {
                "mdm": {"network": {"latent_dim": 24, "ff_size": 16, "layers": 1, "heads": 2}}
            }
        },
    }
    wider.write_text(dump(resolve(change)), encoding="utf-8")
    code = main(
        [
            "pretrain",
            "--config",
            str(wider),
            "--backbone",
            "mdm",
            "--stage",
            "denoiser",
            "--features",
            str(run / "features"),
            "--text",
            str(run / "text/toy.safetensors"),
            "--from",
            str(tmp_path / "a.safetensors"),
            "--out",
            str(tmp_path / "b.safetensors"),
        ]
    )
    assert code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "a.safetensors" in error
    assert "shape" in error
    assert not (tmp_path / "b.safetensors").exists()


def test_a_network_that_means_something_else_has_no_official_file(tmp_path, capsys):
    settings = resolve({**RUN, "backbones": ["acmdm"], "override": {}})["backbones"]["acmdm"]
    settings["network"] |= {"width": 64, "layers": 1, "feedforward": 8}
    widths = {"pooled": 6, "tokens": 6}
    normaliser = Normaliser(torch.zeros(66), torch.ones(66))
    backbone = build_backbone(settings, dim=66, text=widths, normaliser=normaliser)
    assert backbone.unofficial == "clean"  # the small size
    model, out = tmp_path / "model.safetensors", tmp_path / "official"
    save_backbone(model, backbone, {"backbone": settings, "dim": 66, "text": widths})
    assert main(["export", "--model", str(model), "--out", str(out)]) == 2
    assert "network.clean" in capsys.readouterr().err
    assert not out.exists()
