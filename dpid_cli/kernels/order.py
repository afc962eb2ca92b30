"""Order statistics of the windows: largest and smallest value, and the one farther from the mean.

Every pixel that a window covers takes part, however little of it (methods max, min, extremum).
"""

from __future__ import annotations

from dpid_cli.kernels.jit import flag, helper, kernel

MAX, MIN, EXTREMUM = (flag(value) for value in range(3))


@helper
def window_extreme(line, begin, end, step, largest):
    """Largest or smallest of every `step`-th value from `begin` on, before `end`."""
    value = line[begin]
    for k in range(begin + step, end, step):
        value = max(value, line[k]) if largest else min(value, line[k])
    return value


@helper
def start_with(line, high, low):
    """The largest and smallest values of a single row."""
    for k in range(len(line)):
        high[k] = low[k] = line[k]


@kernel()
def order_rows(pixels, ys, xs, start, stop, mean, tie, channels, rule, high, low, out):
    """Order statistic of every window of the output rows start .. stop-1.

    Parameters
    ----------
    pixels : (H, W * C) ndarray
    ys, xs : Axis
    start, stop : int
    mean : (stop - start, C, w) ndarray
        Box means; read by EXTREMUM only.
    tie : float
        Relative difference of two distances from the mean that still counts as none.
    channels, rule : flag
        C; MAX, MIN or EXTREMUM.
    high, low : (W * C,) ndarray
        Working rows like a row of `pixels`.
    out : (stop - start, w * C) ndarray
        Filled; EXTREMUM takes the mean of the two where they are equally far, halves rounded up.
    """
    c = len(channels)
    target = len(xs.first) - 1
    rounding = 0.5 if out.dtype.type(0.5) == 0 else 0.0
    for row in range(start, stop):
        top = ys.first[row] - (1 if ys.head[row] > 0 else 0)
        start_with(pixels[top], high, low)
        for y in range(top + 1, ys.first[row + 1]):
            line = pixels[y]
            for k in range(len(high)):
                if len(rule) != 1:
                    high[k] = max(high[k], line[k])
                if len(rule) != 0:
                    low[k] = min(low[k], line[k])
        for i in range(target):
            begin = c * (xs.first[i] - (1 if xs.head[i] > 0 else 0))
            end = c * xs.first[i + 1]
            for j in range(c):
                if len(rule) == 0:
                    value = window_extreme(high, begin + j, end, c, True)
                elif len(rule) == 1:
                    value = window_extreme(low, begin + j, end, c, False)
                else:
                    value = window_extreme(high, begin + j, end, c, True)
                    least = window_extreme(low, begin + j, end, c, False)
                    centre = mean[row - start, j, i]
                    above, below = value - centre, centre - least
                    if abs(above - below) <= tie * (above + below):
                        value = out.dtype.type((float(value) + float(least)) / 2 + rounding)
                    elif above < below:
                        value = least
                out[row - start, c * i + j] = value
