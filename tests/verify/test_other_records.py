"""Complete records in the same format that differ from the shipped ones: what a record holds decides what is checked.

Each is an altered copy of a shipped one whose numbers the test computes itself: by the networks and samplers
that are held to the shipped records, or by moving numbers that the record states apart from each other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from motionrft.backbones.acmdm_autoencoder import CausalAutoencoder
from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from motionrft.evaluation.retrieval import recall, recall_filled
from motionrft.motion import recovery
from motionrft.motion.accuracy import trajectory_errors
from motionrft.text.features import TextBatch
from motionrft.verify.case import Case, read_cases
from motionrft.verify.families import latent, motion_space
from motionrft.verify.families.motion_space import motiondiffuse, schedule_of
from motionrft.verify.run import verify_case

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def record(folder: str, name: str) -> Case:
    return next(case for case in read_cases(FIXTURES / folder) if case.name == name)


def failures(case: Case) -> list[str]:
    cases = {other.name: other for other in read_cases(case.folder)}
    return [check.quantity for check in verify_case(case, cases) if not check.passed]


def rename(case: Case, old: str, new: str) -> None:
    case.tensors = {
        new + key.removeprefix(old) if key.startswith(old) else key: tensor
        for key, tensor in case.tensors.items()
    }


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
    given = Condition(
        text, case.tensors["io/lengths"], torch.zeros(len(ids), dtype=torch.bool)
    )
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
    noise = latent.RecordedNoise(case.tensors["io/noise"], noises)
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
                for key in (*latent.SCHEDULE, "set_alpha_to_one", "steps_offset")
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
    model = latent.MLD.build(
        latent.network(case.meta["config"], case.meta["ddim"]),
        **latent.widths(case.meta["config"]),
    )
    latent.load_into(model.eval(), case.inputs("weights/"), case.folder / case.name)
    x = case.tensors["io/den/x"]
    t = torch.full((len(x),), 250)
    text, empty = (case.tensors[f"io/den/text{end}"][:, 0] for end in ("", "_uncond"))
    case.tensors["io/den/fwd_uncond_t250"] = model.denoiser(x, t, empty.expand_as(text), None)
    del case.tensors["io/den/fwd_uncond_t499"]
    names = [key for key in case.tensors if key.startswith("io/den/dbg_t499_")]
    kept = {"time_proj": latent.timestep_sinusoid(t, model.denoiser.time_width)}
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


# -- corpus features and scores


def test_a_long_turn_is_measured_on_the_recorded_clip():
    """The distance of a recovery that drifts: recorded features within their tolerance of this installation's, and
    the drift of just these."""
    case = record("data_eval", "features_t2m")
    features = case.tensors["walk_turn.features"]
    features[:, 0] += 4e-6  # of the 1e-5 that a channel may differ
    half, place = recovery.root(features[None])
    joints = recovery.joints_from_positions(features[None])[0]
    case.tensors |= {
        "walk_turn.root_pos": place[0],
        "walk_turn.recovered_ric": joints,
        "walk_turn.root_quat": torch.stack(
            [half[0, :, 0], 0 * half[0, :, 0], half[0, :, 1], 0 * half[0, :, 0]], -1
        ),
    }
    offsets = case.tensors["target_offsets"].norm(dim=-1)
    case.tensors["walk_turn.recovered_rot"] = recovery.joints_from_rotations(
        features[None], bone_lengths=offsets
    )[0]
    drift = (joints - case.tensors["walk_turn.global_positions"][: len(joints)]).abs().max()
    moved = float(drift) - case.meta["clips"]["walk_turn"]["max_err_recovered_vs_global"]
    assert abs(moved) > 1e-4
    case.meta["clips"]["walk_turn"]["max_err_recovered_vs_global"] = float(drift)
    assert failures(case) == []
    case.meta["clips"]["walk_turn"]["max_err_recovered_vs_global"] += 2e-5
    assert failures(case) == ["clips.walk_turn.max_err_recovered_vs_global"]


def test_a_skeleton_that_nobody_knows_is_said():
    case = record("data_eval", "features_t2m")
    case.tensors["target_offsets"] = case.tensors["target_offsets"][:19]
    assert any("no skeleton of 19 joints" in quantity for quantity in failures(case))


def test_distances_of_features_are_known_as_well_as_the_features():
    """A record of a coarser tolerance states its distances as coarsely."""
    case = record("data_eval", "acmdm_back67")
    case.meta["atol"] = 1e-3
    case.meta["info"]["jump"]["pad_vs_nopad_max_over_valid"] += 5e-4
    case.meta["info"]["jump"]["pad_frame_absmax"] += 5e-4
    assert failures(case) == []


def test_other_seeds_groups_and_ranks_of_retrieval():
    case = record("data_eval", "metrics")
    rename(case, "tmr_shuffle_seed42", "tmr_shuffle_seed7")
    rename(case, "critic_swap_seed42", "critic_swap_seed7")
    order = case.tensors["tmr_shuffle_seed7"]
    text, motion = (case.tensors[key][: len(order)].double() for key in ("text", "gt"))
    fill = case.tensors["tmr_fill_idx"] = torch.arange(-len(order) % 20)
    top = [1, 4]
    for name, (queries, gallery) in {"t2m": (text, motion), "m2t": (motion, text)}.items():
        del case.meta[f"tmr_bs32_{name}_shuffled"]
        small = recall_filled(queries[order], gallery[order], fill, top=top, group=20)
        full = recall(queries, gallery, top=top, group=None)
        case.meta[f"tmr_bs20_{name}_shuffled"] = {f"R{k}": small[f"R@{k}"] for k in top}
        case.meta[f"tmr_full_{name}"] = {f"R{k}": full[f"R@{k}"] for k in top}
    assert failures(case) == []


def test_another_clip_and_offset_of_trajectories():
    case = record("data_eval", "metrics")
    case.meta["_layout"] = (
        "traj: pred = mpjpe_pred[1] + 0.5*mask vs skate_joints[1]; mpjpe rows = clip 0"
    )
    mask = case.tensors["traj_mask"]
    errors = trajectory_errors(
        case.tensors["mpjpe_pred"][1] + 0.5 * mask, case.tensors["skate_joints"][1], mask
    )
    case.meta["traj"] = [float(errors[key]) for key in case.meta["traj_keys"]]
    assert failures(case) == []


def test_another_channel_of_the_evaluators_probe_and_a_fractional_margin():
    case = record("data_eval", "evaluator")
    case.meta["probe"] = case.meta["probe"].replace("channel 3", "channel 2")
    rename(case, "contrastive_neg_shift3_margin10", "contrastive_neg_shift3_margin10.5")
    assert failures(case) == ["motion_embedding_pad_root_y", "contrastive_neg_shift3_margin10.5"]


# -- MotionReward


def functions() -> Case:
    return record("motionreward", "mr_functions")


def test_other_ranks_confidence_and_epochs():
    case = functions()
    case.meta["numbers"]["batch_order"].pop("epoch1")
    for name in ("hard", "mixed"):
        motion, text = (case.tensors[f"spl/{name}/{side}"].float() for side in ("motion", "text"))
        scores = torch.nn.functional.cosine_similarity(text[:, None], motion[None], dim=-1)
        above = case.tensors.pop(f"spl/{name}/any_above_0.8")
        case.tensors[f"spl/{name}/any_above_0.81"] = (scores > 0.81).any(1)
        assert torch.equal(above, (scores > 0.8).any(1))
    case.tensors["spl/hard/in_top24"] = torch.ones(24, dtype=torch.bool)
    assert failures(case) == []


def test_another_peak_of_the_learning_rate_and_another_name():
    case = functions()
    numbers = case.meta["numbers"]
    recorded = numbers.pop("lr_stage2")
    recorded["lr_used_at_update"] = {
        update: 3 * rate for update, rate in recorded["lr_used_at_update"].items()
    }
    numbers["lr_refinement"] = recorded
    assert failures(case) == []
    recorded["lr_used_at_update"]["450"] *= 1.001
    assert failures(case) == ["lr_refinement/450"]


def test_other_groups_of_retrieval_and_other_batches_of_preferences():
    case = functions()
    numbers = case.meta["numbers"]
    text, motion = (case.tensors[f"retrieval/{side}"].float() for side in ("text", "motion"))
    state = np.random.RandomState(9)
    fill = torch.from_numpy(state.choice(50, -50 % 24, replace=False))
    scores = recall_filled(text[:50], motion[:50], fill, group=24)
    numbers["retrieval_groups24_t2m_first50"] = {
        "numpy_seed": 9,
        **{key.replace("@", ""): value for key, value in scores.items()},
    }
    assert failures(case) == []
    what = "INPUT: batches of 8,8,8,8,8"
    case.meta["tensors"]["eval_critic/scores_263"]["what"] = what
    assert {"eval_critic/count_263", "eval_critic/loss_263"} & set(failures(case))


def test_more_than_ten_pairs_of_a_representation_keep_their_order():
    case = functions()
    sums = {
        key.rpartition("/")[2]: case.tensors[key]
        for key in case.tensors
        if key.startswith("data/critic_item3/")
    }
    kinds = {f"data/critic_item{index}/" for index in range(7)}
    items = [
        {key: case.tensors.pop(key) for key in list(case.tensors) if key.startswith(kind)}
        for kind in sorted(kinds)
    ]
    # ten copies of the second 263 pair behind the two: 2 … 11
    order = [0, 1, *[1] * 10, *range(2, 7)]
    for copy in range(2, 12):
        for side in ("motion_better", "motion_worse"):
            source = "data/pair_263_1/" if copy < 11 else "data/pair_263_0/"
            case.tensors[f"data/pair_263_{copy}/{side}"] = case.tensors[source + side]
    order[11] = 0
    for index, source in enumerate(order):
        for key, value in items[source].items():
            case.tensors[f"data/critic_item{index}/{key.rpartition('/')[2]}"] = value
    assert sums
    assert failures(case) == []


def test_gradients_of_another_representation_are_checked():
    case = record("motionreward", "mr_network")
    norms = case.meta["numbers"].pop("grad_norm_critic_22x3")
    case.meta["numbers"]["grad_norm_critic_135"] = norms
    rename(case, "grad_critic_22x3/", "grad_critic_135/")
    failed = failures(case)
    assert any(quantity.startswith("grad_norm_critic_135/") for quantity in failed)
    assert any(quantity.startswith("grad_critic_135/") for quantity in failed)
    assert not any("nothing checked it" in quantity for quantity in failed)
