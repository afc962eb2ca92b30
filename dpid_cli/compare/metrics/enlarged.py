"""Compare an input with an output that is enlarged to its size by bilinear interpolation."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dpid_cli.compare.metrics.planes import RADIUS, Array, around, compared

# Of the scales of MS-SSIM, by Wang, Simoncelli and Bovik 2003.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SMALLEST = 2 * RADIUS + 1  # side of an image, in pixels: a window must fit


class Similarity(NamedTuple):
    """Similarity of the input and the enlarged output; None where it is not defined."""

    ssim: float | None
    psnr: float
    ms_ssim: float | None
    flip: float | None


def similarity(source: Array, result: Array) -> Similarity:
    """Compare an output (h, w, C) with its input (H, W, C)."""
    from scipy.ndimage import zoom

    enlarged = np.empty_like(source)
    factors = [large / small for large, small in zip(source.shape, result.shape, strict=True)][:2]
    errors, scores = [], []
    for c in range(source.shape[2]):
        reference = source[..., c]
        zoom(result[..., c], factors, enlarged[..., c], order=1, mode="nearest", grid_mode=True)
        errors.append(np.mean((reference - enlarged[..., c]) ** 2))
        scores.append(_structural(reference, enlarged[..., c]))
    error = float(np.mean(errors))
    psnr = -10 * math.log10(error) if error else math.inf
    ssim, multiscale = (_mean(values) for values in zip(*scores, strict=True))
    return Similarity(ssim, psnr, multiscale, _flip(source, enlarged))


def _mean(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _structural(a: Array, b: Array) -> tuple[float | None, float | None]:
    """SSIM and MS-SSIM of two planes; None if they are too small."""
    if min(a.shape) < _SMALLEST:
        return None, None
    inner = np.s_[RADIUS:-RADIUS, RADIUS:-RADIUS]  # where windows lie inside

    def factors(a: Array, b: Array) -> tuple[float, float]:
        means, squares = (around(a), around(b)), (around(a * a), around(b * b))
        light, structure = compared(means, squares, around(a * b))
        return float(np.mean((light * structure)[inner])), float(np.mean(structure[inner]))

    ssim, structure = factors(a, b)
    if min(a.shape) < _SMALLEST * 2 ** (len(_WEIGHTS) - 1):
        return ssim, None
    product = max(structure, 0.0) ** _WEIGHTS[0]
    for weight in _WEIGHTS[1:]:
        a, b = _halved(a), _halved(b)
        coarsest, structure = factors(a, b)
        is_last = weight == _WEIGHTS[-1]  # where lightness counts, too
        product *= max(coarsest if is_last else structure, 0.0) ** weight
    return ssim, product


def _halved(plane: Array) -> Array:
    """Means of 2 x 2 pixels, without what is left over."""
    height, width = (side // 2 * 2 for side in plane.shape)
    halved: Array = plane[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return halved


def _flip(a: Array, b: Array) -> float | None:
    """Mean FLIP (Andersson et al. 2020); None unless flip-evaluator is installed, which is an extra."""
    try:
        from flip_evaluator import evaluate
    except ImportError:
        return None
    colours = [np.ascontiguousarray(np.broadcast_to(x, (*x.shape[:2], 3)), np.float32) for x in (a, b)]
    return float(evaluate(*colours, "LDR", applyMagma=False)[1])
