"""The Gaussian guidance of DPID: box means smoothed with [1 2 1]."""

from __future__ import annotations

from dpid_cli.kernels.jit import kernel


@kernel(fastmath=frozenset({"contract", "nsz"}))
def smooth_rows(means, start, stop, column_sums, out):
    """``G = (M * [1 2 1]^T [1 2 1]) / (sum of the weights used)``, missing neighbours dropped.

    Parameters
    ----------
    means : (rows, C, w) ndarray
        Box means; a row that is missing before `start` or behind `stop` lies outside the image.
    start, stop : int
        The rows to smooth.
    column_sums : (w,) ndarray
        Working row.
    out : (stop - start, C, w) ndarray
        Filled.
    """
    rows, channels, width = means.shape
    two = means.dtype.type(2)
    one = means.dtype.type(1)
    for row in range(start, stop):
        above, below = max(row - 1, 0), min(row + 1, rows - 1)
        up = one if row > 0 else one - one
        down = one if row < rows - 1 else one - one
        weight = two + up + down
        inner = weight * (two + two)
        outer = weight * (two + one) if width > 1 else weight * two
        for j in range(channels):
            for i in range(width):
                column_sums[i] = up * means[above, j, i] + two * means[row, j, i] + down * means[below, j, i]
            target = out[row - start, j]
            for i in range(1, width - 1):
                target[i] = (column_sums[i - 1] + two * column_sums[i] + column_sums[i + 1]) / inner
            last = width - 1
            if width == 1:
                target[0] = two * column_sums[0] / outer
            else:
                target[0] = (two * column_sums[0] + column_sums[1]) / outer
                target[last] = (column_sums[last - 1] + two * column_sums[last]) / outer
