"""Records of features, scores and rewards that differ from the shipped ones: what is recorded decides what is checked."""

from __future__ import annotations

import numpy as np
import torch

from motionrft.metrics.retrieval import recall, recall_filled
from motionrft.motion import recovery
from motionrft.motion.accuracy import trajectory_errors
from reference.case import Case
from tests.reference.records import failures, record, rename

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
    sides = ("motion_better", "motion_worse")
    items = [
        [case.tensors.pop(f"data/critic_item{index}/{side}_row_sums") for side in sides]
        for index in range(7)
    ]
    # behind the two pairs of 263 come copies of the second one, and of the first one the twelfth
    copies = [*[1] * 9, 0]
    for index, source in enumerate(copies, start=2):
        for side in sides:
            motion = case.tensors[f"data/pair_263_{source}/{side}"]
            case.tensors[f"data/pair_263_{index}/{side}"] = motion.clone()
    for index, source in enumerate([0, 1, *copies, *range(2, 7)]):
        for side, sums in zip(sides, items[source], strict=True):
            case.tensors[f"data/critic_item{index}/{side}_row_sums"] = sums.clone()
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
