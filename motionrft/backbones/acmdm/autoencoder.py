"""ACMDM's causal auto-encoder: joints [B, T, J, 3] <-> latents [B, 4, T / 4, J].

Convolutions run over time only (kernel width 1 on the joint axis), so that joints share all weights and
never mix; every convolution is padded in front, so that a latent sees its own four frames and the past.
Parameter names are the official ones (`models/AE_2D_Causal.py`); pads count as layers there.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

DILATIONS = (9, 3, 1)
STAGES = 2  # each halves the time axis
FRAMES = 2**STAGES  # frames a latent


def past(frames: int) -> nn.ZeroPad2d:
    """Zeros in front of the time axis."""
    return nn.ZeroPad2d((0, 0, frames, 0))


def conv(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, (kernel, 1), (stride, 1), dilation=(dilation, 1))


class Residual(nn.Module):
    """x + dropout(conv1x1(silu(dilated causal conv(silu(x)))))."""

    def __init__(self, width: int, dilation: int, dropout: float):
        super().__init__()
        self.pad = past(2 * dilation)
        self.conv1 = conv(width, width, dilation=dilation)
        self.conv2 = conv(width, width, kernel=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(self.pad(F.silu(x)))
        output: Tensor = x + self.dropout(self.conv2(F.silu(inner)))
        return output


class Upsample(nn.Module):
    """Every frame twice, then a causal convolution."""

    def __init__(self, width: int):
        super().__init__()
        self.pad = past(2)
        self.conv = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.conv(self.pad(F.interpolate(x, scale_factor=(2.0, 1.0))))
        return output


class Encoder(nn.Module):
    def __init__(self, inputs: int, width: int, latent: int, dropout: float):
        super().__init__()
        self.pad = past(2)
        self.conv_in = conv(inputs, width)
        layers: list[nn.Module] = []
        for _ in range(STAGES):
            layers += [past(2), conv(width, width, kernel=4, stride=2)]
            layers += [Residual(width, dilation, dropout) for dilation in DILATIONS]
        self.model = nn.Sequential(*layers)
        self.conv_out = conv(width, latent)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.conv_out(self.pad(self.model(self.conv_in(self.pad(x)))))
        return output


class Decoder(nn.Module):
    def __init__(self, latent: int, width: int, outputs: int, dropout: float):
        super().__init__()
        self.pad = past(2)
        self.conv_in = conv(latent, width)
        layers: list[nn.Module] = []
        for _ in range(STAGES):
            layers += [Residual(width, dilation, dropout) for dilation in DILATIONS]
            layers.append(Upsample(width))
        self.model = nn.Sequential(*layers)
        self.conv_out1 = conv(width, width)
        self.conv_out2 = conv(width, outputs)

    def forward(self, z: Tensor) -> Tensor:
        x = self.conv_out1(self.pad(self.model(self.conv_in(self.pad(z)))))
        output: Tensor = self.conv_out2(self.pad(F.silu(x)))
        return output


class CausalAutoencoder(nn.Module):
    """The published deterministic auto-encoder (width 512, 4 latent channels)."""

    def __init__(self, width: int = 512, latent: int = 4, channels: int = 3, dropout: float = 0.2):
        super().__init__()
        self.encoder = Encoder(channels, width, latent, dropout)
        self.decoder = Decoder(latent, width, channels, dropout)
        self.initialise()

    def initialise(self) -> None:
        """Convolutions that keep the variance, residual branches that start at zero.

        The official code keeps torch's default, whose gain of 1/sqrt(3) a layer leaves almost nothing of the
        input after the stack: a short training spends its first steps on getting the signal through.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, Residual):
                nn.init.zeros_(module.conv2.weight)

    def encode(self, joints: Tensor) -> Tensor:
        """[B, T, J, 3] -> [B, 4, T // 4, J]; trailing frames short of a latent are dropped."""
        output: Tensor = self.encoder(joints.permute(0, 3, 1, 2))
        return output

    def decode(self, latents: Tensor) -> Tensor:
        """[B, 4, n, J] -> [B, 4 n, J, 3]."""
        output: Tensor = self.decoder(latents).permute(0, 2, 3, 1)
        return output
