"""Poolings of parts: pyramids of bins, and boxes in an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from dpid_cli.downscaling.names import VariantName
from dpid_cli.errors import ArgumentError
from dpid_cli.torch.detail import DivisorWord, SizedDetailPooling, StartWord
from dpid_cli.torch.windows import Pair, Windows, between, check_images


class SpatialPyramidPool2d(nn.Module):
    """Max pooling to several grids, one after the other in a vector of fixed length (He et al. 2014).

    Parameters
    ----------
    levels : sequence of int, default (1, 2, 4)
        Sides of the grids: of 1, 4 and 16 bins.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import SpatialPyramidPool2d
    >>> SpatialPyramidPool2d()(torch.rand(2, 8, 13, 17)).shape
    torch.Size([2, 168])
    """

    def __init__(self, levels: Sequence[int] = (1, 2, 4)) -> None:
        super().__init__()
        for level in levels:
            Pair.of("levels", level)
        self.levels = tuple(levels)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x)
        return torch.cat([F.adaptive_max_pool2d(x, level).flatten(1) for level in self.levels], 1)

    def extra_repr(self) -> str:
        return f"levels={self.levels}"


class RoIDetailPreservingPool2d(SizedDetailPooling):
    """Detail-preserving pooling of boxes to a fixed size, by windows with exact shares of pixels.

    RoI pooling rounds boxes and bins to pixels; this does not.

    Parameters
    ----------
    channels : int
        C of the inputs (N, C, H, W).
    output_size : int or (int, int)
        Rows and columns of the output.
    spatial_scale : float, default 1.0
        By which boxes are multiplied, to get from pixels of an image to those of its features.
    variant, normalize, init, epsilon
        As for `DetailPreservingPool2d`.
    guidance : {"box", "gaussian"}, default "box"

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import RoIDetailPreservingPool2d
    >>> boxes = torch.tensor([[0, 1.5, 2.0, 11.5, 9.0], [1, 0.0, 0.0, 16.0, 12.0]])  # image, x0, y0, x1, y1
    >>> RoIDetailPreservingPool2d(8, 3)(torch.rand(2, 8, 12, 16), boxes).shape
    torch.Size([2, 8, 3, 3])
    """

    def __init__(
        self,
        channels: int,
        output_size: int | Sequence[int],
        spatial_scale: float = 1.0,
        *,
        variant: VariantName = "sym",
        guidance: Literal["box", "gaussian"] = "box",
        normalize: DivisorWord = "none",
        init: StartWord = "ones",
        epsilon: float = math.sqrt(1e-3),
    ) -> None:
        super().__init__(channels, output_size, variant, normalize, init, epsilon, guidance)
        self.spatial_scale = float(spatial_scale)

    def forward(self, x: Tensor, boxes: Tensor) -> Tensor:
        """Pool each box, (B, 5) rows of image, x0, y0, x1, y1; parts outside the image do not count."""
        check_images(x, self.channels)
        if boxes.ndim != 2 or boxes.shape[1] != 5:
            raise ArgumentError(f"boxes must have the shape (B, 5) (got {tuple(boxes.shape)})")
        height, width = x.shape[2:]
        rows, columns = self.output_size
        outputs = [x.new_empty(0, self.channels, rows, columns)]
        for image, *corners in boxes.tolist():
            left, top, right, bottom = (corner * self.spatial_scale for corner in corners)
            left, right = max(left, 0.0), min(right, float(width))
            top, bottom = max(top, 0.0), min(bottom, float(height))
            if not (left < right and top < bottom and 0 <= image < len(x)):
                raise ArgumentError(f"boxes: {[image, *corners]} has no part in any image")
            windows = Windows(between(top, bottom, height, rows), between(left, right, width, columns))
            outputs.append(self.over(x[int(image)].unsqueeze(0), windows))
        return torch.cat(outputs)
