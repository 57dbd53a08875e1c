"""Embedded frames as averages of their neighbours."""

from __future__ import annotations

from torch import Tensor, nn


class TemporalConvolution(nn.Conv1d):
    """A learned average over `kernel` frames, each channel's own, that starts as the plain mean.

    The suite's own, for small networks that diffuse frames. Noise is drawn for each frame apart, and a network that
    embeds each apart learns only late to average it over neighbours: its motions jerk.
    """

    def __init__(self, channels: int, kernel: int):
        super().__init__(
            channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False
        )
        nn.init.constant_(self.weight, 1 / kernel)

    def forward(self, h: Tensor, valid: Tensor | None = None) -> Tensor:
        """h [B, T, channels], valid [B, T] True = counts -> [B, T, channels]; frames that do not count, and those
        beyond both ends, are taken as zero."""
        if valid is not None:
            h = h * valid[..., None]
        return super().forward(h.transpose(1, 2)).transpose(1, 2)
