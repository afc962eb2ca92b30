"""Parameters that follow from the image: lambda from scale and contrast, and noise from small details.

Both rules are ours, not those of the papers. `docs/choosing.md` says how well they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dpid_cli.downscaling.choices import Automatic
from dpid_cli.downscaling.raster import Array, full_scale
from dpid_cli.downscaling.sizes import Size

# With scale s, the largest lambda is 3 / s, and not above 1; found by halving, in steps of a thousandth.
_STRENGTH, _LARGEST_LAMBDA = 3.0, 1.0
_HALVINGS, _STEPS, _ALIKE = 4, 1000, 1.001
# A sample has blocks of so many windows along each side, and this part of the image, or so many pixels if
# that is more; images of up to twice as many are their own sample.
_BLOCK, _PART, _FEWEST_PIXELS = 16, 256, 1 << 17
# Noise is a low quantile over blocks of 16 x 16 pixels, because textures have no less than the noise, in a
# sample of blocks of 64 x 64 pixels. For white noise of deviation 1, it is the square root of that quantile
# of chi squared with 64 degrees of freedom over 64.
_NOISE_BLOCK, _NOISE_SIDE, _NOISE_PIXELS, _QUANTILE, _OF_WHITE = 16, 64, 1 << 18, 0.05, 0.853

Shrink = Callable[[Array, Size, Mapping[str, Any]], Array]


def is_automatic(arguments: Mapping[str, Any]) -> bool:
    """Whether some parameters are to follow from the image."""
    return any(isinstance(value, str) and value == Automatic.AUTO for value in arguments.values())


def settled(arguments: Mapping[str, Any], image: Array, size: Size, shrink: Shrink) -> dict[str, Any]:
    """Replace the word "auto" among the parameters of a method by what suits the image.

    Parameters
    ----------
    arguments : mapping
        By Python name.
    image : (H, W[, C]) ndarray
        As it is going to be downscaled: uint8, uint16, or floats in [0, 1].
    size : (int, int)
        (width, height) of the output.
    shrink : callable
        ``shrink(part, size, arguments)`` downscales a part of the image.
    """
    found = dict(arguments)
    if found.get("noise") == Automatic.AUTO:
        found["noise"] = noise_of(image)
    if found.get("lambda_") == Automatic.AUTO:
        found["lambda_"] = _lambda_for(
            image, size, lambda part, to, x: shrink(part, to, found | {"lambda_": x})
        )
    return found


def _lambda_for(image: Array, size: Size, shrink: Callable[[Array, Size, float], Array]) -> float:
    """The largest lambda up to ``min(1, 3 / s)`` for which contrast does not exceed that of the image."""
    height, width = image.shape[:2]
    scales = height / size[1], width / size[0]
    most = _rounded(min(_LARGEST_LAMBDA, _STRENGTH / math.sqrt(scales[0] * scales[1])))
    part = _sample(image, scales)
    to = max(1, round(part.shape[1] / scales[1])), max(1, round(part.shape[0] / scales[0]))
    allowed = contrast(part) * _ALIKE

    def fits(lambda_: float) -> bool:
        return contrast(shrink(part, to, lambda_)) <= allowed

    if fits(most):
        return most
    low, high = 0.0, most
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return _rounded(low)


def _rounded(lambda_: float) -> float:
    """Down to three digits, so that the reported number gives the same output."""
    return math.floor(lambda_ * _STEPS + 1e-9) / _STEPS


def contrast(image: Array) -> float:
    """Standard deviation of the pixels around the mean of their channel, as intensity.

    >>> contrast(np.array([[0, 255], [255, 0]], np.uint8))
    0.5
    """
    whole = image.dtype.kind == "u"  # whole numbers, so the result is the same on every machine
    count, variances = image.shape[0] * image.shape[1], []
    values = np.empty(count, np.int64 if whole else np.float64)  # once: new memory takes most of the time
    for plane in image.reshape(count, -1).T:
        values[:] = plane
        if whole:
            squares, total = int(np.einsum("i,i", values, values)), int(values.sum())
            variances.append((count * squares - total**2) / count**2)
        else:
            variances.append(float(values.var()))
    return math.sqrt(sum(variances) / len(variances)) / full_scale(image.dtype)


def _sample(image: Array, scales: tuple[float, float]) -> Array:
    """Some blocks of an image, side by side; the whole image if it is small."""
    height, width = image.shape[:2]
    most = max(_FEWEST_PIXELS, height * width // _PART)
    windows = min(_BLOCK, math.isqrt(max(1, int(most / 4 / (scales[0] * scales[1])))))
    sides = (max(1, math.ceil(max(windows, 1) * scale)) for scale in scales)
    return blocks(image, (next(sides), next(sides)), most)


def blocks(image: Array, sides: tuple[int, int], most: int) -> Array:
    """Blocks of (height, width) pixels, evenly spread over an image, side by side in a smaller image.

    Together they have at most about `most` pixels. An image of up to twice as many is returned as it is.
    """
    height, width = image.shape[:2]
    if height * width <= 2 * most:
        return image
    down, across = height // min(sides[0], height), width // min(sides[1], width)
    thinned = math.sqrt(most / (height * width))
    down, across = max(1, round(down * thinned)), max(1, round(across * thinned))
    rows, columns = _spread(height, sides[0], down), _spread(width, sides[1], across)
    return np.concatenate([np.concatenate([image[y, x] for x in columns], axis=1) for y in rows])


def _spread(length: int, side: int, number: int) -> list[slice]:
    """`number` pieces of `side` pixels in a line, with equal gaps around them."""
    side = min(side, length)
    gap = (length - number * side) / (number + 1)
    starts = [round(gap * (i + 1) + side * i) for i in range(number)]
    return [slice(start, start + side) for start in starts]


def noise_of(image: Array) -> tuple[float, ...]:
    """The standard deviation of the noise in each channel, as intensity.

    In each block of 16 x 16 pixels, the diagonal details ``(a - b - c + d) / 2`` of 2 x 2 pixels have about
    this deviation, and more where the block has texture. So it is a low quantile over blocks, corrected to be
    right for white noise. Smooth images have hardly any.

    >>> noise = np.random.default_rng(0).normal(0.5, 0.02, (256, 256))
    >>> round(noise_of(noise)[0], 3)
    0.02
    """
    part = blocks(image, (_NOISE_SIDE, _NOISE_SIDE), _NOISE_PIXELS)
    height, width = (length - length % 2 for length in part.shape[:2])
    if height == 0 or width == 0:
        return (0.0,) * (image.shape[2] if image.ndim == 3 else 1)
    values = part[:height, :width].reshape(height, width, -1).astype(np.float32)
    details = values[::2, ::2] - values[::2, 1::2] - values[1::2, ::2] + values[1::2, 1::2]
    side = _NOISE_BLOCK // 2
    squares = details * details / np.float32(4)
    rows = min(side, squares.shape[0]), min(side, squares.shape[1])
    down, across = squares.shape[0] // rows[0], squares.shape[1] // rows[1]
    whole = squares[: down * rows[0], : across * rows[1]].reshape(down, rows[0], across, rows[1], -1)
    power = whole.mean(axis=(1, 3), dtype=np.float64).reshape(down * across, -1)
    deviations = np.sqrt(np.quantile(power, _QUANTILE, axis=0)) / _OF_WHITE / full_scale(image.dtype)
    return tuple(min(1.0, round(float(deviation), 5)) for deviation in deviations)
