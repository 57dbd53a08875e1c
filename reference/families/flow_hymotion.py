"""HY-Motion against recorded numbers: network, guidance, generation, decoding, LoRA, a fine-tuning step."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.backbones.hymotion.frame_rate import DATA_FPS, Clock
from motionrft.backbones.hymotion.mmdit import DoubleBlock, MMDiT
from motionrft.backbones.hymotion.model import ROTATION, HYMotion
from motionrft.backbones.hymotion.options import HYMotionOptions
from motionrft.backbones.hymotion.smoothing import RADIUS, smooth_rotations, smooth_translation
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
from reference.tolerance import UNIT, guided, rounding

FAMILY = "backbones_flow"
# slerp of nearly equal rotations takes arccos near one, where a rounding of 6e-8 becomes its root, 2.4e-4; the
# smoothing averages some ten of them
SMOOTHED = {"atol": 1e-4}
ENDS = {"atol": 5e-4, "rtol": 1e-4}


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


def check_decoding(case: Case, raw: Tensor) -> None:
    matrices = matrix_from_6d(raw[..., 3:ROTATION].unflatten(-1, (22, 6)), "hymotion")
    case.compare("io/rotmat_unsmoothed", matrices, atol=1e-5)
    case.compare("io/rot6d_roundtrip", matrix_to_6d(matrices, "hymotion"), atol=1e-5)
    smoothed = smooth_rotations(matrices)
    case.compare("io/gen_rot6d_smooth", matrix_to_6d(smoothed, "hymotion"), **SMOOTHED)
    case.compare("io/gen_root_rotmat", smoothed[:, :, 0], **SMOOTHED)
    place = smooth_translation(raw[..., :3])
    recorded = case.input("io/transl_savgol")
    middle = slice(RADIUS + 1, -RADIUS - 1)
    case.compare(
        "io/transl_savgol (middle)", place[:, middle], expected=recorded[:, middle], atol=1e-5
    )
    # recorded with a float32 fit of degree 5 at the ends, ill-conditioned in that precision
    case.compare("io/transl_savgol", place, **ENDS)
    # heights are relative to the body mesh's lowest vertex, which is not recorded: one shift a clip
    shown = case.input("io/gen_transl_out")
    middle_frame = place.shape[1] // 2
    shift = (shown - place)[:, middle_frame, None] * torch.tensor([0.0, 1.0, 0.0])
    case.compare("io/gen_transl_out (up to a height)", place + shift, expected=shown, **ENDS)
    # the rest pose is not recorded either: bones measured in the first frame must explain all frames
    shown = case.input("io/gen_keypoints3d")
    bones = rest_bones(shown[0, 0], smoothed[0, 0])
    posed = forward_kinematics(shown[:, :, 0], smoothed, bones, SMPL_22.parents)
    case.compare("io/gen_keypoints3d (bones of its first frame)", posed, expected=shown, **SMOOTHED)


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
        backbone.lora_root + target: {
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
    case.compare("io/rft_train_loss", loss[None], rtol=1e-5)
    for key in [key for key in case.tensors if key.startswith("io/rft_train_grad/")]:
        module, _, factor = key.removeprefix("io/rft_train_grad/").rpartition("/")
        gradient = adapters(backbone)[backbone.lora_root + module][factor].grad
        case.compare(key, gradient, atol=1e-6 * float(case.input(key).abs().max().clamp(min=1)))
    frozen = [
        name
        for name, weight in backbone.named_parameters()
        if "lora_" not in name and weight.requires_grad
    ]
    case.compare("weights left trainable beside the adapters", len(frozen), expected=0)
