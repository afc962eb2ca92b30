"""`downscale` in the conventions of other libraries, so that scripts change one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling.api import downscale
from dpid_cli.downscaling.raster import as_array, channels_last
from dpid_cli.downscaling.sizes import positive
from dpid_cli.errors import ArgumentError, SizeError

if TYPE_CHECKING:
    from dpid_cli.downscaling.options import Parameters


def rescale(
    image: ArrayLike,
    factor: float | Sequence[float],
    *,
    channel_axis: int | None = None,
    **options: Unpack[Parameters],
) -> NDArray[Any]:
    """Downscale an array by a factor, in the convention of ``skimage.transform.rescale``.

    Parameters
    ----------
    image : (H, W) array_like, or with three axes and `channel_axis`
        As for `downscale`.
    factor : float or (float, float)
        Above 0 and at most 1: 0.25 makes each side 4 times smaller. Two numbers are for rows and columns.
        Sides are rounded to nearest, halves to even, and are at least 1.
    channel_axis : int, optional
        Which axis has the channels. None stands for gray: then the array must have two axes.
    **options
        The other keywords of `downscale`, such as `method` and `lambda_`.

    Returns
    -------
    ndarray
        As `downscale`: of the type of `image`, where scikit-image returns floats.

    Raises
    ------
    DpidError
        If a factor is not allowed, three axes come without `channel_axis`, or as for `downscale`.

    Examples
    --------
    >>> import numpy as np, dpid_cli
    >>> photo = np.zeros((300, 400, 3), np.uint8)
    >>> dpid_cli.rescale(photo, 0.25, channel_axis=-1).shape
    (75, 100, 3)
    >>> dpid_cli.rescale(photo.transpose(2, 0, 1), (0.5, 0.25), channel_axis=0).shape
    (3, 150, 100)
    """
    array = as_array(image)
    if channel_axis is None and array.ndim != 2:
        raise ArgumentError(
            f"channel_axis: an array of shape {array.shape} is no gray image: "
            "say which axis has the channels, such as channel_axis=-1"
        )
    sides = channels_last(array, channel_axis).shape
    target = [max(1, round(side * share)) for side, share in zip(sides, _factors(factor), strict=False)]
    return downscale(array, size=(target[1], target[0]), channel_axis=channel_axis, **options)


def _factors(factor: object) -> tuple[float, float]:
    """The factors of rows and columns, or an error that names the argument."""
    one_or_two = factor if isinstance(factor, Sequence) and not isinstance(factor, str | bytes) else (factor,)
    if len(one_or_two) > 2 or not one_or_two:
        raise ArgumentError(f"factor must be one number, or two for rows and columns (got {factor!r})")
    of_rows, of_columns = positive("factor", one_or_two[0]), positive("factor", one_or_two[-1])
    if max(of_rows, of_columns) > 1:
        raise SizeError(f"factor: {factor!r} would enlarge the image: use at most 1")
    return of_rows, of_columns


def dpid_resize(input: ArrayLike, h: int, w: int, l: float) -> NDArray[Any]:  # noqa: A002, E741  # its names
    """Downscale an array by DPID, with the arguments of ``pepedpid.dpid_resize``.

    Parameters
    ----------
    input : (H, W[, C]) array_like
        As the image of `downscale`: any type and any number of channels, where pepedpid takes float32 only
        and returns the first three channels of more.
    h, w : int
        Height and width of the output; at most those of the image.
    l : float
        Lambda, 0 or more.

    Returns
    -------
    (h, w[, C]) ndarray
        ``downscale(input, size=(w, h), lambda_=l)``.

    Raises
    ------
    DpidError
        As `downscale`.

    Examples
    --------
    >>> import numpy as np
    >>> from dpid_cli import dpid_resize  # instead of: from pepedpid import dpid_resize
    >>> dpid_resize(np.zeros((480, 640, 3), np.float32), 120, 160, 1.0).shape
    (120, 160, 3)
    """
    return downscale(input, size=(w, h), lambda_=l)
