"""The compiler and its algebra, three seconds of a processor, stay out of processes that compile nothing."""

import subprocess
import sys

CODE = """
import sys, torch
from motionrft.counting.flops import FlopCounter
from motionrft.diffusion.philox import normals
from motionrft.training.optimizers import AdamW, SGD

for kind in (AdamW, SGD):
    weight = torch.ones(2, requires_grad=True)
    with FlopCounter():
        (weight @ normals(torch.tensor([1]), 0, 2)[0]).backward()
    kind([weight], lr=0.1).step()
loaded = {"torch._dynamo", "sympy"} & set(sys.modules)
assert not loaded, loaded
"""


def test_noise_counting_and_a_step_bring_no_compiler():
    subprocess.run([sys.executable, "-c", CODE], check=True)
