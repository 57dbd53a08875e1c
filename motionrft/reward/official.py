"""The released checkpoints, read strictly and written back in their own layout.

Files (`torch.save`, read with `weights_only=True`): the semantic backbone {state_dict, model_config, …};
per task a LoRA file {lora_state_dict, lora_rank, lora_alpha, …} and a head file {state_dict, …}.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from motionrft.checkpoints import LoadReport, copies, load_into, read_plain, write_checkpoint
from motionrft.errors import InputError
from motionrft.reward.branch import TaskBranch
from motionrft.reward.files import branch_from
from motionrft.reward.lora import LoraSettings
from motionrft.reward.network import OFFICIAL_NAMES, RewardNetwork
from motionrft.reward.network_settings import NetworkSettings

# prefixes of LoRA names: on encoder blocks, and on projections (stage 3 drops `detection` there)
PREFIXES = {"preference": ("critic_", "critic_"), "authenticity": ("ai_detection_", "ai_")}
# what the official trainers drop from a backbone file, and older ones left in
NOT_OF_THE_BACKBONE = ("clip", "lora", "critic", "ai_detection")
# how the released weights were trained, and that they score clean motions without a time token
RELEASED: dict[str, Any] = {
    "noise": {"probability": 0.1, "max_t": 500, "low_steps": 50, "low_share": 0.8},
    "official": {"noise": True, "no_clean_token": True},
}
# our setting: its name in `model_config`
MODEL_CONFIG = {
    "latent_dim": "latent_dim",
    "unified_dim": "unified_dim",
    "layers": "encoder_num_layers",
    "heads": "encoder_num_heads",
    "feedforward": "encoder_ff_size",
    "text_layers": "text_num_layers",
    "text_heads": "text_num_heads",
    "text_feedforward": "text_ff_size",
}


def read_pth(path: str | Path, kinds: tuple[type, ...] = (dict,)) -> Any:
    """A released checkpoint; its top level is one of `kinds`."""
    value = read_plain(path, "a file of the MotionReward release")
    if not isinstance(value, kinds):
        raise InputError(
            f"a {type(value).__name__} at its top level", where=path, fix="pass a released file"
        )
    return value


def network_settings(
    state: Mapping[str, Tensor], config: Mapping[str, Any], where: Any
) -> NetworkSettings:
    """Sizes from `model_config`; what it lacks (projections, feature widths, text width) from shapes."""
    missing = [name for name in MODEL_CONFIG.values() if name not in config]
    if missing:
        raise InputError(
            "missing", where=where, field=f"model_config.{missing[0]}", fix="pass a complete file"
        )
    sizes = {ours: int(config[theirs]) for ours, theirs in MODEL_CONFIG.items()}
    if not config.get("use_unified_dim", True):
        sizes["unified_dim"] = sizes["latent_dim"]
    dims: dict[str, int] = {}
    linears: list[Tensor] = []
    for name, official in OFFICIAL_NAMES.items():
        weights = [
            value
            for key, value in sorted(state.items())
            if key.startswith(f"proj_{official}.") and key.endswith(".weight")
        ]
        if weights:
            linears = weights
            dims[name] = int(weights[0].shape[1])
    if not dims or "text_embedding.weight" not in state:
        raise InputError(
            "no projection of a known representation",
            where=where,
            field="state_dict",
            fix="pass a retrieval backbone",
        )
    return NetworkSettings(
        dims,
        int(state["text_embedding.weight"].shape[1]),
        **sizes,
        projection_hidden=int(linears[0].shape[0]),
        projection_layers=len(linears),
    )


def load_official_network(path: str | Path) -> tuple[RewardNetwork, LoadReport]:
    """The semantic backbone of a released file, in eval mode."""
    value = read_pth(path)
    state = _section(value, "state_dict", path)
    config = value.get("model_config")
    if not isinstance(config, dict):
        raise InputError(
            "missing", where=path, field="model_config", fix="pass a stage-1 backbone file"
        )
    kept: dict[str, Tensor] = {}
    ignored = []
    for key, tensor in state.items():
        if any(word in key for word in NOT_OF_THE_BACKBONE):
            ignored.append(key)
        else:
            kept[key.replace(".original_linear.", ".").replace(".original_mha.", ".")] = tensor
    network = RewardNetwork(network_settings(kept, config, path))
    load_into(network, kept, path)
    return network.eval(), LoadReport(str(path), sorted(kept), ignored)


def load_official_branch(
    lora_path: str | Path, head_path: str | Path | None, network: RewardNetwork, task: str
) -> tuple[TaskBranch, list[LoadReport]]:
    """A task's LoRA and head files around `network`; old LoRA files hold the head themselves."""
    value = read_pth(lora_path)
    lora = _section(value, "lora_state_dict", lora_path)
    for field in ("lora_rank", "lora_alpha"):
        if field not in value:
            raise InputError("missing", where=lora_path, field=field, fix="pass a LoRA file")
    if head_path is None:
        head = _section(value, "head_state_dict", lora_path)
    else:
        head = _section(read_pth(head_path), "state_dict", head_path)
    branch = official_branch(
        network,
        task,
        lora,
        head,
        rank=int(value["lora_rank"]),
        alpha=int(value["lora_alpha"]),
        where=lora_path,
    )
    reports = [LoadReport(str(lora_path), sorted(lora), [])]
    reports.append(LoadReport(str(head_path or lora_path), sorted(head), []))
    return branch, reports


def official_branch(
    network: RewardNetwork,
    task: str,
    lora: Mapping[str, Tensor],
    head: Mapping[str, Tensor],
    *,
    rank: int,
    alpha: int,
    where: str | Path = "",
) -> TaskBranch:
    """A branch from tensors under their official names."""
    tensors = {f"lora.{own_name(task, name)}": value for name, value in lora.items()}
    tensors |= {f"head.{name}": value for name, value in head.items()}
    return branch_from(network, task, LoraSettings(rank, alpha), tensors, where)


def official_name(task: str, name: str) -> str:
    """The official name of one of `MotionAdapter.adapter_tensors`."""
    block, projection = PREFIXES[task]
    return (projection if name.startswith("proj_") else block) + name


def own_name(task: str, official: str) -> str:
    """The inverse of `official_name`; a name that is none stays as it is."""
    block, projection = PREFIXES[task]
    if official.startswith(f"{projection}proj_"):
        return official.removeprefix(projection)
    return official.removeprefix(block)


def export_network(path: str | Path, network: RewardNetwork) -> None:
    """The backbone in the official layout. Only the official token rate (`patch` 1) can be expressed."""
    s = network.settings
    if s.patch != 1:
        raise InputError(
            f"{s.patch} frames a token have no official layout",
            where=path,
            fix="train with network.patch 1",
        )
    config = {theirs: getattr(s, ours) for ours, theirs in MODEL_CONFIG.items()}
    config |= {
        "model_size": "custom",
        "use_unified_dim": True,
        "repr_types": [OFFICIAL_NAMES[name] for name in s.dims],
    }
    write_checkpoint(
        path,
        {
            "state_dict": copies(network),
            "epoch": 0,
            "metrics": {},
            "model_config": config,
        },
    )


def export_branch(lora_path: str | Path, head_path: str | Path, branch: TaskBranch) -> None:
    """A task's LoRA and head files in the official layout."""
    adapter = branch.adapter
    lora = {
        official_name(branch.task, name): value.detach().cpu().clone()
        for name, value in adapter.adapter_tensors().items()
    }
    about = {"lora_rank": adapter.lora.rank, "lora_alpha": adapter.lora.alpha}
    write_checkpoint(lora_path, {"lora_state_dict": lora, **about, "epoch": 0, "metrics": {}})
    write_checkpoint(head_path, {"state_dict": copies(branch.head), "epoch": 0, "metrics": {}})


def _section(value: Mapping[str, Any], key: str, where: str | Path) -> dict[str, Tensor]:
    section = value.get(key)
    if not isinstance(section, dict) or not all(isinstance(t, Tensor) for t in section.values()):
        raise InputError(
            "missing, or not a dictionary of tensors",
            where=where,
            field=key,
            fix="pass a released file",
        )
    return section
