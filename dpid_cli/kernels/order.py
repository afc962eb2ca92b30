"""Order statistics of windows: the largest value, the smallest, or the one farther from the mean.

Every pixel that a window touches takes part, whatever its coverage (methods max, min, extremum).

Channels stay interleaved: a row is one line of values. The extremes are first taken down the columns, then
along the line over `reach` pixels, a power of two, by doubling. Both loops run over contiguous memory and
vectorise. A window's extreme is that of a few such runs, which may overlap, that fill it.
"""

from __future__ import annotations

from dpid_cli.kernels.flags import choice, helper
from dpid_cli.kernels.jit import kernel

MAX, MIN, EXTREMUM = range(3)
# Distances from the mean are equal if they differ by no more rounding errors (units in the last place).
TIE = 16


@helper
def extreme_of_rows(pixels, begin, end, line, largest):
    """Fill `line` with the largest or smallest value of each column."""
    first = pixels[begin]
    for k in range(len(line)):
        line[k] = first[k]
    for y in range(begin + 1, end):
        row = pixels[y]
        for k in range(len(line)):
            line[k] = max(line[k], row[k]) if largest else min(line[k], row[k])


@helper
def widen(near, far, reach, channels, largest):
    """Take the extreme of each value and the next reach-1 pixels; returns whether `far` holds it."""
    step = channels
    swapped = False
    while step < reach * channels:
        behind = near[step:]
        for k in range(len(behind)):
            far[k] = max(near[k], behind[k]) if largest else min(near[k], behind[k])
        near, far = far, near
        swapped = not swapped
        step *= 2
    return swapped


@helper
def extreme(line, begin, end, reach, channels, j, largest):
    """Extreme of channel j of the pixels begin .. end-1; `line` holds the extremes of `reach` pixels."""
    value = line[channels * (end - reach) + j]
    while begin < end - reach:  # a range with this step would divide
        other = line[channels * begin + j]
        value = max(value, other) if largest else min(value, other)
        begin += reach
    return value


@helper
def shortest_power(spans):
    """The largest power of two that is not longer than any window."""
    shortest = spans.end[0] - spans.begin[0]
    for i in range(1, len(spans.begin)):
        shortest = min(shortest, spans.end[i] - spans.begin[i])
    reach = 1
    while 2 * reach <= shortest:
        reach *= 2
    return reach


@helper
def farther(most, least, mean, tie, gap, rounding):
    """The one of two values that is farther from the mean, or their mean if they are equally far."""
    above, below = most - mean, mean - least
    if abs(above - below) <= max(tie * (above + below), gap):
        return (float(most) + float(least)) / 2 + rounding
    return float(most) if above > below else float(least)


@kernel()
def order_rows(pixels, ys, xs, mean, tie, gap, channels, rule, lines, out):
    """Fill in the order statistic of every window.

    Parameters
    ----------
    pixels : (H, W * C) ndarray
        Read-only.
    ys, xs : Spans
    mean : (rows, w * C) ndarray
        Means of the windows; read by EXTREMUM only.
    tie, gap : float
        Relative and absolute difference up to which two distances from the mean are equal.
    channels : int
        C.
    rule : flag
        MAX, MIN or EXTREMUM.
    lines : (4, W * C) ndarray
        Working rows of the type of `pixels`.
    out : (rows, w * C) ndarray
        Filled. EXTREMUM takes the mean of two values that are equally far, halves rounded up.
    """
    rounding = 0.5 if out.dtype.type(0.5) == 0 else 0.0
    reach = shortest_power(xs)
    high, low, other_high, other_low = lines[0], lines[1], lines[2], lines[3]
    for row in range(len(ys.begin)):
        if choice(rule) != MIN:
            extreme_of_rows(pixels, ys.begin[row], ys.end[row], high, True)
            highest = other_high if widen(high, other_high, reach, channels, True) else high
        if choice(rule) != MAX:
            extreme_of_rows(pixels, ys.begin[row], ys.end[row], low, False)
            lowest = other_low if widen(low, other_low, reach, channels, False) else low
        target = out[row]
        for j in range(channels):
            for i in range(len(xs.begin)):
                begin, end = xs.begin[i], xs.end[i]
                if choice(rule) == MAX:
                    value = extreme(highest, begin, end, reach, channels, j, True)
                elif choice(rule) == MIN:
                    value = extreme(lowest, begin, end, reach, channels, j, False)
                else:
                    most = extreme(highest, begin, end, reach, channels, j, True)
                    least = extreme(lowest, begin, end, reach, channels, j, False)
                    value = farther(most, least, mean[row, channels * i + j], tie, gap, rounding)
                target[channels * i + j] = value
