"""EfficientNet-B0 (Tan and Le 2019, table 1) in PyTorch with random weights: its speed is that of a trained one."""

from __future__ import annotations

import io

import torch
from torch import nn

# Expansion, channels, repetitions, first stride, kernel.
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_SQUEEZE = 4


def _convolution(inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    padding = kernel // 2
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(outside)
    )


class _SqueezeAndExcite(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.SiLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.layers(images)


class _Block(nn.Module):
    def __init__(self, inside: int, outside: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        wide = inside * expansion
        expanding = [_convolution(inside, wide, 1), nn.SiLU()] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expanding,
            _convolution(wide, wide, kernel, stride, groups=wide),
            nn.SiLU(),
            _SqueezeAndExcite(wide, max(1, inside // _SQUEEZE)),
            _convolution(wide, outside, 1),
        )
        self.residual = stride == 1 and inside == outside

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + self.layers(images) if self.residual else self.layers(images)


def efficientnet(labels: int, seed: int) -> nn.Sequential:
    """The network for images of one channel, ready to score: (batch, 1, mel, frame) to (batch, labels)."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = [_convolution(1, 32, 3, 2), nn.SiLU()]
    channels = 32
    for expansion, outside, repetitions, first_stride, kernel in _STAGES:
        for number in range(repetitions):
            layers.append(_Block(channels, outside, expansion, 1 if number else first_stride, kernel))
            channels = outside
    layers += [_convolution(channels, 1280, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1280, labels)).eval()


def to_onnx(network: nn.Sequential, shape: tuple[int, int, int]) -> bytes:
    """The network as ONNX, from ``mels`` to ``logits``, for any number of clips."""
    stream = io.BytesIO()
    torch.onnx.export(
        network,
        (torch.zeros(2, *shape),),
        stream,
        input_names=["mels"],
        output_names=["logits"],
        dynamic_axes={"mels": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    return stream.getvalue()
