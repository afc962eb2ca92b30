"""Measure an output against its input and against the box filter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALLEST_SIDE = 11  # of an input, in pixels: the window of SSIM must fit
BLOCK = 8  # side of the blocks in which noise is measured, in pixels of the output
FLATTEST = 0.1  # share of the blocks that count as flat
_LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709


@dataclass(frozen=True)
class Numbers:
    """The measurements of one output; None where a number is not defined.

    Attributes
    ----------
    ssim, psnr : float or None
        Similarity of the output, enlarged to the size of the input by bilinear interpolation, to the input,
        over all channels. SSIM after Wang et al. 2004, with a Gaussian window of sigma 1.5, needs 11 pixels
        on both sides; PSNR in dB is infinite for equal images.
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

    ssim: float | None
    psnr: float
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


def lightness(values: Array) -> Array:
    """The luma (H, W) of intensities (H, W, C), C 1 or 3."""
    plane: Array = values[..., 0] if values.shape[2] == 1 else values @ _LUMA
    return plane


def rms_contrast(plane: Array) -> float:
    """Standard deviation of a plane (H, W); exactly 0 if it is constant."""
    return float(plane.std()) if np.ptp(plane) else 0.0


def gradient_energy(plane: Array) -> float:
    """Mean squared difference between horizontal neighbours plus that between vertical ones."""
    steps = [np.diff(plane, axis=axis) for axis in (0, 1)]
    return float(sum(np.mean(step**2) for step in steps if step.size))


def similarity(reference: Array, plane: Array) -> float | None:
    """SSIM of two planes (H, W) in [0, 1]; None if they are too small."""
    from skimage.metrics import structural_similarity

    if min(reference.shape) < SMALLEST_SIDE:
        return None
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(reference, plane, data_range=1, **options))


def likeness(source: Array, result: Array) -> tuple[float | None, float]:
    """SSIM and PSNR in dB of an output (h, w, C), enlarged to the size of its input (H, W, C)."""
    from skimage.transform import resize

    similarities, errors = [], []
    for c in range(source.shape[2]):  # one by one, because SSIM takes ten times the memory of its arguments
        reference = source[..., c]
        enlarged: Array = resize(result[..., c], reference.shape, order=1, mode="edge", anti_aliasing=False)
        similarities.append(similarity(reference, enlarged))
        errors.append(np.mean((reference - enlarged) ** 2))
    known = [value for value in similarities if value is not None]
    error = float(np.mean(errors))
    return float(np.mean(known)) if known else None, -10 * math.log10(error) if error else math.inf


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
        self.blocks = block_edges(box.shape[0]), block_edges(box.shape[1])
        self.flat = self._flattest(lightness(source), box.shape[0], box.shape[1])
        self.of_source = self._plain(lightness(source))
        self.of_box = *self._plain(lightness(box)), self._noise(lightness(box))

    @staticmethod
    def _plain(plane: Array) -> tuple[float, float]:
        return rms_contrast(plane), gradient_energy(plane)

    def _flattest(self, plane: Array, height: int, width: int) -> NDArray[np.bool_]:
        """Which blocks are flat in the input: the tenth that varies least.

        Constant blocks are clipped or drawn and say nothing about noise; they count only if all blocks are
        constant.
        """
        rows = self.blocks[0] * plane.shape[0] // height
        columns = self.blocks[1] * plane.shape[1] // width
        deviations = block_deviations(plane, rows, columns)
        if not deviations.any():
            return np.ones(deviations.shape, bool)
        varying = np.sort(deviations[deviations > 0])
        limit = varying[math.ceil(FLATTEST * varying.size) - 1]
        chosen: NDArray[np.bool_] = (deviations > 0) & (deviations <= limit)
        return chosen

    def _noise(self, plane: Array) -> float:
        deviations = block_deviations(plane, *self.blocks)[self.flat]
        return float(np.sqrt(np.mean(deviations**2)))

    def measure(self, result: Array, seconds: float | None = None) -> Numbers:
        """Measure an output (h, w, C) that took `seconds` to compute."""
        plane = lightness(result)
        (contrast, gradient), noise = self._plain(plane), self._noise(plane)
        ssim, psnr = likeness(self.source, result)
        return Numbers(
            ssim=ssim,
            psnr=psnr,
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
