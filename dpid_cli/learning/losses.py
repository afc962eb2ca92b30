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
Measure = Callable[[Array, Array], Loss]

# Sides of crops, in pixels, by objective: the smallest possible and the default. SSIM's window must fit.
SMALLEST_SIDE = {"ssim": 11, "msssim": 11 * 16, "l2": 1, "pairs": 1}
USUAL_SIDE = {"ssim": 128, "msssim": 192, "l2": 128, "pairs": 128}
# Of the scales of MS-SSIM, from the finest; measured with people by Wang et al. 2003.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_C1, _C2 = 0.01**2, 0.03**2  # keep the factors of SSIM finite, for intensities in [0, 1]
_SMALLEST_SIMILARITY = 1e-6  # of a scale: a power of a negative number is none


def _linear(distance: Array) -> Array:
    return np.maximum(1 - distance, 0)


def _cubic(distance: Array) -> Array:
    """Keys' cubic convolution with a = -1/2."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


_KERNELS = {"bilinear": _linear, "bicubic": _cubic}


def interpolation(source: int, target: int, kind: str) -> Any:
    """Interpolation between pixel centres along one axis, as a sparse matrix (target, source).

    What would lie beyond the border is left out, and the weights of the rest sum to 1, as in Pillow. The
    transpose is the adjoint.
    """
    from scipy.sparse import csr_array

    place = (np.arange(target) + 0.5) * source / target - 0.5
    pixel = np.floor(place).astype(np.int64)[:, None] + np.arange(-1, 3)
    weight = _KERNELS[kind](np.abs(place[:, None] - pixel)) * ((pixel >= 0) & (pixel < source))
    weight /= weight.sum(axis=1, keepdims=True)
    row, tap = np.nonzero(weight)
    return csr_array((weight[row, tap], (row, pixel[row, tap])), (target, source))


def _spread(rows: Any, columns: Any, image: Array) -> Array:
    """Multiply each channel of an image (H, W, C) by two matrices: ``rows @ channel @ columns.T``."""
    planes = [(columns @ (rows @ plane).T).T for plane in np.moveaxis(image, 2, 0)]
    return np.stack(planes, axis=2)


def _enlarged(crop: Crop, result: Array, kind: str, measure: Measure) -> Loss:
    """`measure` of the crop and its output, enlarged to the same size; the mean of both ways for "both"."""
    height, width, _ = crop.pixels.shape
    kinds = [*_KERNELS] if kind == "both" else [kind]
    loss, gradient = 0.0, np.zeros(result.shape)
    for each in kinds:
        rows = interpolation(len(result), height, each)
        columns = interpolation(result.shape[1], width, each)
        one, of_enlarged = measure(crop.pixels, _spread(rows, columns, result))
        loss += one / len(kinds)
        gradient += _spread(rows.T, columns.T, of_enlarged) / len(kinds)
    return loss, gradient


def dissimilarity(reference: Array, image: Array) -> Loss:
    """``1 - SSIM`` of two images (H, W, C) in [0, 1], and its gradient with respect to the second.

    SSIM is the mean of the whole map, with the Gaussian weights of Wang et al. 2004 (sigma 1.5) and images
    mirrored at the border.
    """
    similarity, gradient = _similarity(reference, image)
    return max(0.0, 1 - similarity), -gradient


def _similarity(reference: Array, image: Array, brightness: bool = True) -> Loss:
    """The mean of the whole map of SSIM, or only of its contrast and structure, without brightness."""
    similarity, gradient = 0.0, np.empty(image.shape)
    channels = image.shape[2]
    for c in range(channels):
        one, gradient[..., c] = _similarity_of_planes(reference[..., c], image[..., c], brightness)
        similarity += one / channels
    return similarity, gradient / channels


def _similarity_of_planes(reference: Array, plane: Array, brightness: bool) -> Loss:
    """Mirrored Gaussian means are their own adjoint, so each derivative goes through `_around` once more."""
    m, n = _around(reference), _around(plane)
    square, product = _around(plane * plane), _around(reference * plane)
    spread = _around(reference * reference) - m * m + square - n * n + _C2
    structure = (2 * (product - m * n) + _C2) / spread
    by_product = 2 / spread
    by_square = -structure / spread
    by_mean = -m * by_product - 2 * n * by_square
    similarity = structure
    if brightness:
        energy = m * m + n * n + _C1
        light = (2 * m * n + _C1) / energy
        by_mean = light * by_mean + structure * 2 * (m - light * n) / energy
        by_product, by_square = light * by_product, light * by_square
        similarity = light * structure
    gradient = _around(by_mean) + _around(by_product) * reference + 2 * _around(by_square) * plane
    return float(similarity.mean()), gradient / plane.size


def _around(plane: Array) -> Array:
    """Mean around each pixel with the Gaussian weights of SSIM; the plane is mirrored at its borders."""
    from scipy.ndimage import gaussian_filter

    mean: Array = gaussian_filter(plane, 1.5, radius=5, mode="reflect")
    return mean


def multiscale_dissimilarity(reference: Array, image: Array) -> Loss:
    """``1 - MS-SSIM`` of two images (H, W, C) in [0, 1], and its gradient with respect to the second.

    Contrast and structure are compared at five scales, each half of the one before, brightness at the last;
    the product of their means, each to the power of its weight (Wang et al. 2003). Sides must be 176 or more.
    """
    similarity, factors, gradients = 1.0, [], []
    for scale, weight in enumerate(_WEIGHTS):
        value, gradient = _similarity(reference, image, brightness=scale == len(_WEIGHTS) - 1)
        factors.append(weight / value if value > _SMALLEST_SIMILARITY else 0.0)
        similarity *= max(value, _SMALLEST_SIMILARITY) ** weight
        gradients.append(gradient)
        reference, image = _halved(reference), _halved(image)
    total = np.zeros(gradients[-1].shape)
    for scale in reversed(range(len(_WEIGHTS))):
        total += factors[scale] * gradients[scale]
        if scale > 0:
            total = _doubled(total, gradients[scale - 1].shape)
    return max(0.0, 1 - similarity), -similarity * total


def _halved(image: Array) -> Array:
    """Means of two by two pixels; an odd row or column is left out."""
    height, width = (length // 2 * 2 for length in image.shape[:2])
    even = image[:height, :width]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


def _doubled(gradient: Array, shape: tuple[int, ...]) -> Array:
    """The adjoint of `_halved`."""
    large = np.zeros(shape)
    spread = gradient.repeat(2, axis=0).repeat(2, axis=1) / 4
    large[: spread.shape[0], : spread.shape[1]] = spread
    return large


def squared_error(reference: Array, image: Array) -> Loss:
    """Mean squared difference, and its gradient with respect to the second image."""
    difference = image - reference
    return float(np.mean(difference**2)), 2 * difference / difference.size


def _pairs(crop: Crop, result: Array) -> Loss:
    """Mean squared difference between the output of a crop and its target."""
    upstream = np.zeros(result.shape)
    assert crop.target is not None  # noqa: S101  # every crop of pairs has one
    loss, upstream[crop.inner] = squared_error(crop.target[crop.inner], result[crop.inner])
    return loss, upstream


_MEASURES: dict[str, Measure] = {
    "ssim": dissimilarity,
    "msssim": multiscale_dissimilarity,
    "l2": squared_error,
}


def loss_of(objective: str, enlargement: str | None, crop: Crop, result: Array) -> Loss:
    """The loss of an output and its gradient: "ssim", "msssim" and "l2" enlarge it to the crop's size."""
    if enlargement is None:
        return _pairs(crop, result)
    return _enlarged(crop, result, enlargement, _MEASURES[objective])
