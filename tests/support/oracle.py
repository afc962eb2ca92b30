"""The equations of the papers in float64, one window at a time: slow, plain, and shared with nothing.

Intensities are in [0, 1]; images are (H, W, C).
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np


@cache
def window(index: int, source: int, target: int, side: int | None = None) -> tuple[int, int, np.ndarray]:
    """First pixel, end, and coverage of each pixel of one window along one axis, `side` pixels long."""
    patch = Fraction(source, target)
    centre, reach = (index + Fraction(1, 2)) * patch, (patch if side is None else Fraction(side)) / 2
    start, end = max(centre - reach, Fraction(0)), min(centre + reach, Fraction(source))
    first, last = math.floor(start), math.ceil(end)
    return first, last, np.array([float(min(j + 1, end) - max(j, start)) for j in range(first, last)])


def windows(image: np.ndarray, size: tuple[int, int], side: int | None = None):
    """Row, column, pixels (n, C) and coverage (n, 1) of every window."""
    height, width, channels = image.shape
    for row in range(size[1]):
        y0, y1, cy = window(row, height, size[1], side)
        for column in range(size[0]):
            x0, x1, cx = window(column, width, size[0], side)
            coverage = np.outer(cy, cx).reshape(-1, 1)
            yield row, column, image[y0:y1, x0:x1].reshape(-1, channels), coverage


def each_window(image: np.ndarray, size: tuple[int, int], rule, side: int | None = None) -> np.ndarray:
    out = np.empty((size[1], size[0], image.shape[2]))
    for row, column, pixels, coverage in windows(image, size, side):
        out[row, column] = rule(row, column, pixels, coverage)
    return out


def to_light(encoded: np.ndarray) -> np.ndarray:
    """The curve of sRGB, IEC 61966-2-1, mirrored below 0."""
    size = np.abs(encoded)
    return np.sign(encoded) * np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)


def from_light(light: np.ndarray) -> np.ndarray:
    size = np.abs(light)
    return np.sign(light) * np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)


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


def relative_weights(u: np.ndarray, exponent: float, alpha: float) -> np.ndarray:
    """``alpha + u**exponent`` relative to the largest of each channel, by logarithms, for any exponent."""
    exponent = min(exponent, 1e300)
    largest = np.where(u.max(0) > 0, u.max(0), 1)
    with np.errstate(divide="ignore"):  # of 0
        ratio = np.where(u > largest * (1 - 1e-12), 1, u / largest)  # equal but for rounding
        powers = exponent * np.log(ratio) if exponent > 0 else np.zeros_like(u)  # 0 ** 0 == 1
        weights = powers if alpha == 0 else np.logaddexp(np.log(alpha), powers + exponent * np.log(largest))
    most = weights.max(0)
    return np.exp(weights - np.where(np.isfinite(most), most, 0))


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
    noise=0.0,
    linear: bool = False,
) -> np.ndarray:
    """DPID (joint distance) and DPP (distance by channel)."""
    compared = guide(image, size, guidance)
    variance = np.broadcast_to(noise, image.shape[2]) ** 2
    variance = np.full(image.shape[2], variance.sum()) if joint else variance

    def rule(row: int, column: int, pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
        difference = pixels - compared[row, column]
        rewarded = np.maximum(difference, 0) if variant == "asym" else difference
        u = rewarded**2
        if joint:
            u = np.repeat(u.sum(1, keepdims=True), u.shape[1], axis=1)
        u = np.maximum(u - (2 + 4 / (u.shape[1] if joint else 1)) * variance, 0) + variance + epsilon**2
        if normalize == "mean":
            mean = (cover * u).sum(0) / cover.sum()
            u = np.divide(u, mean, out=np.zeros_like(u), where=mean > 0)
        weights = cover * relative_weights(u, lambda_ / 2, alpha)
        total = weights.sum(0)
        averaged = to_light(pixels) if linear else pixels
        value = np.divide((weights * averaged).sum(0), total, out=np.zeros_like(total), where=total > 0)
        value = from_light(value) if linear else value
        return np.where(total > 0, value, compared[row, column])

    return each_window(image, size, rule)


def mean(a: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return (cover * a).sum(0) / cover.sum()


def farthest(a: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """The values farthest from the mean, at most two of which are equally far."""
    distance = np.abs(a - mean(a, cover))
    far = distance >= distance.max(0) * (1 - 1e-12) - 1e-15
    return np.array([np.mean(np.unique(a[far[:, c], c])) for c in range(a.shape[1])])


# In the following, `light` is averaged in place of the values, which then only weigh.


def softpool(a: np.ndarray, cover: np.ndarray, light: np.ndarray | None = None) -> np.ndarray:
    weights = cover * np.exp(a - a.max(0))
    return (weights * (a if light is None else light)).sum(0) / weights.sum(0)


def edscw(a: np.ndarray, cover: np.ndarray, light: np.ndarray | None = None) -> np.ndarray:
    centre = mean(a, cover)
    squares = a**2 + centre**2
    dice = np.divide(2 * np.abs(a * centre), squares, out=np.ones_like(a), where=squares > 0)
    weights = cover * np.exp(dice)
    return (weights * (a if light is None else light)).sum(0) / weights.sum(0)


def idw(a: np.ndarray, cover: np.ndarray, light: np.ndarray | None = None) -> np.ndarray:
    centre = mean(a, cover)
    distance = np.abs(a - centre)
    out = centre.copy() if light is None else to_light(centre)
    for c in np.flatnonzero(distance.min(0) > 1e-15):
        weights = cover[:, 0] / distance[:, c]
        out[c] = (weights * (a if light is None else light)[:, c]).sum() / weights.sum()
    return out


def expected_pick(a: np.ndarray, cover: np.ndarray, light: np.ndarray | None = None) -> np.ndarray:
    total = a.sum(0)
    picked = (a * (a if light is None else light)).sum(0)
    return np.divide(picked, total, out=np.zeros_like(total), where=total > 0)


def power_mean(a: np.ndarray, cover: np.ndarray, power: float = 2.0) -> np.ndarray:
    largest = np.abs(a).max(0)
    ratio = np.divide(np.abs(a), largest, out=np.zeros_like(a), where=largest > 0)
    return largest * mean(ratio**power, cover) ** (1 / power)


def mixed(a: np.ndarray, cover: np.ndarray, beta: float = 0.5) -> np.ndarray:
    return beta * a.max(0) + (1 - beta) * mean(a, cover)


def adapool(
    a: np.ndarray, cover: np.ndarray, beta: float = 0.5, light: np.ndarray | None = None
) -> np.ndarray:
    return beta * edscw(a, cover, light) + (1 - beta) * softpool(a, cover, light)


def gated(
    a: np.ndarray, cover: np.ndarray, gate: np.ndarray | None = None, light: np.ndarray | None = None
) -> np.ndarray:
    """`gate` (n, C), in the order of the pixels."""
    share = 0.5 if gate is None else 1 / (1 + np.exp(-(gate * a).sum(0)))
    light = a if light is None else light
    return share * light.max(0) + (1 - share) * mean(light, cover)


RULES = {
    "box": mean,
    "max": lambda a, cover: a.max(0),
    "min": lambda a, cover: a.min(0),
    "extremum": farthest,
    "mixed": mixed,
    "gated": gated,
    "lp": power_mean,
    "softpool": softpool,
    "edscw": edscw,
    "adapool": adapool,
    "idw": idw,
    "stochastic": lambda a, cover, form, light=None: expected_pick(a, cover, light),
}
# In linear light: rules that are the same with and without, and those in which light replaces the values.
PICKED = {"max", "min", "extremum", "subsample"}
OF_LIGHT = {"box", "mixed", "lp"}


def pool(
    image: np.ndarray,
    size: tuple[int, int],
    method: str,
    window: int | None = None,
    linear: bool = False,
    **parameters,
):
    """A method whose result follows from the pixels of a window and their coverage alone."""

    def rule(row: int, column: int, pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
        if not linear or method in PICKED:
            return RULES[method](pixels, cover, **parameters)
        if method in OF_LIGHT:
            return from_light(RULES[method](to_light(pixels), cover, **parameters))
        return from_light(RULES[method](pixels, cover, **parameters, light=to_light(pixels)))

    return each_window(image, size, rule, window)


def maximum(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return pool(image, size, "max")


def minimum(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return pool(image, size, "min")


def subsample(
    image: np.ndarray, size: tuple[int, int], position: str = "corner", linear: bool = False
) -> np.ndarray:
    """The pixel at the lower end or the centre of each window."""
    offset = Fraction(1, 2) if position == "centre" else 0
    ys, xs = (
        [math.floor((i + offset) * Fraction(source, target)) for i in range(target)]
        for source, target in zip(image.shape, size[::-1], strict=False)
    )
    return image[np.ix_(ys, xs)]


def low_frequencies(source: int, target: int) -> np.ndarray:
    """(target, source): from the samples of an axis to the slow waves in them, at the centres of windows.

    Each pair of frequencies f and -f with |f| < target / 2 counts wholly, that with |f| = target / 2 half.
    """
    if source == target:
        return np.eye(source)
    frequencies = np.arange(-(target // 2), target // 2 + 1)
    parts = np.where(2 * np.abs(frequencies) == target, 0.5, 1)
    places = (np.arange(target) + 0.5) * source / target - 0.5
    there = np.exp(2j * np.pi * np.outer(places, frequencies) / source)
    here = np.exp(-2j * np.pi * np.outer(frequencies, np.arange(source)) / source)
    return ((there * parts) @ here).real / source


def spectral(image: np.ndarray, size: tuple[int, int], linear: bool = False) -> np.ndarray:
    if linear:
        return from_light(spectral(to_light(image), size))
    rows, columns = low_frequencies(image.shape[0], size[1]), low_frequencies(image.shape[1], size[0])
    return np.einsum("yi,xj,ijc->yxc", rows, columns, image, optimize=True)


def dense(
    image: np.ndarray, sides: tuple[int, int], method: str, linear: bool = False, **parameters
) -> np.ndarray:
    """`max` or `dpp` of the windows of `sides` (height, width) at every pixel; the far edge repeated.

    If `linear`, the light of it.
    """
    height, width, channels = image.shape
    padded = np.pad(image, ((0, sides[0] - 1), (0, sides[1] - 1), (0, 0)), "edge")
    blocks = np.array(
        [
            [padded[y : y + sides[0], x : x + sides[1]].reshape(-1, channels) for x in range(width)]
            for y in range(height)
        ]
    )  # (H, W, n, C)
    if method == "s3pool":
        return to_light(blocks.max(2)) if linear else blocks.max(2)
    p = {**DEFAULTS["dpp"], **parameters}
    means = blocks.mean(2)
    guide = smooth(means) if p["guidance"] == "gaussian" else means
    m = blocks - guide[:, :, None]
    u = (np.maximum(m, 0) if p["variant"] == "asym" else m) ** 2
    variance = np.broadcast_to(p["noise"], channels) ** 2
    u = np.maximum(u - 6 * variance, 0) + variance + p["epsilon"] ** 2
    if p["normalize"] == "mean":
        u = u / u.mean(2, keepdims=True)
    weights = p["alpha"] + u ** (p["lambda_"] / 2)
    return (weights * (to_light(blocks) if linear else blocks)).sum(2) / weights.sum(2)


def spatial(image: np.ndarray, size: tuple[int, int], method: str, form: str, **parameters) -> np.ndarray:
    """The mean of `dense` over every window; `form` is "expected"."""
    sides = image.shape[0] // size[1], image.shape[1] // size[0]
    everywhere = dense(image, sides, method, **parameters)
    averages = everywhere.reshape(size[1], sides[0], size[0], sides[1], -1).mean((1, 3))
    return from_light(averages) if parameters.get("linear") else averages


_COMMON = {"lambda_": 1.0, "alpha": 0.0, "variant": "sym", "normalize": "none", "noise": 0.0}
DEFAULTS = {
    "dpid": {**_COMMON, "joint": True, "epsilon": 0.0, "guidance": "gaussian"},
    "dpp": {**_COMMON, "joint": False, "epsilon": 1e-3**0.5, "guidance": "box"},
}
# Methods that need no parameter, and those that make the others follow from the image alone.
PLAIN = {name: {} for name in (*RULES, "subsample", "spectral")} | {"stochastic": {"form": "expected"}}


def downscale(image: np.ndarray, size: tuple[int, int], method: str, **parameters) -> np.ndarray:
    """Exact result for an image of any dtype that the library takes, (H, W[, C]), as intensities."""
    unit = {"uint8": 255, "uint16": 65535}.get(image.dtype.name, 1)
    intensities = np.atleast_3d(image).astype(np.float64) / unit
    if method in RULES:
        out = pool(intensities, size, method, **parameters)
    elif method in ("subsample", "spectral"):
        out = {"subsample": subsample, "spectral": spectral}[method](intensities, size, **parameters)
        out = np.clip(out, 0, 1) if unit > 1 else out
    elif method in ("s3pool", "s3dpp"):
        out = spatial(intensities, size, method, **parameters)
    else:
        out = detail(intensities, size, **{**DEFAULTS[method], **parameters})
    return out.reshape(size[1], size[0], *image.shape[2:])
