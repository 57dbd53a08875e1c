"""Two processes exchange what makes them one: sums, gathered rows with their gradients, averaged objectives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from motionrft.training.distributed import (
    data_parallel,
    gather_rows,
    largest,
    mean_count,
    process_group,
    rank,
    sum_gradients,
    sum_numbers,
    world_size,
)

ROOT = Path(__file__).resolve().parents[2]
ROWS = torch.linspace(-1.0, 1.0, 12).reshape(4, 3)
COUNTS = torch.tensor([1.0, 3.0])


class Spread(nn.Module):
    """A loss that needs all rows at once: the mean squared distance of every pair of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        nn.init.constant_(self.linear.weight, 0.5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        outputs = gather_rows(torch.tanh(self.linear(rows)))
        return (outputs[:, None] - outputs[None]).square().mean()


def results() -> dict[str, torch.Tensor]:
    """What this process ends with; it holds its share of the rows."""
    share = len(ROWS) // world_size()
    rows = ROWS[rank() * share : (rank() + 1) * share]
    objective = Spread()
    call = data_parallel(objective)  # must live until the gradients are there
    loss = call(rows)
    loss.backward()
    summed = nn.Parameter(torch.zeros(2))
    summed.grad = torch.tensor([1.0, 2.0]) / world_size()
    sum_gradients([summed])
    count = COUNTS[rank()] if world_size() > 1 else COUNTS.mean()
    return {
        "loss": loss.detach(),
        "gradient": objective.linear.weight.grad,
        "summed": summed.grad,
        "numbers": torch.tensor(
            sum_numbers([1.0 / world_size(), 0.5 * share], torch.device("cpu"))
        ),
        "count": mean_count(count),
        "largest": torch.tensor(largest(share * (rank() + 1)) // share),
    }


@pytest.mark.processes
def test_two_are_one(tmp_path):
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(29_400 + os.getpid() % 90),
    }
    command = [sys.executable, "-m", "tests.training.test_distributed", str(tmp_path)]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment | {"RANK": str(number)})
        for number in range(2)
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    first, second = (
        torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in range(2)
    )
    alone = results()
    for name, value in alone.items():
        if name != "largest":
            torch.testing.assert_close(first[name], value)
        torch.testing.assert_close(first[name], second[name])
    assert int(first["largest"]) == 2


if __name__ == "__main__":
    with process_group(torch.device("cpu")) as (_, writes):
        assert writes == (rank() == 0)
        torch.save(results(), Path(sys.argv[1]) / f"{rank()}.pt")
