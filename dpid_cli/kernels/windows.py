"""The detail-preserving family: box filter, DPID and DPP, as loops over rows.

The output at a window is ``O = G + sum(c w (I - G)) / sum(c w)``, the mean of the pixels I with coverage c
and weight ``w = alpha + u**(lambda / 2)``, written around the guidance G because the small
differences round less than the values. ``u = m**2 + epsilon**2``, where m is I - G, or what of it is
positive (asymmetric reward); DPID adds m**2 over the channels (Weber et al. 2016), DPP does not
(Saeedan et al. 2018). The box filter is the family at lambda = 0.

A kernel sweeps each source row from left to right and adds into planes as long as a piece of the
row (a tile), which are summed up per window once per output row: the innermost loops
run over contiguous memory and vectorise. All planes lie in one array, `scratch`, at distances known
to the compiler, so that it needs no proof that they do not overlap.

A pixel that a window boundary cuts belongs to two windows with different guidance. Each plane
therefore holds the TILE columns, with the guidance of the window in which they start, and
behind them one straddler per window: the cut pixel before it, with the window's own guidance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dpid_cli.kernels.columns import (
    PLANE,
    TILE,
    copy,
    fold,
    fold_max,
    neighbours,
    spread,
    straddlers_of_sums,
    tile_end,
    window_of,
)
from dpid_cli.kernels.jit import Flag, flag, helper, kernel

GUIDE, SUM, WEIGHT, SCALE = 0, 4 * PLANE, 8 * PLANE, 12 * PLANE
BUFFER = 16 * PLANE
LAST = BUFFER + TILE
SCRATCH = LAST + 4


class Layout(NamedTuple):
    """Flags: the number of channels, and whether the bytes of a pixel are one number."""

    channels: Flag
    packed: Flag


# What a sweep adds up: values (BOX), u and its largest value (RANGE), weights and weighted differences.
BOX, RANGE, DETAIL, SCALED_DETAIL = (flag(value) for value in range(4))
# How u**(lambda / 2) is computed.
ROOT, LINEAR, FAST_POWER, EXACT_POWER = (flag(value) for value in range(4))

# Polynomials fitted at Chebyshev nodes: log2(1 + z) / z on [sqrt(1/2) - 1, sqrt(2) - 1], and 2**f on
# [-1/2, 1/2]. tests/test_power.py holds the errors down.
_L = tuple(
    np.float32(c)
    for c in (
        1.4426949, -0.72135276, 0.48092404, -0.36024198, 0.28707561, -0.24882181, 0.23420985, -0.14620353,
    )
)  # fmt: skip
_E = tuple(np.float32(c) for c in (1.0, 0.69314718, 0.24022107, 0.05550327, 0.009676037, 0.0013400433))
_ONE, _SMALLEST = np.float32(1), np.float32(-126)
_SQRT_HALF = np.int32(0x3F3504F3)
_BYTE, _HALVES, _LOW = np.uint32(0xFF), np.uint32(0xFF00FF), np.uint32(0xFFFF)
_2_23, _BITS_OF_2_23 = np.float32(2**23), np.uint32(0x4B000000)
_EIGHT, _SIXTEEN = np.uint32(8), np.uint32(16)
_MANTISSA_BITS, _BIAS, _HALF_ABOVE_BIAS = np.int32(23), np.int32(127), np.float32(127.5)

# Neither reciprocals nor approximate functions: divisions and square roots stay correctly rounded.
FAST = frozenset({"contract", "nsz", "nnan", "ninf"})


@helper
def fast_power(u, exponent):
    """u**exponent in float32, for 0 <= u and results above 2**-126, by two polynomials."""
    bits = np.float32(u).view(np.int32)
    octave = np.int32((bits - _SQRT_HALF) >> _MANTISSA_BITS)
    z = np.int32(bits - (octave << _MANTISSA_BITS)).view(np.float32) - _ONE
    log = _L[4] + z * (_L[5] + z * (_L[6] + z * _L[7]))
    log = z * (_L[0] + z * (_L[1] + z * (_L[2] + z * (_L[3] + z * log)))) + np.float32(octave)
    power = max(np.float32(exponent) * log, _SMALLEST)
    biased = np.int32(power + _HALF_ABOVE_BIAS)  # positive, so that cutting off rounds down
    f = power - (np.float32(biased) - np.float32(_BIAS))
    mantissa = _E[0] + f * (_E[1] + f * (_E[2] + f * (_E[3] + f * (_E[4] + f * _E[5]))))
    scale = np.int32(biased << _MANTISSA_BITS).view(np.float32)
    return mantissa * scale if u > np.float32(0) else np.float32(0)


@helper
def reward(u, exponent, power):
    """u**exponent, exponent = lambda / 2, in the form that the flag `power` names."""
    if len(power) == 0:
        return math.sqrt(u)  # np.sqrt is unknown on GPUs
    if len(power) == 1:
        return u
    if len(power) == 2:
        return fast_power(u, exponent)
    return u**exponent


@helper
def samples(layout):
    """Numbers a pixel in a row."""
    return 1 if len(layout.packed) == 1 else len(layout.channels)


@helper
def as_float(number):
    """A whole number below 2**23: the last bits of 2**23 + number. Numba would convert in 64 bits."""
    return np.uint32(number | _BITS_OF_2_23).view(np.float32) - _2_23


@helper
def sample(row, k, j, layout):
    """Channel j of pixel k."""
    if len(layout.packed) == 1:
        return as_float((np.uint32(row[k]) >> np.uint32(8 * j)) & _BYTE)
    return row[len(layout.channels) * k + j]


@helper
def differences(row, scratch, k, layout):
    """I - G of pixel k, four numbers of which only the first len(layout.channels) matter."""
    real = scratch.dtype.type
    c = len(layout.channels)
    x0 = real(sample(row, k, 0, layout)) - scratch[GUIDE + k]
    x1 = x2 = x3 = real(0)
    if c > 1:
        x1 = real(sample(row, k, 1, layout)) - scratch[GUIDE + PLANE + k]
    if c > 2:
        x2 = real(sample(row, k, 2, layout)) - scratch[GUIDE + 2 * PLANE + k]
    if c > 3:
        x3 = real(sample(row, k, 3, layout)) - scratch[GUIDE + 3 * PLANE + k]
    return x0, x1, x2, x3


@helper
def distances(x, epsilon2, joint, asymmetric):
    """u of each channel, the same in all of them where the distance is joint."""
    m0, m1, m2, m3 = x
    if len(asymmetric) == 1:
        zero = epsilon2 - epsilon2
        m0, m1, m2, m3 = max(m0, zero), max(m1, zero), max(m2, zero), max(m3, zero)
    if len(joint) == 1:
        u = m0 * m0 + m1 * m1 + m2 * m2 + m3 * m3 + epsilon2
        return u, u, u, u
    return m0 * m0 + epsilon2, m1 * m1 + epsilon2, m2 * m2 + epsilon2, m3 * m3 + epsilon2


@helper
def add_box(row, scratch, n, cover, layout):
    """Add the values of n pixels of one row to the planes SUM."""
    real = scratch.dtype.type
    c = len(layout.channels)
    for k in range(n):
        v0 = real(sample(row, k, 0, layout))
        scratch[SUM + k] += cover * v0
        if c > 1:
            v1 = real(sample(row, k, 1, layout))
            scratch[SUM + PLANE + k] += cover * v1
        if c > 2:
            v2 = real(sample(row, k, 2, layout))
            scratch[SUM + 2 * PLANE + k] += cover * v2
        if c > 3:
            v3 = real(sample(row, k, 3, layout))
            scratch[SUM + 3 * PLANE + k] += cover * v3


@helper
def channels_of(row, k):
    """Pixel k in two numbers of two channels each, in their lower and upper halves."""
    pixel = np.uint32(row[k])
    return pixel & _HALVES, (pixel >> _EIGHT) & _HALVES


@helper
def sum_of_rows(rows, scratch, k, layout):
    """The sums of pixel k over a tuple of two or four rows, four numbers of which only the first C matter."""
    real = scratch.dtype.type
    c = len(layout.channels)
    if len(layout.packed) == 1:
        even, odd = channels_of(rows[0], k)
        for row in rows[1:]:
            e, o = channels_of(row, k)
            even, odd = np.uint32(even + e), np.uint32(odd + o)
        v0, v2 = real(as_float(even & _LOW)), real(as_float(even >> _SIXTEEN))
        return v0, real(as_float(odd & _LOW)), v2, real(as_float(odd >> _SIXTEEN))
    v0 = v1 = v2 = v3 = real(0)
    for row in rows:
        v0 += real(row[c * k])
        if c > 1:
            v1 += real(row[c * k + 1])
        if c > 2:
            v2 += real(row[c * k + 2])
        if c > 3:
            v3 += real(row[c * k + 3])
    return v0, v1, v2, v3


@helper
def add_box_of_rows(rows, scratch, n, layout):
    """`add_box` for two or four whole rows at once, which spares traffic of the planes."""
    c = len(layout.channels)
    for k in range(n):
        v0, v1, v2, v3 = sum_of_rows(rows, scratch, k, layout)
        scratch[SUM + k] += v0
        if c > 1:
            scratch[SUM + PLANE + k] += v1
        if c > 2:
            scratch[SUM + 2 * PLANE + k] += v2
        if c > 3:
            scratch[SUM + 3 * PLANE + k] += v3


@helper
def add_box_rows(pixels, ys, row, tile, scratch, layout):
    """Add all source rows of one output row to the planes SUM."""
    one = scratch.dtype.type(1)
    c0, n = samples(layout) * tile[2], tile[3] - tile[2]
    y, stop = ys.first[row] - (1 if ys.head[row] > 0 else 0), ys.first[row + 1]
    whole = stop if coverage(ys, row, stop - 1, one) == one else stop - 1
    while y < stop:
        line = pixels[y][c0:]
        if coverage(ys, row, y, one) < one or y + 1 >= whole:
            add_box(line, scratch, n, coverage(ys, row, y, one), layout)
            y += 1
        elif y + 3 >= whole:
            add_box_of_rows((line, pixels[y + 1][c0:]), scratch, n, layout)
            y += 2
        else:
            rows = (line, pixels[y + 1][c0:], pixels[y + 2][c0:], pixels[y + 3][c0:])
            add_box_of_rows(rows, scratch, n, layout)
            y += 4


@helper
def add_range(row, scratch, n, cover, epsilon2, layout, joint, asymmetric):
    """Add u of n pixels to the planes SUM, and keep the largest in the planes WEIGHT."""
    planes = 1 if len(joint) == 1 else len(layout.channels)
    for k in range(n):
        x = differences(row, scratch, k, layout)
        u0, u1, u2, u3 = distances(x, epsilon2, joint, asymmetric)
        scratch[SUM + k] += cover * u0
        scratch[WEIGHT + k] = max(scratch[WEIGHT + k], u0)
        if planes > 1:
            scratch[SUM + PLANE + k] += cover * u1
            scratch[WEIGHT + PLANE + k] = max(scratch[WEIGHT + PLANE + k], u1)
        if planes > 2:
            scratch[SUM + 2 * PLANE + k] += cover * u2
            scratch[WEIGHT + 2 * PLANE + k] = max(scratch[WEIGHT + 2 * PLANE + k], u2)
        if planes > 3:
            scratch[SUM + 3 * PLANE + k] += cover * u3
            scratch[WEIGHT + 3 * PLANE + k] = max(scratch[WEIGHT + 3 * PLANE + k], u3)


@helper
def scaled(u, scratch, k, joint):
    """u divided by its window's largest value.

    A straddler that its window does not reach may exceed that; its coverage is 0, but not infinity times 0.
    """
    one = scratch.dtype.type(1)
    u0 = min(u[0] * scratch[SCALE + k], one)
    if len(joint) == 1:
        return u0, u0, u0, u0
    u1 = min(u[1] * scratch[SCALE + PLANE + k], one)
    u2 = min(u[2] * scratch[SCALE + 2 * PLANE + k], one)
    return u0, u1, u2, min(u[3] * scratch[SCALE + 3 * PLANE + k], one)


@helper
def weighed(row, scratch, k, cover, exponent, epsilon2, task, layout, joint, asymmetric, power):
    """Weights and weighted differences of pixel k, four numbers each of which only the first C matter."""
    x = differences(row, scratch, k, layout)
    u = distances(x, epsilon2, joint, asymmetric)
    if len(task) == 3:
        u = scaled(u, scratch, k, joint)
    return weights_and_products(x, u, cover, exponent, layout, joint, power)


@helper
def weights_and_products(x, u, cover, exponent, layout, joint, power):
    """f = cover * reward(u) and f * x of one pixel, four numbers each of which only the first C matter."""
    c = len(layout.channels)
    f0 = cover * reward(u[0], exponent, power)
    f1 = f2 = f3 = f0
    if len(joint) == 0:
        if c > 1:
            f1 = cover * reward(u[1], exponent, power)
        if c > 2:
            f2 = cover * reward(u[2], exponent, power)
        if c > 3:
            f3 = cover * reward(u[3], exponent, power)
    return (f0, f1, f2, f3), (f0 * x[0], f1 * x[1], f2 * x[2], f3 * x[3])


@helper
def add_detail(
    row, other, scratch, n, cover, other_cover, exponent, epsilon2,
    task, layout, joint, asymmetric, power, two,
):  # fmt: skip
    """Add the weights and the weighted differences of n pixels to the planes WEIGHT and SUM.

    Where `two`, the pixels of the `other` row too, which spares half of the traffic of the planes.
    """
    c = len(layout.channels)
    planes = 1 if len(joint) == 1 else c
    for k in range(n):
        f, e = weighed(row, scratch, k, cover, exponent, epsilon2, task, layout, joint, asymmetric, power)
        if len(two) == 1:
            g, d = weighed(
                other, scratch, k, other_cover, exponent, epsilon2, task, layout, joint, asymmetric, power
            )
            f = f[0] + g[0], f[1] + g[1], f[2] + g[2], f[3] + g[3]
            e = e[0] + d[0], e[1] + d[1], e[2] + d[2], e[3] + d[3]
        scratch[WEIGHT + k] += f[0]
        scratch[SUM + k] += e[0]
        if c > 1:
            scratch[SUM + PLANE + k] += e[1]
        if planes > 1:
            scratch[WEIGHT + PLANE + k] += f[1]
        if c > 2:
            scratch[SUM + 2 * PLANE + k] += e[2]
        if planes > 2:
            scratch[WEIGHT + 2 * PLANE + k] += f[2]
        if c > 3:
            scratch[SUM + 3 * PLANE + k] += e[3]
        if planes > 3:
            scratch[WEIGHT + 3 * PLANE + k] += f[3]


@helper
def add_range_rows(pixels, ys, row, xs, tile, m, epsilon2, layout, joint, asymmetric, scratch, straddlers):
    """Add all source rows of one output row to the planes of RANGE, straddlers too."""
    i0, i1, c0, c1 = tile
    one = scratch.dtype.type(1)
    for y in range(ys.first[row] - (1 if ys.head[row] > 0 else 0), ys.first[row + 1]):
        cover = coverage(ys, row, y, one)
        line = pixels[y][samples(layout) * c0 :]
        add_range(line, scratch, c1 - c0, cover, epsilon2, layout, joint, asymmetric)
        if m > 0:
            gather(pixels[y], straddlers, xs, i0, i1, layout)
            add_range(straddlers, scratch[TILE:], m, cover, epsilon2, layout, joint, asymmetric)


@helper
def add_detail_rows(
    pixels, ys, row, xs, tile, m, exponent, epsilon2,
    task, layout, joint, asymmetric, power, scratch, straddlers,
):  # fmt: skip
    """Add all source rows of one output row to the planes of DETAIL, two at a time, straddlers too."""
    i0, i1, c0, c1 = tile
    one = scratch.dtype.type(1)
    y, stop = ys.first[row] - (1 if ys.head[row] > 0 else 0), ys.first[row + 1]
    others = straddlers[len(straddlers) // 2 :]
    while y < stop:
        z = min(y + 1, stop - 1)
        cover = coverage(ys, row, y, one)
        other_cover = coverage(ys, row, z, one) if z > y else one - one
        line, other = pixels[y][samples(layout) * c0 :], pixels[z][samples(layout) * c0 :]
        if z > y:
            add_detail(
                line, other, scratch, c1 - c0, cover, other_cover, exponent, epsilon2,
                task, layout, joint, asymmetric, power, (None,),
            )  # fmt: skip
        else:
            add_detail(
                line, other, scratch, c1 - c0, cover, other_cover, exponent, epsilon2,
                task, layout, joint, asymmetric, power, (),
            )  # fmt: skip
        if m > 0:
            gather(pixels[y], straddlers, xs, i0, i1, layout)
            gather(pixels[z], others, xs, i0, i1, layout)
            add_detail(
                straddlers, others, scratch[TILE:], m, cover, other_cover, exponent, epsilon2,
                task, layout, joint, asymmetric, power, (None,),
            )  # fmt: skip
        y = z + 1


@helper
def clear(scratch, plane, count, n, m):
    """Zero the n columns and m straddlers of `count` planes."""
    for p in range(count):
        scratch[plane + p * PLANE :][:n] = 0
        scratch[plane + p * PLANE + TILE :][:m] = 0


@helper
def gather(row, straddlers, xs, i0, i1, layout):
    """Copy the pixel before each of the windows i0 .. i1-1 next to each other."""
    c = samples(layout)
    for j in range(c):  # before the first window of all lies nothing: any pixel will do
        straddlers[j] = row[c * max(xs.first[i0] - 1, 0) + j]
    start = i0 + 1
    if len(xs.run) == 0:
        for i in range(start, i1):
            for j in range(c):
                straddlers[c * (i - i0) + j] = row[c * (xs.first[i] - 1) + j]
        return
    while start < i1:
        stop = neighbours(xs, start, i1)
        copy(straddlers[c * (start - i0) :], row[c * (xs.first[start] - 1) :], c * (stop - start))
        start = stop


@helper
def coverage(ys, row, y, one):
    """How much of source row y belongs to the output row."""
    if y < ys.first[row]:
        return ys.head[row]
    if y == ys.first[row + 1] - 1:
        return one - ys.head[row + 1]
    return one


@helper
def divide(line, divisor):
    """Divide all values of a line; by a power of two it is a multiplication, as exact and faster."""
    one = line.dtype.type(1)
    odd = divisor
    while odd > one:
        odd /= one + one
    if odd == one:
        factor = one / divisor
        for i in range(len(line)):
            line[i] *= factor
    else:
        for i in range(len(line)):
            line[i] /= divisor


@helper
def prepare(scratch, guide, scale, xs, tile, m, task, layout, planes):
    """Clear the accumulators of a tile and spread what each window is compared with."""
    n = tile[3] - tile[2]
    buffer = scratch[BUFFER:]
    clear(scratch, SUM, len(layout.channels), n, m)
    if len(task) > 0:
        clear(scratch, WEIGHT, planes, n, m)
        spread(guide, scratch[GUIDE:], buffer, xs, tile, m)
    if len(task) == 3:
        spread(scale, scratch[SCALE:], buffer, xs, tile, m)


@helper
def collect(scratch, total, weight, xs, tile, m, task):
    """Fold the accumulators of a tile."""
    buffer = scratch[BUFFER:]
    fold(scratch[SUM:], buffer, total if len(task) != 1 else total[: len(weight)], xs, tile, m)
    if len(task) == 1:
        for j in range(len(weight)):
            fold_max(scratch[WEIGHT + j * PLANE :], weight[j], xs, tile)
    elif len(task) > 1:
        fold(scratch[WEIGHT:], buffer, weight, xs, tile, m)


@kernel(fastmath=FAST)
def sweep_rows(
    pixels, ys, xs, start, stop, guide, scale, exponent, epsilon2,
    task, layout, joint, asymmetric, power, scratch, straddlers, total, weight,
):  # fmt: skip
    """Sums over every window of the output rows start .. stop-1.

    Parameters
    ----------
    pixels : (H, W * C) or, packed, (H, W) ndarray
        Read-only.
    ys, xs : Axis
    start, stop : int
    guide : (stop - start, C, w) ndarray
        Guidance of each window, on the scale of the pixels; not read by BOX.
    scale : (stop - start, P, w) ndarray
        Factor of u in each window; read by SCALED_DETAIL only.
    exponent, epsilon2 : float
        lambda / 2, and epsilon squared on the scale of the pixels.
    task : flag
        What to add up: BOX, RANGE, DETAIL, SCALED_DETAIL.
    layout : Layout
    joint, asymmetric, power : flag
        Whether the channels share one distance; whether only what exceeds the guidance counts; how to
        raise to a power.
    scratch : (SCRATCH,) ndarray
        float32 or float64, the precision of everything that is computed.
    straddlers : (2 * TILE * C,), packed (2 * TILE,), or (0,) ndarray
        Like `pixels`; empty where no window boundary cuts a column.
    total : (stop - start, C, w) ndarray
        Filled: the means for BOX, the sum of u for RANGE, the weighted differences for the others.
    weight : (stop - start, P, w) ndarray
        Filled: the largest u for RANGE, the weights for the others. P is the number of distances,
        1 or C, or 0 for BOX.
    """
    c = len(layout.channels)
    planes = weight.shape[1]
    real = scratch.dtype.type
    area = real(ys.first[-1]) / real(len(ys.first) - 1) * (real(xs.first[-1]) / real(len(xs.first) - 1))
    last = scratch[LAST:]
    for row in range(start, stop):
        r = row - start
        total[r] = 0
        weight[r] = 0
        c0 = 0
        while c0 < xs.first[-1]:
            c1 = tile_end(c0, xs)
            tile = window_of(c0, xs), window_of(c1 - 1, xs) + 1, c0, c1
            m = tile[1] - tile[0] if len(straddlers) > 0 else 0
            prepare(scratch, guide[r], scale[r], xs, tile, m, task, layout, planes)
            if len(task) == 0:
                add_box_rows(pixels, ys, row, tile, scratch, layout)
                for j in range(c if m > 0 else 0):
                    plane = scratch[SUM + j * PLANE :]
                    before, last[j] = last[j], plane[c1 - c0 - 1]
                    straddlers_of_sums(plane, before, xs, tile)
            elif len(task) == 1:
                add_range_rows(
                    pixels, ys, row, xs, tile, m, epsilon2, layout, joint, asymmetric, scratch, straddlers
                )
            else:
                add_detail_rows(
                    pixels, ys, row, xs, tile, m, exponent, epsilon2,
                    task, layout, joint, asymmetric, power, scratch, straddlers,
                )  # fmt: skip
            collect(scratch, total[r], weight[r], xs, tile, m, task)
            c0 = c1
        for j in range(c if len(task) == 0 else 0):
            divide(total[r, j], area)


@kernel()
def finish_rows(total, weight, guide, mean, blend, limit, channels, blended, planes, out):
    """Turn the sums of DETAIL into pixels.

    Parameters
    ----------
    total, weight, guide, mean : ndarray
        As for `sweep_rows`; `mean`, the box means, shaped like `guide`.
    blend : (rows, P, w) ndarray
        Weight that alpha gives to the box mean in each window; read if `blended`.
    limit : float
        Largest value of an integer type, to which the result is rounded; 0 for floats.
    channels, blended : flag
    planes : (C, w) ndarray
        Working memory of the type of `out`.
    out : (rows, w * C) ndarray
        Filled.
    """
    c = len(channels)
    for row in range(len(total)):
        for j in range(c):
            p = min(j, weight.shape[1] - 1)
            finish_plane(
                total[row, j], weight[row, p], guide[row, j], mean[row, j], blend[row, p],
                limit, blended, planes[j],
            )  # fmt: skip
        interleave(planes, out[row], channels)


@helper
def finish_plane(total, weight, guide, mean, blend, limit, blended, plane):
    """One channel of one row of `finish_rows`."""
    half = total.dtype.type(0.5)
    zero = half - half
    for i in range(len(plane)):
        weights, excess = weight[i], total[i]
        value = guide[i]
        if len(blended) == 1:
            weights += blend[i]
            excess += blend[i] * (mean[i] - value)
        value += excess / weights if weights > zero else zero
        if limit > zero:
            value = min(max(np.floor(value + half), zero), limit)
        plane[i] = value


@helper
def interleave(planes, line, channels):
    """Channels next to each other, all of a pixel in one turn: strides that are constants vectorise."""
    c = len(channels)
    for i in range(planes.shape[1]):
        line[c * i] = planes[0, i]
        if c > 1:
            line[c * i + 1] = planes[1, i]
        if c > 2:
            line[c * i + 2] = planes[2, i]
        if c > 3:
            line[c * i + 3] = planes[3, i]
