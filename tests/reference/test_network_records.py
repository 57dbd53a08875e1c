"""Records of backbones and methods that differ from the shipped ones: what is recorded decides what is checked."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.acmdm.autoencoder import CausalAutoencoder
from motionrft.backbones.base import Condition
from motionrft.backbones.mld.model import MLD
from motionrft.checkpoints import load_into
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.networks.positions import timestep_sinusoid
from motionrft.text.features import TextBatch
from reference.case import Case
from reference.families import motion_space
from reference.families.motion_space import motiondiffuse, schedule_of
from reference.latent_networks import SCHEDULE, network, widths
from reference.noise import RecordedNoise
from tests.reference.records import failures, record, rename

# -- ACMDM's auto-encoder


def autoencoder(case: Case) -> CausalAutoencoder:
    weights = {key: value.float() for key, value in case.tensors.items()}
    network = CausalAutoencoder(24, 4).eval()
    network.load_state_dict(
        {key.removeprefix("weights/"): weights[key] for key in weights if "weights/" in key}
    )
    return network


@pytest.mark.parametrize(
    ("first", "number"), [(8, 7.0), (12, 7.0), (5, 7.0), (11, -3.0), (0, 0.25), (16, 7.0)]
)
@torch.no_grad()
def test_frames_that_change_from_any_index_to_any_number(first, number):
    case = record("backbones_flow", "acmdm_ae_causal_small")
    changed = case.tensors["io/x"].clone()
    changed[:, first:] = number
    case.tensors["io/latent_future_changed"] = autoencoder(case).encode(changed)
    assert failures(case) == []


@torch.no_grad()
def test_latents_that_no_change_of_frames_explains_fail():
    case = record("backbones_flow", "acmdm_ae_causal_small")
    case.tensors["io/latent_future_changed"][0, 0, 3, 0] += 2e-3
    assert failures(case) == ["io/latent_future_changed"]


def test_latents_that_see_the_future_fail(monkeypatch):
    encode = CausalAutoencoder.encode

    def looking_ahead(self, joints):
        latents = encode(self, joints)
        return latents + 0.01 * latents.mean(dim=2, keepdim=True)

    monkeypatch.setattr(CausalAutoencoder, "encode", looking_ahead)
    case = record("backbones_flow", "acmdm_ae_causal_small")
    assert "latents before the change" in failures(case)


# -- MotionDiffuse and MDM


@torch.no_grad()
def eight_noises(case: Case) -> None:
    """A record of six steps at either end whose respaced samplers take eight: as many step noises."""
    case.meta["respacing"] = "ddim8"
    model = motiondiffuse(case)
    motion_space.load(case, model)
    ids, tokens = case.tensors["io/token_ids"], case.tensors["io/clip_token_features"].float()
    text = TextBatch(tokens[:, 0], tokens, torch.ones_like(ids, dtype=torch.bool), ids.argmax(1))
    given = Condition(text, case.tensors["io/lengths"], torch.zeros(len(ids), dtype=torch.bool))
    generator = torch.Generator().manual_seed(5)
    extra = torch.randn(2, *case.tensors["io/noise"].shape, generator=generator)
    noises = torch.cat([case.tensors["io/step_noises"], extra])
    case.tensors["io/step_noises"] = noises
    settings = {"steps": 8, "schedule": schedule_of(case), "respacing": "ddim8"}
    coefficients = step_table({"kind": "ddpm", **settings}, "sample")
    levels = coefficients.signal**2
    case.tensors |= {
        "io/respaced_timestep_map": coefficients.t_model.flip(0),
        "io/respaced_betas": (1 - levels[:-1] / levels[1:]).flip(0),
        "io/respaced_alphas_cumprod": levels[:-1].flip(0),
        "io/respaced_posterior_variance": (coefficients.C**2).flip(0),
        "io/respaced_posterior_mean_coef1": coefficients.B.flip(0),
        "io/respaced_posterior_mean_coef2": coefficients.A.flip(0),
    }
    noise = RecordedNoise(case.tensors["io/noise"], noises)
    for kind in ("ddpm", "ddim"):
        sampler = Sampler(model, step_table({"kind": kind, **settings}, "epsilon"), 1.0)
        case.tensors[f"io/respaced_{kind}_traj"] = torch.stack(
            [step.next for step in sampler.walk(given, noise)]
        )


def test_fewer_recorded_steps_than_step_noises():
    case = record("backbones_motion_space", "motiondiffuse_noeff_small")
    eight_noises(case)
    assert failures(case) == []


def test_another_filling_of_the_padding_and_another_block_than_the_first():
    case = record("backbones_motion_space", "motiondiffuse_noeff_small")
    case.meta["tensors"]["fwd_tmixed_pad_changed"] = "x beyond length set to 6: as it was set to 5"
    assert failures(case) == ["io/fwd_tmixed_pad_changed"]
    case = record("backbones_motion_space", "motiondiffuse_noeff_small")
    rename(case, "io/block0_", "io/block1_")
    assert failures(case) == ["io/block1_sa", "io/block1_ca", "io/block1_ffn"]


def test_other_rows_of_the_position_table_and_fewer_forward_passes():
    case = record("backbones_motion_space", "mdm_dec_clip_small")
    case.tensors["io/pe_rows4_8"] = case.tensors.pop("io/pe_rows0_8")[4:]
    del case.tensors["io/fwd_t1"]
    assert failures(case) == []


# -- MLD and MotionLCM


def test_other_steps_of_the_denoiser_and_of_the_schedule():
    case = record("backbones_latent", "mldpp_small")
    steps = step_table(
        {
            "kind": "ddim",
            "steps": 20,
            "schedule": {
                key: case.meta["ddim"][key]
                for key in (*SCHEDULE, "set_alpha_to_one", "steps_offset")
            },
        },
        "epsilon",
    )
    case.meta["ddim"]["timesteps_20"] = steps.t_model.tolist()
    del case.meta["ddim"]["timesteps_50"]
    case.meta["ddim"]["alphas_cumprod_first2"] = case.meta["ddim"].pop("alphas_cumprod_first3")[:2]
    assert failures(case) == []


@torch.no_grad()
def test_the_time_step_in_a_name_is_the_one_that_is_checked():
    case = record("backbones_latent", "mldpp_small")
    model = MLD.build(
        network(case.meta["config"], case.meta["ddim"]),
        **widths(case.meta["config"]),
    )
    load_into(model.eval(), case.inputs("weights/"), case.folder / case.name)
    x = case.tensors["io/den/x"]
    t = torch.full((len(x),), 250)
    text, empty = (case.tensors[f"io/den/text{end}"][:, 0] for end in ("", "_uncond"))
    case.tensors["io/den/fwd_uncond_t250"] = model.denoiser(x, t, empty.expand_as(text), None)
    del case.tensors["io/den/fwd_uncond_t499"]
    names = [key for key in case.tensors if key.startswith("io/den/dbg_t499_")]
    kept = {"time_proj": timestep_sinusoid(t, model.denoiser.time_width)}
    kept["time_emb"] = model.denoiser.time_embedding(kept["time_proj"])
    for name in names:
        del case.tensors[name]
    case.tensors |= {f"io/den/dbg_t250_{name}": value for name, value in kept.items()}
    assert failures(case) == []


def test_a_distance_between_two_decodes_is_known_as_well_as_the_decodes():
    """Decodes of thirty times the size lie thirty times further apart."""
    case = record("backbones_latent", "mldpp_small")
    for part in ("weight", "bias"):
        case.tensors[f"weights/vae.final_layer.{part}"] = (
            case.tensors[f"weights/vae.final_layer.{part}"] * 32.0
        )
    case.meta["checks"]["decode_one_by_one_maxdiff"] *= 32
    relative = [quantity for quantity in failures(case) if quantity.startswith("checks/")]
    assert relative == []
    case = record("backbones_latent", "mldpp_small")
    case.meta["checks"] |= {"decode_one_by_one_maxdiff": 1e-3, "decode_in_halves_maxdiff": 0.0}
    assert failures(case) == [
        "checks/decode_one_by_one_maxdiff",
        "checks/decode_in_halves_maxdiff (recorded, but nothing checked it)",
    ]


def test_a_last_alpha_of_one_where_the_record_sets_it():
    case = record("backbones_latent", "motionlcm_v2_small")
    case.meta["lcm"] |= {"set_alpha_to_one": True, "final_alpha_cumprod": 1.0}
    assert failures(case) == []


def test_another_frame_of_a_decode():
    case = record("backbones_latent", "motionlcm_v2_small")
    rename(case, "io/lcm4/decoded_frame0", "io/lcm4/decoded_frame1")
    assert failures(case) == ["io/lcm4/decoded_frame1"]


def test_targets_moved_by_another_factor():
    case = record("backbones_latent", "motionlcm_v2_small")
    distill = case.meta["scalars"]["distill"]
    distill["target_scaled_by_1_05"] = distill.pop("target_scaled_by_1_01")
    assert "io/distill/target" in failures(case)


# -- HY-Motion and the fine-tuning methods


def test_fewer_forward_passes_of_hymotion():
    case = record("backbones_flow", "hymotion_mmdit_small")
    del case.tensors["io/fwd_t0"]
    assert failures(case) == []


def test_another_name_of_the_current_noise_levels_and_of_an_update_sequence():
    case = record("finetuning", "ddim_eps_linear")
    rename(case, "in/table.rho_cur499", "in/table.rho_cur999")
    old, new = "seq_chain_next_sgd_all", "chained_updates"
    case.meta["methods"][new] = case.meta["methods"].pop(old)
    rename(case, f"out/{old}/", f"out/{new}/")
    assert failures(case) == []
