"""Statistics of planes (H, W): means over areas, and means, variances and covariances around each pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIGMA, RADIUS = 1.5, 5  # of the Gaussian windows of SSIM, in pixels: 11 by 11 of them
_LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709


def lightness(values: Array) -> Array:
    """The luma (H, W) of intensities (H, W, C), C 1 or 3."""
    plane: Array = values[..., 0] if values.shape[2] == 1 else values @ _LUMA
    return plane


def area_means(plane: Array, shape: tuple[int, int]) -> Array:
    """Means over the windows of an output of `shape`; pixels that borders cut count in parts."""
    for axis, count in enumerate(shape):
        rows = np.moveaxis(plane, axis, 0)
        sums = np.concatenate([np.zeros((1, rows.shape[1])), rows.cumsum(axis=0)])
        edges = np.arange(count + 1) * rows.shape[0] / count
        whole = np.minimum(edges.astype(np.int64), rows.shape[0] - 1)
        up_to = sums[whole] + (edges - whole)[:, None] * rows[whole]
        plane = np.moveaxis(np.diff(up_to, axis=0) * (count / rows.shape[0]), 0, axis)
    return plane


def around(plane: Array) -> Array:
    """Mean around each pixel, weighted as by SSIM; the plane is mirrored at its borders."""
    from scipy.ndimage import gaussian_filter

    mean: Array = gaussian_filter(plane, SIGMA, radius=RADIUS, mode="reflect")
    return mean


def compared(means: tuple[Array, Array], squares: tuple[Array, Array], product: Array) -> tuple[Array, Array]:
    """The two factors of SSIM, of lightness and of contrast and structure (Wang et al. 2004).

    The arguments are what `around` makes of two planes, of their squares and of their product.
    """
    (m, n), (mm, nn) = means, squares
    c1, c2 = 0.01**2, 0.03**2
    light = (2 * m * n + c1) / (m * m + n * n + c1)
    structure = (2 * (product - m * n) + c2) / (mm - m * m + nn - n * n + c2)
    return light, structure
