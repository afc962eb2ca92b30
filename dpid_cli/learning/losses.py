"""The losses that a fit can minimise, each with its gradient with respect to the output of a crop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dpid_cli.learning.crops import Crop

Array = NDArray[np.float64]
Loss = tuple[float, Array]  # a loss and its gradient

SMALLEST_SIDE = 11  # of a crop, in pixels: the window of SSIM must fit


def interpolation(source: int, target: int) -> Any:
    """Linear interpolation between pixel centres along one axis, as a sparse matrix (target, source).

    Beyond the outermost centres, their values are repeated. The transpose is the adjoint.
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
    """Multiply each channel of an image (H, W, C) by two matrices: ``rows @ channel @ columns.T``."""
    planes = [(columns @ (rows @ plane).T).T for plane in np.moveaxis(image, 2, 0)]
    return np.stack(planes, axis=2)


def _enlarged(crop: Crop, result: Array, measure: Callable[[Array, Array], Loss]) -> Loss:
    """`measure` of the crop and its output, enlarged to the same size by bilinear interpolation."""
    height, width, _ = crop.pixels.shape
    rows, columns = interpolation(len(result), height), interpolation(result.shape[1], width)
    loss, gradient = measure(crop.pixels, _spread(rows, columns, result))
    return loss, _spread(rows.T, columns.T, gradient)


def dissimilarity(reference: Array, image: Array) -> Loss:
    """``1 - SSIM`` of two images (H, W, C) in [0, 1], and its gradient with respect to the second.

    SSIM is the mean of the whole map, with the Gaussian weights of Wang et al. 2004 (sigma 1.5) and images
    mirrored at the border. With these weights, scikit-image's gradient is exactly that of this mean; the mean
    that it returns leaves out the border.
    """
    from skimage.metrics import structural_similarity

    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    _, gradient, similarity = structural_similarity(
        reference, image, data_range=1, gradient=True, full=True, **options
    )
    return 1 - float(similarity.mean()), -gradient / image.shape[2]


def squared_error(reference: Array, image: Array) -> Loss:
    """Mean squared difference, and its gradient with respect to the second image."""
    difference = image - reference
    return float(np.mean(difference**2)), 2 * difference / difference.size


def ssim(crop: Crop, result: Array) -> Loss:
    """1 - SSIM between the crop and its output, enlarged to the size of the crop."""
    return _enlarged(crop, result, dissimilarity)


def l2(crop: Crop, result: Array) -> Loss:
    """Mean squared difference between the crop and its output, enlarged to the size of the crop."""
    return _enlarged(crop, result, squared_error)


def pairs(crop: Crop, result: Array) -> Loss:
    """Mean squared difference between the output of a crop and its target."""
    upstream = np.zeros(result.shape)
    assert crop.target is not None  # noqa: S101  # every crop of pairs has one
    loss, upstream[crop.inner] = squared_error(crop.target[crop.inner], result[crop.inner])
    return loss, upstream


OBJECTIVES: dict[str, Callable[[Crop, Array], Loss]] = {"ssim": ssim, "l2": l2, "pairs": pairs}
