"""Distorts training images slightly, and differently in each epoch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from digits import SIDE

ROTATION = math.radians(10)
SCALE = 0.1
SHIFT = 1 / (SIDE / 2)  # one pixel, in grid_sample's units: an image spans -1 to 1


def distort(pixels: Tensor) -> Tensor:
    """Rotate, scale and shift each image of (images, height, width) by a random amount."""
    angle, scale, across, down = (2 * torch.rand(4, len(pixels), device=pixels.device) - 1).unbind()
    cos, sin = (part(angle * ROTATION) * (1 + scale * SCALE) for part in (torch.cos, torch.sin))
    rows = [cos, -sin, across * SHIFT], [sin, cos, down * SHIFT]
    matrices = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    images = pixels.unsqueeze(1)
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False).squeeze(1)
