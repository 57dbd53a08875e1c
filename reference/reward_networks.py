"""What the records of MotionReward share: networks and branches from official names, and their tolerance."""

from __future__ import annotations

from motionrft.reward.branch import TaskBranch
from motionrft.reward.network import OFFICIAL_NAMES, RewardNetwork
from motionrft.reward.official import network_settings, official_branch
from reference.case import Case


def representation(official: str) -> str:
    """The suite's name of `263`, `22x3` or `135`."""
    return {known: name for name, known in OFFICIAL_NAMES.items()}[official]


def tolerance(case: Case) -> dict[str, float]:
    """What the set was recorded with."""
    recorded = case.meta.get("tolerance", {})
    return {"atol": recorded.get("atol", 1e-5), "rtol": recorded.get("rtol", 1e-4)}


def build(case: Case, prefix: str) -> RewardNetwork:
    """The network of a case, from weights under their official names."""
    state = case.inputs(prefix)
    network = RewardNetwork(network_settings(state, case.meta["config"], case.name))
    network.load_state_dict(state)
    return network.eval()


def build_branch(case: Case, network: RewardNetwork, task: str, official: str) -> TaskBranch:
    config = case.meta["config"]
    lora, head = case.inputs(f"{official}_lora/"), case.inputs(f"{official}_head/")
    rank, alpha = config["lora_rank"], config["lora_alpha"]
    return official_branch(network, task, lora, head, rank=rank, alpha=alpha, where=case.name)
