"""HY-Motion against recorded numbers: network, guidance, generation, decoding, LoRA, a fine-tuning step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.backbones.hymotion.frame_rate import DATA_FPS, Clock
from motionrft.backbones.hymotion.mmdit import DoubleBlock, MMDiT
from motionrft.backbones.hymotion.model import ROTATION, HYMotion
from motionrft.backbones.hymotion.options import HYMotionOptions
from motionrft.backbones.hymotion.smoothing import (
    ORDER,
    RADIUS,
    WINDOW,
    moments,
    smooth_rotations,
    smooth_translation,
)
from motionrft.backbones.lora import LoraSettings, adapters, inject, load_state
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import flow_euler
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.rotation import matrix_from_6d, matrix_to_6d
from motionrft.motion.rotation135 import forward_kinematics
from motionrft.motion.skeleton import SMPL_22
from motionrft.text.features import TextBatch
from reference.case import Case
from reference.euler import euler_path
from reference.noise import RecordedNoise
from reference.tolerance import LOSS, UNIT, guided, rounding, summed

FAMILY = "backbones_flow"
ADAPTED = "motion_transformer."  # recorded names of adapted layers begin below it


def recognises(case: Case) -> bool:
    return "weights/motion_transformer.input_encoder.weight" in case.tensors


def check(case: Case, cases: dict[str, Case]) -> None:
    del cases
    backbone = backbone_of(case)
    pooled, tokens, mask = (
        case.input("io/vtxt")[:, 0],
        case.input("io/ctxt"),
        case.input("io/ctxt_mask"),
    )
    lengths = case.input("io/lengths")
    text = TextBatch(pooled, tokens, mask, case.input("io/ctxt_length") - 1)
    condition = Condition(text, lengths, torch.zeros(len(lengths), dtype=torch.bool))
    case.compare("io/ctxt_mask", mask.sum(1), expected=case.input("io/ctxt_length"))
    x = case.input("io/x")
    check_masks(case, backbone, condition, x.shape[1])
    check_stages(case, backbone, condition)
    check_forward(case, backbone, condition, x)
    check_generation(case, backbone, condition)
    check_fine_tuning(case, backbone, condition, x)


def backbone_of(case: Case) -> HYMotion:
    """The recorded network at the data's own frame rate: recorded lengths count model frames."""
    args, weights = case.meta["network_args"], case.inputs("weights/")
    options = HYMotionOptions(
        width=args["feat_dim"],
        heads=args["num_heads"],
        layers=args["num_layers"],
        mlp_ratio=args["mlp_ratio"],
        train_frames=case.meta["train_frames"],
        fps=DATA_FPS,
        band=case.meta["narrowband_window"] / DATA_FPS,
        time_factor=args["time_factor"],
    )
    mean, std = case.input("io/pipe_mean"), case.input("io/pipe_std")
    widths = {"pooled": args["vtxt_input_dim"], "tokens": args["ctxt_input_dim"]}
    transformer = MMDiT(
        options, dim=args["input_dim"], tokens=widths["tokens"], sentence=widths["pooled"]
    )
    normaliser = Normaliser(mean[:ROTATION], std[:ROTATION])
    backbone = HYMotion(transformer, widths, normaliser, Clock(DATA_FPS), drop=0.1)
    backbone.load_state_dict({**weights, "mean": mean, "std": std})
    return backbone.eval()


def check_masks(case: Case, backbone: HYMotion, condition: Condition, frames: int) -> None:
    network, mask = backbone.motion_transformer, condition.text.mask
    valid = torch.arange(frames)[None] < condition.lengths[:, None]
    case.compare("io/x_mask", valid)
    top = network.motion_allowed(valid, mask)
    unseen = torch.zeros(len(mask), mask.shape[1], frames, dtype=torch.bool)
    bottom = torch.cat([unseen, mask[:, None].expand(-1, mask.shape[1], -1)], dim=-1)
    case.compare("io/attn_allowed", torch.cat([top, bottom], dim=1))
    motion, text = network.rotation(0, frames), network.rotation(network.text_offset, mask.shape[1])
    # the recorder's float32 power is a unit in the last place off, at positions up to `last` radians
    last = max(frames, network.text_offset + mask.shape[1])
    turned = 2 * last * UNIT + 2 * UNIT
    for name, index in (("cos", 0), ("sin", 1)):
        case.compare(f"io/rope_{name}", torch.cat([motion[index], text[index]]), atol=turned)


def check_stages(case: Case, backbone: HYMotion, condition: Condition) -> None:
    """What the network computes on the way, at timesteps[1]."""
    network, text = backbone.motion_transformer, condition.text
    times, once = case.input("io/timesteps"), rounding(backbone)
    case.compare("io/time_feat", network.timestep_encoder(times), **once)
    case.compare("io/refiner_time_feat", network.text_refiner.timestep_encoder(times), **once)
    t = times[1].expand(len(condition))
    case.compare("io/adapter", network.adapter(t, text.pooled)[:, None], **once)
    refined = network.text_refiner(network.ctxt_encoder(text.tokens), t, text.mask)
    case.compare("io/refined_ctxt", refined, **once)
    block, adapter = network.double_blocks[0], network.adapter(t, text.pooled)[:, None]
    assert isinstance(block, DoubleBlock)
    x, valid = case.input("io/x"), case.input("io/x_mask")
    after_text, heard = block.text(
        refined,
        adapter,
        network.rotation(network.text_offset, text.mask.shape[1]),
        text.mask[:, None, None],
    )
    after_motion = block.motion(
        network.input_encoder(x),
        adapter,
        network.rotation(0, x.shape[1]),
        heard,
        network.motion_allowed(valid, text.mask)[:, None],
    )
    case.compare("io/double0_motion", after_motion, **once)
    case.compare("io/double0_text", after_text, **once)


def check_forward(case: Case, backbone: HYMotion, condition: Condition, x: Tensor) -> None:
    times, once = case.input("io/timesteps"), rounding(backbone)
    for found in case.matching(r"io/fwd_t(\d+)"):
        t = times[int(found[1])].expand(len(x))
        case.compare(found[0], backbone.predict(x, t, condition), **once)
    mixed = case.input("io/t_mixed")
    case.compare("io/fwd_tmixed", backbone.predict(x, mixed, condition), **once)
    scale = float(case.meta["cfg_scale"])
    out = backbone.guided(x, mixed, condition, scale)
    case.compare("io/cfg_out", out, **rounding(backbone, guided(scale)))


def check_generation(case: Case, backbone: HYMotion, condition: Condition) -> None:
    """The official `generate`: one length (the longest) for all samples of a call."""
    longest = int(condition.lengths.max())
    shared = Condition(condition.text, torch.full_like(condition.lengths, longest), condition.drop)
    noise, steps = case.input("io/gen_noise"), int(case.meta["steps"])
    scale = float(case.meta["cfg_scale"])
    sampler = Sampler(backbone, flow_euler(steps), scale)
    case.compare("io/gen_t", torch.arange(steps + 1) / steps, atol=2 * UNIT)
    # `steps` guided velocities of 1 / steps each
    within = rounding(backbone, guided(scale))
    path = euler_path(case, sampler, shared, noise, within)
    case.compare("io/gen_traj", path, **within)
    trimmed = sampler.sample(shared, RecordedNoise(noise[:, :longest]))
    case.compare("without padding", trimmed, expected=path[-1][:, :longest], **within)

    raw = backbone.denormalise(path[-1][:, :longest])
    case.compare("io/gen_latent_denorm", raw, **within)
    check_decoding(case, case.input("io/gen_latent_denorm"))


def orthogonalised(six: Tensor) -> Tensor:
    """How far two rotations of six numbers [..., 6] may lie apart, [...]: less the angle between their vectors, more."""
    first, second = six[..., 0::2], six[..., 1::2]
    sine = torch.linalg.cross(first, second).norm(dim=-1) / (
        first.norm(dim=-1) * second.norm(dim=-1)
    )
    apart: Tensor = summed(12) / sine  # two lengths, a projection and a cross product
    return apart


def averaged(matrices: Tensor) -> Tensor:
    """How far two smoothed rotations may lie apart, [B, T, J]: rounding turns the top eigenvector of `moments` by itself
    over the distance of the next eigenvalue (Davis and Kahan, 1970), and a matrix turns twice as far."""
    values = torch.linalg.eigvalsh(moments(matrices))
    # the averaged products, those behind each quaternion, and the eigenvectors' own, some 4 * 4
    products = 2 * RADIUS + 1 + 8 + 16
    apart: Tensor = 2 * summed(products) / (values[..., -1] - values[..., -2])
    return apart


def check_decoding(case: Case, raw: Tensor) -> None:
    six = raw[..., 3:ROTATION].unflatten(-1, (22, 6))
    matrices, apart = matrix_from_6d(six, "hymotion"), orthogonalised(six)[..., None]
    case.compare("io/rotmat_unsmoothed", matrices, atol=apart[..., None])
    case.compare("io/rot6d_roundtrip", matrix_to_6d(matrices, "hymotion"), atol=apart)
    smoothed, apart = smooth_rotations(matrices), averaged(matrices)[..., None]
    case.compare("io/gen_rot6d_smooth", matrix_to_6d(smoothed, "hymotion"), atol=apart)
    case.compare("io/gen_root_rotmat", smoothed[:, :, 0], atol=apart[:, :, 0, :, None])
    place = smooth_translation(raw[..., :3])
    recorded, largest = case.input("io/transl_savgol"), float(raw[..., :3].abs().max())
    middle = slice(RADIUS + 1, -RADIUS - 1)
    case.compare(
        "io/transl_savgol (middle)", place[:, middle], expected=recorded[:, middle],
        atol=summed(WINDOW) * largest,
    )  # fmt: skip
    # recorded with a float32 fit at the ends, whose condition enlarges the rounding
    powers = np.vander(np.arange(WINDOW), ORDER + 1)
    ends = np.linalg.cond(powers / np.linalg.norm(powers, axis=0)) * UNIT * largest
    case.compare("io/transl_savgol", place, atol=ends)
    # heights are relative to the body mesh's lowest vertex, which is not recorded: one shift a clip
    shown = case.input("io/gen_transl_out")
    middle_frame = place.shape[1] // 2
    shift = (shown - place)[:, middle_frame, None] * torch.tensor([0.0, 1.0, 0.0])
    case.compare("io/gen_transl_out (up to a height)", place + shift, expected=shown, atol=2 * ends)
    # the rest pose is not recorded either: bones measured in the first frame must explain all frames
    shown = case.input("io/gen_keypoints3d")
    local = matrix_from_6d(case.input("io/gen_rot6d_smooth"), "hymotion")
    bones = rest_bones(shown[0, 0], local[0, 0])
    posed = forward_kinematics(shown[:, :, 0], local, bones, SMPL_22.parents)
    # the way down the longest chain, 3 * 3 products a joint, and back up for the bones
    within = summed(2 * 9 * len(SMPL_22.levels)) * float(shown.abs().max())
    case.compare(
        "io/gen_keypoints3d (bones of its first frame)", posed, expected=shown, atol=within
    )


def rest_bones(joints: Tensor, local: Tensor) -> Tensor:
    """Offsets [22, 3] that pose to joints [22, 3] under local rotations [22, 3, 3]; the root's is zero."""
    parents = SMPL_22.parents
    world, bones = [local[0]], [torch.zeros(3)]
    for joint in range(1, len(parents)):
        bones.append(world[parents[joint]].T @ (joints[joint] - joints[parents[joint]]))
        world.append(world[parents[joint]] @ local[joint])
    return torch.stack(bones)


def check_fine_tuning(case: Case, backbone: HYMotion, condition: Condition, x: Tensor) -> None:
    """MotionRFT's HY sampler and one training step with LoRA (its probe loss)."""
    noise, steps = case.input("io/rft_noise"), int(case.meta["steps"])
    longest, scale = int(condition.lengths.max()), float(case.meta["cfg_scale"])
    sampler = Sampler(backbone, flow_euler(steps), scale)
    final, within = (
        sampler.sample(condition, RecordedNoise(noise)),
        rounding(backbone, guided(scale)),
    )
    case.compare("io/rft_eval_latent_denorm", backbone.denormalise(final[:, :longest]), **within)

    lora = case.meta["lora"]
    inject(backbone, LoraSettings(rank=lora["rank"], alpha=lora["alpha"]))
    recorded = {
        ADAPTED + target: {
            factor: case.input(f"io/lora/{target}/{factor}") for factor in ("lora_A", "lora_B")
        }
        for target in lora["targets"]
    }
    unlike = set(recorded) ^ set(adapters(backbone))
    case.compare("layers adapted on one side only", len(unlike), expected=0)
    load_state(backbone, recorded, case.folder / case.name)
    mixed = case.input("io/t_mixed")
    case.compare("io/lora_fwd_tmixed", backbone.predict(x, mixed, condition), **rounding(backbone))

    count = int(case.input("io/rft_train_k"))
    start = noise
    for step in sampler.walk(condition, RecordedNoise(noise), stop=count):
        start = step.next
    with torch.enable_grad():
        jump = next(
            iter(
                sampler.walk(
                    condition,
                    RecordedNoise(noise),
                    start=count,
                    stop=count + 1,
                    x=start,
                    live={count},
                )
            )
        )
        raw = backbone.denormalise(jump.clean[:, :longest])
        real = torch.arange(longest)[None] < condition.lengths[:, None]
        loss = (raw[..., :ROTATION].square() * real[..., None]).sum() / real.sum()
        loss.backward()
    case.compare("io/rft_train_latent_denorm", raw, **within)
    case.compare("io/rft_train_loss", loss[None], **LOSS)
    for key in [key for key in case.tensors if key.startswith("io/rft_train_grad/")]:
        module, _, factor = key.removeprefix("io/rft_train_grad/").rpartition("/")
        gradient = adapters(backbone)[ADAPTED + module][factor].grad
        # what the set was recorded with
        case.compare(key, gradient, atol=1e-6 * float(case.input(key).abs().max().clamp(min=1)))
    frozen = [
        name
        for name, weight in backbone.named_parameters()
        if "lora_" not in name and weight.requires_grad
    ]
    case.compare("weights left trainable beside the adapters", len(frozen), expected=0)
