"""The network: two convolutions and two dense layers, small enough for one CPU core."""

from __future__ import annotations

from torch import Tensor, nn

from digits import CLASSES, SIDE


class Network(nn.Module):  # type: ignore[misc]
    """Reads images of 28 x 28 grey pixels.

    `forward` takes their bytes as floats, 0 to 255, shaped (images, 28, 28), and returns one score per class
    (logits), shaped (images, 10). It scales its input, so that no user of the exported model can forget to.
    """

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(1, 16),
            *_convolution(16, 32),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(32 * (SIDE // 4) ** 2, 64),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(64, CLASSES),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layers(pixels.unsqueeze(1) / 255)

    def penultimate(self, pixels: Tensor) -> Tensor:
        """What the last layer gets of the same images, shaped (images, 64)."""
        return self.layers[:-1](pixels.unsqueeze(1) / 255)


def _convolution(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    """Layers that halve the sides of an image. Early pooling leaves the later ones a quarter of the work."""
    return (
        nn.Conv2d(channels_in, channels_out, kernel_size=5, padding=2, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )
