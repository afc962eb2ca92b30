"""Gradients of DPID and DPP with respect to pixels, guidance, alpha and lambda, in float64.

With upstream g, the output ``O = sum(c w I) / S``, ``w = alpha + r**e``, ``e = lambda / 2``, ``r = u / N``,
``u = max(m**2 + offset, floor)``, ``S = sum(c w)``, and ``A = sum over channels of g c (I - O) / S``, the
gradient with respect to w (one channel at a time in DPP, all channels if they share one distance)::

    dL/dalpha  = sum(A)
    dL/dlambda = sum(A r**e ln(r)) / 2
    dL/dI      = g c w / S + 2 s m          (G held)
    dL/dG      = -sum(2 s m)
    s          = (d - k sum(d r)) / N,      d = A e r**(e - 1)

where k is 0 for N = 1, and c / sum(c) if N is the mean of u: means are weighted by coverage. If u is 0, d is
taken as 0, and s if u is at a floor above the offset, which is there for noise only; if all weights are 0, O
is G.
"""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.flags import helper
from dpid_cli.kernels.jit import kernel
from dpid_cli.kernels.tiles import begin_of, coverage


@helper
def gather(pixels, ys, xs, row, column, values, covers):
    """Copy one window's pixels, (n, C), and their coverages; returns n."""
    channels = values.shape[1]
    n = 0
    for y in range(begin_of(ys, row), ys.first[row + 1]):
        for x in range(begin_of(xs, column), xs.first[column + 1]):
            covers[n] = coverage(ys, row, y) * coverage(xs, column, x)
            for j in range(channels):
                values[n, j] = pixels[y, channels * x + j]
            n += 1
    return n


@helper
def scatter(gradient, ys, xs, row, column, values):
    """The adjoint of `gather`: add each pixel's value."""
    channels = values.shape[1]
    n = 0
    for y in range(begin_of(ys, row), ys.first[row + 1]):
        for x in range(begin_of(xs, column), xs.first[column + 1]):
            for j in range(channels):
                gradient[y, channels * x + j] += values[n, j]
            n += 1


@helper
def rewarded(difference, asymmetric):
    """m: the difference I - G, or its positive part."""
    return max(difference, 0.0) if asymmetric > 0 else difference


@helper
def square(values, guide, asymmetric):
    """m**2 of one pixel, over the D channels."""
    total = 0.0
    for j in range(len(values)):
        total += rewarded(values[j] - guide[j], asymmetric) ** 2
    return total


@helper
def weigh(values, covers, guide, exponent, offset, floor, alpha, asymmetric, normalised, ratio, power):
    """Fill r and r**e of each pixel of a window, (n, D); returns sum(c), 1 / N, S and the unit of r**e.

    Without alpha, only ratios of r count. They are then relative to the largest u, so that they do not
    underflow, and the unit is not 1.
    """
    n = len(values)
    area = mean = largest = 0.0
    for q in range(n):
        u = max(square(values[q], guide, asymmetric) + offset, floor)
        ratio[q] = u
        area += covers[q]
        mean += covers[q] * u
        largest = max(largest, u)
    asked = mean / area if normalised > 0 else 1.0
    scale = largest if alpha == 0 else asked
    factor = 1 / scale if scale > 0 else 0.0
    unit = (scale / asked) ** exponent if scale > 0 else 1.0
    total = 0.0
    for q in range(n):
        ratio[q] *= factor
        power[q] = ratio[q] ** exponent
        total += covers[q] * (alpha + power[q])
    return area, factor, total, unit


@helper
def mean_around(values, covers, guide, alpha, power, total, out):
    """Fill in O for the D channels."""
    n, channels = values.shape
    for j in range(channels):
        excess = 0.0
        for q in range(n):
            excess += covers[q] * (alpha + power[q]) * (values[q, j] - guide[j])
        out[j] = guide[j] + excess / total


@helper
def add_window(
    values, covers, guide, upstream, exponent, offset, floor, alpha, asymmetric, normalised, work,
    guide_gradient,
):  # fmt: skip
    """Replace the pixels of one window, (n, D), by their gradients; returns those of lambda and alpha.

    The D channels share one distance.
    """
    n, channels = values.shape
    ratio, power, out = work[0], work[1], work[2]
    area, factor, total, unit = weigh(
        values, covers, guide, exponent, offset, floor, alpha, asymmetric, normalised, ratio, power
    )
    if total == 0:
        for j in range(channels):
            guide_gradient[j] += upstream[j]
            for q in range(n):
                values[q, j] = 0.0
        return 0.0, 0.0
    mean_around(values, covers, guide, alpha, power, total, out)
    of_lambda = of_alpha = of_mean = 0.0
    for q in range(n):
        of_weight = 0.0
        for j in range(channels):
            of_weight += upstream[j] * covers[q] * (values[q, j] - out[j]) / total
        of_alpha += of_weight / unit
        slope = 0.0
        if ratio[q] > 0:
            of_lambda += of_weight * power[q] * np.log(ratio[q]) / 2
            slope = of_weight * exponent * power[q] / ratio[q]
        if normalised > 0 and alpha > 0:
            of_mean += slope * ratio[q]
        ratio[q] = slope
    for q in range(n):
        slope = 2 * factor * (ratio[q] - covers[q] / area * of_mean)
        if floor > offset and square(values[q], guide, asymmetric) + offset <= floor:
            slope = 0.0
        for j in range(channels):
            moved = slope * rewarded(values[q, j] - guide[j], asymmetric)
            values[q, j] = upstream[j] * covers[q] * (alpha + power[q]) / total + moved
            guide_gradient[j] -= moved
    return of_lambda, of_alpha


@kernel()
def window_gradients(
    pixels, ys, xs, guide, upstream, exponent, offset, floor, alpha, joint, asymmetric, normalised,
    values, covers, work, image_gradient, guide_gradient, parameter_gradients,
):  # fmt: skip
    """Add the gradients of all windows, with the guidance held constant.

    Parameters
    ----------
    pixels : (H, W * C) float64 ndarray
        Intensities.
    ys, xs : Axis
    guide, upstream : (h, C, w) float64 ndarray
        Guidance, and the derivatives of the loss with respect to the output.
    exponent : float
        lambda / 2.
    offset, floor : tuple of four floats
        As in `rewards.Reward`.
    alpha : float
    joint, asymmetric, normalised : int
        0 or 1.
    values, covers, work : (n, C), (n,) and (3, n) float64 ndarray
        Working memory for the n pixels of the largest window; at least C columns of `work`.
    image_gradient : (H, W * C) float64 ndarray
    guide_gradient : (h, C, w) float64 ndarray
    parameter_gradients : (2,) float64 ndarray
        Of lambda and alpha. All three are added to.
    """
    rows, channels, columns = guide.shape
    together = channels if joint > 0 else 1
    for row in range(rows):
        for i in range(columns):
            n = gather(pixels, ys, xs, row, i, values, covers)
            for j in range(0, channels, together):
                part = slice(j, j + together)
                of_lambda, of_alpha = add_window(
                    values[:n, part], covers, guide[row, part, i], upstream[row, part, i],
                    exponent, offset[j], floor[j], alpha, asymmetric, normalised, work,
                    guide_gradient[row, part, i],
                )  # fmt: skip
                parameter_gradients[0] += of_lambda
                parameter_gradients[1] += of_alpha
            scatter(image_gradient, ys, xs, row, i, values)


@kernel()
def box_adjoint(means_gradient, ys, xs, image_gradient):
    """Add the gradient of the box means, (h, C, w), to `image_gradient`, (H, W * C)."""
    rows, channels, columns = means_gradient.shape
    area = ys.first[-1] / (len(ys.first) - 1) * (xs.first[-1] / (len(xs.first) - 1))
    for row in range(rows):
        for y in range(begin_of(ys, row), ys.first[row + 1]):
            vertical = coverage(ys, row, y) / area
            for i in range(columns):
                for x in range(begin_of(xs, i), xs.first[i + 1]):
                    share = vertical * coverage(xs, i, x)
                    for j in range(channels):
                        image_gradient[y, channels * x + j] += share * means_gradient[row, j, i]
