"""What a fit makes small: losses of one downscaled crop, each with its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.errors import ArgumentError
from dpid_cli.learning.crops import Example

Array = NDArray[np.float64]
Loss = tuple[float, Array]

SMALLEST_SIDE = 11  # of an image, so that the window of SSIM lies inside


def interpolation(source: int, target: int) -> Any:
    """Linear interpolation between pixel centres along one axis, as a sparse (target, source) matrix.

    Beyond the outermost centres their values are repeated. Its transpose is its adjoint.
    """
    from scipy.sparse import csr_array

    place = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    lower = np.minimum(place.astype(np.int64), max(source - 2, 0))
    upper = np.minimum(lower + 1, source - 1)
    part = place - lower
    rows = np.arange(target)
    entries = np.concatenate([1 - part, part])
    return csr_array((entries, (np.tile(rows, 2), np.concatenate([lower, upper]))), (target, source))


def _spread(rows: Any, columns: Any, image: Array) -> Array:
    """Each channel of an image between two matrices: ``rows @ image @ columns.T``."""
    planes = [(columns @ (rows @ plane).T).T for plane in np.moveaxis(image, 2, 0)]
    return np.stack(planes, axis=2)


def _restored(example: Example, result: Array, measure: Callable[[Array, Array], Loss]) -> Loss:
    """`measure` of the crop and of the result brought back to its size by bilinear interpolation."""
    height, width, _ = example.pixels.shape
    rows, columns = interpolation(len(result), height), interpolation(result.shape[1], width)
    loss, gradient = measure(example.pixels, _spread(rows, columns, result))
    return loss, _spread(rows.T, columns.T, gradient)


def dissimilarity(reference: Array, image: Array) -> Loss:
    """``1 - SSIM`` of two images (H, W, C) in [0, 1], and its gradient by the second.

    The mean of the whole map, with the weights of Wang et al. 2004 (a Gaussian, sigma 1.5) and images
    mirrored at the border. scikit-image's gradient is exactly that of this mean, with Gaussian weights only;
    the mean that it returns leaves the border out.
    """
    from skimage.metrics import structural_similarity

    _, gradient, similarity = structural_similarity(
        reference,
        image,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        gradient=True,
        full=True,
    )
    return 1 - float(similarity.mean()), -gradient / image.shape[2]


def check_window(example: Example) -> None:
    """Raise an `ArgumentError` if a crop is too small for `ssim`."""
    height, width, _ = example.pixels.shape
    if min(height, width) < SMALLEST_SIDE:
        raise ArgumentError(
            f"{width}x{height} pixels are too few for SSIM: give {SMALLEST_SIDE} a side or more"
        )


def squared_error(reference: Array, image: Array) -> Loss:
    """Mean squared difference, and its gradient by the second image."""
    difference = image - reference
    return float(np.mean(difference**2)), 2 * difference / difference.size


def ssim(example: Example, result: Array) -> Loss:
    """1 - SSIM between the crop and the result brought back to its size."""
    return _restored(example, result, dissimilarity)


def l2(example: Example, result: Array) -> Loss:
    """Mean squared difference between the crop and the result brought back to its size."""
    return _restored(example, result, squared_error)


def pairs(example: Example, result: Array) -> Loss:
    """Mean squared difference between the result and the example's target."""
    upstream = np.zeros(result.shape)
    assert example.target is not None  # noqa: S101  # every example of pairs has one
    loss, upstream[example.inner] = squared_error(example.target[example.inner], result[example.inner])
    return loss, upstream


OBJECTIVES: dict[str, Callable[[Example, Array], Loss]] = {"ssim": ssim, "l2": l2, "pairs": pairs}
