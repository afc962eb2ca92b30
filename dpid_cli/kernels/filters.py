"""Guidance by a filter, ``G = F * I + b``, on both grids, and the adjoints that its gradients need.

On the input grid, F lies over the pixels of the image, in steps of the scale (Full-DPP, Saeedan et al. 2018).
On the output grid, it lies over the box means: the Gaussian of DPID is one such filter. Bias and guidance are
on the scale of the pixels.
"""

from __future__ import annotations

from dpid_cli.kernels.flags import helper
from dpid_cli.kernels.jit import FUSED, kernel


@helper
def existing(i, count):
    """Which neighbours of i exist among `count`: 0 neither, 1 the next, 2 the previous, 3 both."""
    return (2 if i > 0 else 0) + (1 if i < count - 1 else 0)


@helper
def filter_row(upper, middle, lower, vertical, kernels, bias, out):
    """Filter the means of one row, (C, w), and of those above and below; `vertical` says which exist."""
    channels, width = middle.shape
    for j in range(channels):
        f = kernels[j, vertical, 3]
        above, here, below, target = upper[j], middle[j], lower[j], out[j]
        for i in range(1, width - 1):
            target[i] = bias[j] + (
                (f[0, 0] * above[i - 1] + f[0, 1] * above[i] + f[0, 2] * above[i + 1])
                + (f[1, 0] * here[i - 1] + f[1, 1] * here[i] + f[1, 2] * here[i + 1])
                + (f[2, 0] * below[i - 1] + f[2, 1] * below[i] + f[2, 2] * below[i + 1])
            )
        for i in (0, width - 1):
            f = kernels[j, vertical, existing(i, width)]
            left, right = max(i - 1, 0), min(i + 1, width - 1)
            target[i] = bias[j] + (
                (f[0, 0] * above[left] + f[0, 1] * above[i] + f[0, 2] * above[right])
                + (f[1, 0] * here[left] + f[1, 1] * here[i] + f[1, 2] * here[right])
                + (f[2, 0] * below[left] + f[2, 1] * below[i] + f[2, 2] * below[right])
            )


@kernel(fastmath=FUSED)
def filter_means(means, start, stop, kernels, bias, out):
    """Filter on the output grid: 3 x 3 box means around each window.

    Parameters
    ----------
    means : (rows, C, w) ndarray
        Box means; a row that is missing before `start` or from `stop` on lies outside the image.
    start, stop : int
        The rows to filter.
    kernels : (C, 4, 4, 3, 3) ndarray
        F for each kind of border, as `Filter.at_borders` gives them: 0 for means that do not exist.
    bias : (C,) ndarray
    out : (stop - start, C, w) ndarray
        Filled.
    """
    rows = len(means)
    for row in range(start, stop):
        upper, lower = means[max(row - 1, 0)], means[min(row + 1, rows - 1)]
        filter_row(upper, means[row], lower, existing(row, rows), kernels, bias, out[row - start])


@kernel()
def filter_means_adjoint(upstream, means, kernels, means_gradient, kernels_gradient):
    """Add the gradients of ``sum(upstream * filter_means(means))``.

    Parameters
    ----------
    upstream, means : (h, C, w) ndarray
    kernels : (C, 4, 4, 3, 3) ndarray
    means_gradient, kernels_gradient : ndarray
        Shaped like `means` and `kernels`; added to.
    """
    rows, channels, width = means.shape
    for row in range(rows):
        vertical = existing(row, rows)
        for j in range(channels):
            for i in range(width):
                horizontal = existing(i, width)
                g = upstream[row, j, i]
                for dy in range(3):
                    y = min(max(row + dy - 1, 0), rows - 1)
                    for dx in range(3):
                        x = min(max(i + dx - 1, 0), width - 1)
                        means_gradient[y, j, x] += g * kernels[j, vertical, horizontal, dy, dx]
                        kernels_gradient[j, vertical, horizontal, dy, dx] += g * means[y, j, x]


@kernel(fastmath=FUSED)
def filter_pixels(pixels, start, stop, scale, kernels, bias, row_of, column_of, planes, out):
    """Filter on the input grid: K x K pixels at each window, in steps of `scale`.

    Parameters
    ----------
    pixels : (H, W * C) ndarray
    start, stop : int
        Output rows to filter.
    scale : int
    kernels : (C, K, K) ndarray
    bias : (C,) ndarray
    row_of, column_of : (scale * (h - 1) + K,), (scale * (w - 1) + K,) int64 ndarray
        The row and column of the image at each position of the filter; -1 for a zero outside.
    planes : (scale, columns) ndarray
        Working rows: the pixels of one row of one channel, every `scale`-th next to each other, so that
        the innermost loop vectorises. At least w + (K - 1) // scale columns.
    out : (stop - start, C, w) ndarray
        Filled.
    """
    channels, side, _ = kernels.shape
    width = out.shape[2]
    zero = out.dtype.type(0)
    for row in range(start, stop):
        for j in range(channels):
            target = out[row - start, j]
            target[:] = bias[j]
            for dy in range(side):
                y = row_of[row * scale + dy]
                if y < 0:
                    continue
                line = pixels[y]
                for phase in range(min(scale, side)):
                    plane = planes[phase]
                    for i in range((len(column_of) - 1 - phase) // scale + 1):
                        x = column_of[i * scale + phase]
                        plane[i] = out.dtype.type(line[channels * x + j]) if x >= 0 else zero
                for dx in range(side):
                    f = kernels[j, dy, dx]
                    samples = planes[dx % scale][dx // scale :]
                    for i in range(width):
                        target[i] += f * samples[i]


@kernel()
def filter_pixels_adjoint(
    upstream, pixels, scale, kernels, row_of, column_of, pixels_gradient, kernels_gradient
):  # fmt: skip
    """Add the gradients of ``sum(upstream * filter_pixels(pixels))``.

    Parameters
    ----------
    upstream : (h, C, w) ndarray
    pixels, scale, kernels, row_of, column_of
        As for `filter_pixels`.
    pixels_gradient, kernels_gradient : ndarray
        Shaped like `pixels` and `kernels`; added to.
    """
    rows, channels, width = upstream.shape
    side = kernels.shape[1]
    for row in range(rows):
        for dy in range(side):
            y = row_of[row * scale + dy]
            for i in range(width if y >= 0 else 0):
                for dx in range(side):
                    x = column_of[i * scale + dx]
                    for j in range(channels if x >= 0 else 0):
                        g = upstream[row, j, i]
                        pixels_gradient[y, channels * x + j] += g * kernels[j, dy, dx]
                        kernels_gradient[j, dy, dx] += g * pixels[y, channels * x + j]
