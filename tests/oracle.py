"""The equations of the papers in float64, one window at a time: slow, plain, and shared with nothing.

Intensities are in [0, 1]; images are (H, W, C).
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np


@cache
def window(index: int, source: int, target: int) -> tuple[int, int, np.ndarray]:
    """First pixel, end, and coverage of each pixel of one window along one axis."""
    patch = Fraction(source, target)
    start, end = index * patch, min((index + 1) * patch, Fraction(source))
    first, last = math.floor(start), math.ceil(end)
    return first, last, np.array([float(min(j + 1, end) - max(j, start)) for j in range(first, last)])


def windows(image: np.ndarray, size: tuple[int, int]):
    """Row, column, pixels (n, C) and coverage (n, 1) of every window."""
    height, width, channels = image.shape
    for row in range(size[1]):
        y0, y1, cy = window(row, height, size[1])
        for column in range(size[0]):
            x0, x1, cx = window(column, width, size[0])
            coverage = np.outer(cy, cx).reshape(-1, 1)
            yield row, column, image[y0:y1, x0:x1].reshape(-1, channels), coverage


def each_window(image: np.ndarray, size: tuple[int, int], rule) -> np.ndarray:
    out = np.empty((size[1], size[0], image.shape[2]))
    for row, column, pixels, coverage in windows(image, size):
        out[row, column] = rule(row, column, pixels, coverage)
    return out


def box(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return each_window(image, size, lambda r, c, pixels, cover: (cover * pixels).sum(0) / cover.sum())


def smooth(means: np.ndarray) -> np.ndarray:
    """[1 2 1] along both axes over the neighbours that exist."""
    rows, columns, _ = means.shape
    out = np.zeros_like(means)
    for row in range(rows):
        for column in range(columns):
            total = 0
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if 0 <= row + dy < rows and 0 <= column + dx < columns:
                        weight = (2 - abs(dy)) * (2 - abs(dx))
                        out[row, column] += weight * means[row + dy, column + dx]
                        total += weight
            out[row, column] /= total
    return out


def over_means(means: np.ndarray, filter_) -> np.ndarray:
    """Learned guidance on the output grid, one neighbour at a time; channels by turns."""
    rows, columns, channels = means.shape
    out = np.empty_like(means)
    for row, column, channel in np.ndindex(means.shape):
        kernel = filter_.kernel[channel] if filter_.kernel.ndim == 3 else filter_.kernel
        response = replicated = used = 0.0
        inside = 0 < row < rows - 1 and 0 < column < columns - 1
        for dy, dx in np.ndindex(3, 3):
            y, x = row + dy - 1, column + dx - 1
            near = means[min(max(y, 0), rows - 1), min(max(x, 0), columns - 1), channel]
            replicated += kernel[dy, dx] * near
            if 0 <= y < rows and 0 <= x < columns:
                response += kernel[dy, dx] * near
                used += kernel[dy, dx]
        gain = 1 if inside else kernel.sum() / used if used != 0 else math.inf
        response = gain * response if 1 / 16 <= gain <= 16 else replicated
        out[row, column, channel] = response + np.broadcast_to(filter_.bias, channels)[channel]
    return out


def over_pixels(image: np.ndarray, size: tuple[int, int], filter_) -> np.ndarray:
    """Learned guidance on the input grid, over an image that NumPy has padded."""
    side, far = filter_.kernel.shape[-1], 300
    mode = {"zero": "constant", "replicate": "edge", "reflect": "reflect"}[filter_.padding]
    padded = np.pad(image, ((far, far), (far, far), (0, 0)), mode)
    out = np.empty((size[1], size[0], image.shape[2]))
    for row, column in np.ndindex(size[1], size[0]):
        y = far + row * filter_.scale + filter_.offset[0]
        x = far + column * filter_.scale + filter_.offset[1]
        part = np.moveaxis(padded[y : y + side, x : x + side], 2, 0)
        out[row, column] = (filter_.kernel * part).sum((1, 2)) + filter_.bias
    return out


def guide(image: np.ndarray, size: tuple[int, int], guidance) -> np.ndarray:
    """What the pixels of each window are compared with."""
    if not isinstance(guidance, str) and guidance.grid == "input":
        return over_pixels(image, size, guidance)
    means = box(image, size)
    if isinstance(guidance, str):
        return smooth(means) if guidance == "gaussian" else means
    return over_means(means, guidance)


def detail(
    image: np.ndarray,
    size: tuple[int, int],
    *,
    joint: bool,
    lambda_: float,
    alpha: float,
    epsilon: float,
    variant: str,
    guidance,
    normalize: str,
) -> np.ndarray:
    """DPID (joint distance) and DPP (distance by channel)."""
    compared = guide(image, size, guidance)

    def rule(row: int, column: int, pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
        difference = pixels - compared[row, column]
        rewarded = np.maximum(difference, 0) if variant == "asym" else difference
        u = rewarded**2
        if joint:
            u = np.repeat(u.sum(1, keepdims=True), u.shape[1], axis=1)
        u = u + epsilon**2
        if normalize == "mean":
            mean = (cover * u).sum(0) / cover.sum()
            u = np.divide(u, mean, out=np.zeros_like(u), where=mean > 0)
        if alpha == 0:  # only ratios count, and these do not underflow
            largest = u.max(0)
            u = np.divide(u, largest, out=np.zeros_like(u), where=largest > 0)
        weights = cover * (alpha + u ** (lambda_ / 2))  # 0 ** 0 == 1
        total = weights.sum(0)
        value = np.divide((weights * pixels).sum(0), total, out=np.zeros_like(total), where=total > 0)
        return np.where(total > 0, value, compared[row, column])

    return each_window(image, size, rule)


def extremum(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    def rule(row: int, column: int, pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
        mean = (cover * pixels).sum(0) / cover.sum()
        distance = np.abs(pixels - mean)
        farthest = distance >= distance.max(0) * (1 - 1e-12) - 1e-15
        return np.array(
            [np.mean(np.unique(pixels[farthest[:, c], c])) for c in range(pixels.shape[1])]
        )  # at most two values are equally far

    return each_window(image, size, rule)


def maximum(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return each_window(image, size, lambda r, c, pixels, cover: pixels.max(0))


def minimum(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return each_window(image, size, lambda r, c, pixels, cover: pixels.min(0))


_COMMON = {"lambda_": 1.0, "alpha": 0.0, "variant": "sym", "normalize": "none"}
DEFAULTS = {
    "dpid": {**_COMMON, "joint": True, "epsilon": 0.0, "guidance": "gaussian"},
    "dpp": {**_COMMON, "joint": False, "epsilon": 1e-3**0.5, "guidance": "box"},
}
PLAIN = {"box": box, "max": maximum, "min": minimum, "extremum": extremum}


def downscale(image: np.ndarray, size: tuple[int, int], method: str, **parameters) -> np.ndarray:
    """Exact result in [0, 1] for an image of any dtype that the library takes, (H, W[, C])."""
    unit = {"uint8": 255, "uint16": 65535}.get(image.dtype.name, 1)
    intensities = np.atleast_3d(image).astype(np.float64) / unit
    if method in PLAIN:
        out = PLAIN[method](intensities, size)
    else:
        out = detail(intensities, size, **{**DEFAULTS[method], **parameters})
    return out.reshape(size[1], size[0], *image.shape[2:])
