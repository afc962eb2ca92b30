"""AdaUnPool (Stergiou & Poppe 2022): enlarge by the weights that a pooling used.

For max pooling, PyTorch has ``torch.nn.MaxUnpool2d`` with the indices of ``MaxPool2d(return_indices=True)``.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from dpid_cli.errors import ArgumentError
from dpid_cli.torch.windows import Pair, check_images


class AdaUnPool2d(nn.Module):
    """Enlarge the output of `AdaPool2d` by areas, times the weights of its pixels.

    Weights are those relative to the mean weight of a window, so a constant stays.

    Parameters
    ----------
    kernel_size : int or (int, int), default 2
        That of the pooling, whose windows must lie side by side.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import AdaPool2d, AdaUnPool2d
    >>> pooled, mask = AdaPool2d(return_mask=True)(torch.rand(1, 3, 7, 8))
    >>> AdaUnPool2d()(pooled, mask, (7, 8)).shape
    torch.Size([1, 3, 7, 8])
    """

    def __init__(self, kernel_size: int = 2) -> None:
        super().__init__()
        self.kernel_size = Pair.of("kernel_size", kernel_size)

    def forward(self, x: Tensor, mask: Tensor, output_size: tuple[int, int] | None = None) -> Tensor:
        """Enlarge (N, C, h, w); `mask` is that of the pooling, and `output_size` is (rows, columns).

        Pixels that the pooling left out are 0.
        """
        check_images(x)
        rows, columns = self.kernel_size
        if mask.shape != (rows * columns, *x.shape):
            raise ArgumentError(
                f"mask must have the shape {(rows * columns, *x.shape)} (got {tuple(mask.shape)})"
            )
        n, c, h, w = x.shape
        pixels = (x * mask * (rows * columns)).reshape(rows, columns, n, c, h, w)
        large = pixels.permute(2, 3, 4, 0, 5, 1).reshape(n, c, h * rows, w * columns)
        if output_size is None:
            return large
        below, right = output_size[0] - h * rows, output_size[1] - w * columns
        if not (0 <= below < rows and 0 <= right < columns):
            raise ArgumentError(f"output_size: {tuple(output_size)} is not pooled to {h}x{w}: use another")
        return F.pad(large, (0, right, 0, below))
