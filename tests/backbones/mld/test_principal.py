"""MLD's principal latent: its residual, its cache, and that official files refuse it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motionrft.backbones.io import export_official
from motionrft.errors import InputError
from tests.backbones.small_latent_models import condition, make
from tests.backbones.test_principal import linear_motions

PRINCIPAL = {"principal": True, "latent": [1, 6], "projected": True}


def test_the_stage_trains_the_residual_alone():
    batch = linear_motions([12] * 20, rank=9)
    backbone = make("mld", **PRINCIPAL)
    backbone.start_stage("vae", [batch])
    assert backbone.reads_motions("vae")
    assert backbone.reads_motions("denoiser")  # none are remembered
    before = backbone.vae.loadings.clone()
    optimizer = torch.optim.SGD(backbone.stage_parameters("vae"), lr=0.1)
    generator = torch.Generator().manual_seed(0)
    loss = backbone.pretrain_loss(batch, condition([12] * 20), "vae", generator)["loss"]
    loss.backward()
    optimizer.step()
    assert torch.equal(backbone.vae.loadings, before)
    assert float(backbone.vae.final_layer.weight.grad.abs().max()) > 0


def test_remembered_latents_are_those_that_are_encoded():
    batch = linear_motions([12] * 8 + [9] * 4)
    backbone = make("mld", **PRINCIPAL, cached=True)
    backbone.start_stage("vae", [batch])
    fresh = backbone.encode(batch, torch.Generator().manual_seed(4))
    backbone.start_stage("denoiser", [batch])
    assert set(backbone.remembered.posteriors) == set(batch.clips)
    assert not backbone.reads_motions("denoiser")

    def refuse(*_):
        raise AssertionError("encoded again")

    backbone.vae.encode = refuse
    remembered = backbone.encode(batch, torch.Generator().manual_seed(4))
    torch.testing.assert_close(remembered, fresh)


def test_motions_without_clip_names_are_encoded():
    batch = linear_motions([12] * 8)
    for backbone in (make("mld"), make("mld", **PRINCIPAL, cached=True)):
        named = backbone.encode(batch, torch.Generator().manual_seed(4))
        nameless = replace(batch, clips=[], captions=[])
        found = backbone.encode(nameless, torch.Generator().manual_seed(4))
        torch.testing.assert_close(found, named)


def test_an_official_file_is_refused_for_a_network_that_is_not_official(tmp_path):
    for change in (
        {"prediction": "sample"},
        {"posterior_bias": -3.0},
        {"text_norm": True},
        PRINCIPAL,
    ):
        with pytest.raises(InputError, match=next(iter(change))):
            export_official(make("mld", **change), tmp_path / "model.ckpt")
    export_official(make("mld", cached=True), tmp_path / "model.ckpt")
