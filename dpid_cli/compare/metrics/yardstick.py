"""The numbers of an output, measured against its input and against the input box-filtered to its size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.compare.metrics.enlarged import similarity
from dpid_cli.compare.metrics.planes import Array, area_means, around, compared, lightness

BLOCK = 8  # side of the blocks in which noise is measured, in pixels of the output
FLATTEST = 0.1  # share of the blocks, or of the windows, that count as flat
_CONSTANT = 1e-10  # a variance up to which a window is constant, but for rounding

Bounds = tuple[int, int, int, int]  # left, top, right and bottom, the latter two excluded


@dataclass(frozen=True)
class PlainNumbers:
    """What most people want to know of an output, everywhere or at one place.

    Attributes
    ----------
    detail_kept : float or None
        How much of the local contrast of the input the output has: 1 for all of it, more if it exaggerates.
        The square root of the ratio of variances of the lightness, each averaged over Gaussian windows (sigma
        1.5 pixels of the output, 11 by 11 of them), less that in the flattest windows of the image, which is
        noise. In windows of the input, all of its pixels count. None where these are flat.
    noise_added : float
        Standard deviation of the lightness in the flattest windows (root mean square), less that of the
        box-filtered input there. Below 0 if the output is smoother than box. The flattest are the tenth that
        varies least in the input, without constant ones, which are clipped or drawn.
    likeness : float
        SSIM of the input and of the output with every pixel as large as its window, in the same Gaussian
        windows; mean of the channels. 1 for equal images.
    """

    detail_kept: float | None
    noise_added: float
    likeness: float


@dataclass(frozen=True)
class Numbers:
    """The measurements of one output; None where a number is not defined.

    Attributes
    ----------
    detail_kept, noise_added, likeness
        Those of `PlainNumbers`, for the whole image.
    ssim, psnr, ms_ssim, flip : float or None
        Similarity of the output, enlarged to the size of the input by bilinear interpolation, to the input,
        over all channels. SSIM after Wang et al. 2004, with a Gaussian window of sigma 1.5, needs 11 pixels
        on both sides, MS-SSIM after Wang et al. 2003 needs 176. PSNR in dB is infinite for equal images. FLIP
        after Andersson et al. 2020 is 0 for equal images, and needs the package flip-evaluator. All are None
        if only plain numbers were requested.
    contrast : float
        RMS contrast: the standard deviation of the lightness.
    gradient : float
        Gradient energy: the mean squared difference between horizontal neighbours plus that between vertical
        neighbours.
    contrast_to_box, gradient_to_box, contrast_to_input, gradient_to_input : float
        Ratios to the same number of the box-filtered input and of the input.
    noise : float
        Standard deviation of the lightness within the flattest blocks.
    noise_gain : float
        Ratio of the noise to that of the box-filtered input.
    seconds, megapixels_per_second : float or None
        Time of downscaling alone, and megapixels of the input per second; None if it was not timed.
    """

    detail_kept: float | None
    noise_added: float
    likeness: float
    ssim: float | None
    psnr: float | None
    ms_ssim: float | None
    flip: float | None
    contrast: float
    contrast_to_box: float
    contrast_to_input: float
    gradient: float
    gradient_to_box: float
    gradient_to_input: float
    noise: float
    noise_gain: float
    seconds: float | None = None
    megapixels_per_second: float | None = None


def ratio(value: float, reference: float) -> float:
    """``value / reference``; 1 if both are 0, infinite if only the reference is 0."""
    if reference == 0:
        return 1.0 if value == 0 else math.inf
    return value / reference


def rms_contrast(plane: Array) -> float:
    """Standard deviation of a plane (H, W); exactly 0 if it is constant."""
    return float(plane.std()) if np.ptp(plane) else 0.0


def gradient_energy(plane: Array) -> float:
    """Mean squared difference between horizontal neighbours plus that between vertical ones."""
    steps = [np.diff(plane, axis=axis) for axis in (0, 1)]
    return float(sum(np.mean(step**2) for step in steps if step.size))


def block_edges(length: int) -> NDArray[np.int64]:
    """Borders of the whole blocks along one side; a side shorter than a block is one block."""
    count = max(1, length // BLOCK)
    return np.arange(count + 1) * BLOCK if length >= BLOCK else np.array([0, length])


def block_deviations(plane: Array, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
    """Standard deviation within each block of a plane; exactly 0 in constant blocks."""
    part = plane[: rows[-1], : columns[-1]]
    heights, widths = np.diff(rows), np.diff(columns)

    def over(function: Any, values: Array) -> Array:
        inside = function.reduceat(values, rows[:-1], axis=0)
        reduced: Array = function.reduceat(inside, columns[:-1], axis=1)
        return reduced

    counts = np.outer(heights, widths)
    means = over(np.add, part) / counts
    spread = np.repeat(np.repeat(means, heights, axis=0), widths, axis=1)
    deviations: Array = np.sqrt(over(np.add, (part - spread) ** 2) / counts)
    flat = over(np.maximum, part) == over(np.minimum, part)
    return np.where(flat, 0.0, deviations)


class Yardstick:
    """Measures the outputs of an input, against the input and against the input box-filtered to their size.

    The input `source` (H, W, C), `box` (h, w, C) and the outputs are float64 in [0, 1].
    """

    def __init__(self, source: Array, box: Array) -> None:
        self.source, self.megapixels = source, source.shape[0] * source.shape[1] / 1e6
        plane, shape = lightness(source), (box.shape[0], box.shape[1])
        self.blocks = block_edges(shape[0]), block_edges(shape[1])
        self.flat = self._flattest(plane, *shape)
        self.of_source = self._contrasts(plane)
        self.of_box = *self._contrasts(lightness(box)), self._noise(lightness(box))
        # Of each channel, its means in the windows, and then means of it and its square around each pixel.
        self.channels = [_around_windows(source[..., c], shape) for c in range(source.shape[2])]
        _, mean, square = _around_windows(plane, shape)
        self.variance, self.variance_of_box = np.maximum(square - mean**2, 0), _variance(lightness(box))

    @staticmethod
    def _contrasts(plane: Array) -> tuple[float, float]:
        return rms_contrast(plane), gradient_energy(plane)

    def _flattest(self, plane: Array, height: int, width: int) -> NDArray[np.bool_]:
        """Which blocks are flat in the input: the tenth that varies least.

        Constant blocks are clipped or drawn and say nothing about noise; they count only if all blocks are
        constant.
        """
        rows = self.blocks[0] * plane.shape[0] // height
        columns = self.blocks[1] * plane.shape[1] // width
        return _least(block_deviations(plane, rows, columns), 0)

    def _noise(self, plane: Array) -> float:
        deviations = block_deviations(plane, *self.blocks)[self.flat]
        return float(np.sqrt(np.mean(deviations**2)))

    def measure(self, result: Array, seconds: float | None = None, thorough: bool = True) -> Numbers:
        """Measure an output (h, w, C) that took `seconds` to compute; unless `thorough`, not enlarged."""
        plane = lightness(result)
        (contrast, gradient), noise = self._contrasts(plane), self._noise(plane)
        (plain,) = self.places(result, [(0, 0, plane.shape[1], plane.shape[0])])
        like = similarity(self.source, result) if thorough else None
        return Numbers(
            detail_kept=plain.detail_kept,
            noise_added=plain.noise_added,
            likeness=plain.likeness,
            ssim=like.ssim if like else None,
            psnr=like.psnr if like else None,
            ms_ssim=like.ms_ssim if like else None,
            flip=like.flip if like else None,
            contrast=contrast,
            contrast_to_box=ratio(contrast, self.of_box[0]),
            contrast_to_input=ratio(contrast, self.of_source[0]),
            gradient=gradient,
            gradient_to_box=ratio(gradient, self.of_box[1]),
            gradient_to_input=ratio(gradient, self.of_source[1]),
            noise=noise,
            noise_gain=ratio(noise, self.of_box[2]),
            seconds=seconds,
            megapixels_per_second=None if not seconds else self.megapixels / seconds,
        )

    def places(self, result: Array, places: Iterable[Bounds]) -> tuple[PlainNumbers, ...]:
        """The plain numbers of an output (h, w, C) at places: left, top, right and bottom in its pixels."""
        variance, alike = _variance(lightness(result)), self._likeness(result)
        everywhere = _least(self.variance, _CONSTANT)
        noise_of_input, noise = self.variance[everywhere].mean(), variance[everywhere].mean()
        numbers = []
        for left, top, right, bottom in places:
            part = np.s_[top:bottom, left:right]
            detail_of_input = float(self.variance[part].mean() - noise_of_input)
            detail = max(0.0, float(variance[part].mean() - noise))
            flat = _least(self.variance[part], _CONSTANT)
            before, after = (float(v[part][flat].mean()) ** 0.5 for v in (self.variance_of_box, variance))
            numbers.append(
                PlainNumbers(
                    math.sqrt(detail / detail_of_input) if detail_of_input > _CONSTANT else None,
                    after - before,
                    float(alike[part].mean()),
                )
            )
        return tuple(numbers)

    def _likeness(self, result: Array) -> Array:
        """Local likeness of an output: a map (h, w)."""
        maps = []
        for c, (windows, mean, square) in enumerate(self.channels):
            plane = result[..., c]
            means, squares = (mean, around(plane)), (square, around(plane**2))
            light, structure = compared(means, squares, around(windows * plane))
            maps.append(light * structure)
        alike: Array = np.mean(maps, axis=0)
        return alike


def _around_windows(plane: Array, shape: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Means of an input's plane in windows, and means of it and of its square around each output pixel."""
    windows = area_means(plane, shape)
    return windows, around(windows), around(area_means(plane**2, shape))


def _variance(plane: Array) -> Array:
    """Variance around each pixel of an output."""
    variance: Array = np.maximum(around(plane**2) - around(plane) ** 2, 0)
    return variance


def _least(values: Array, limit: float) -> NDArray[np.bool_]:
    """Where values are the least: a tenth of those above a limit, or all if none is."""
    varying = np.sort(values[values > limit])
    if not varying.size:
        return np.ones(values.shape, bool)
    chosen: NDArray[np.bool_] = (values > limit) & (values <= varying[math.ceil(FLATTEST * varying.size) - 1])
    return chosen
