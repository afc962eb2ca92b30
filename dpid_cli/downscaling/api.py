"""`dpid_cli.downscale`: an array in, a smaller array out. No paths, no printing."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling import devices, strips
from dpid_cli.downscaling.automatic import is_automatic, settled
from dpid_cli.downscaling.choices import Device, FilterGrid
from dpid_cli.downscaling.filters import Filter, resolved
from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.maps import Maps
from dpid_cli.downscaling.parameters import PARAMETERS, Parameters
from dpid_cli.downscaling.raster import Raster, as_array, check_source
from dpid_cli.downscaling.registry import METHODS, Method, equivalent, method_named
from dpid_cli.downscaling.sizes import Size, requested
from dpid_cli.downscaling.transfer import Light, Transfer, transfer_of
from dpid_cli.downscaling.value_range import ValueRange, check_intensities
from dpid_cli.errors import ArgumentError

# Squares of differences between smaller floats could leave the range of float32.
_DARK = 2.0**-8


def downscale(
    image: ArrayLike,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    method: str = "dpid",
    lambda_: float | str | None = None,
    alpha: float | None = None,
    epsilon: float | None = None,
    variant: str | None = None,
    guidance: str | os.PathLike[str] | Filter | NDArray[Any] | None = None,
    normalize: str | None = None,
    noise: float | str | Sequence[float] | None = None,
    window: int | None = None,
    beta: float | None = None,
    power: float | None = None,
    form: str | None = None,
    seed: int | None = None,
    cell: int | None = None,
    position: str | None = None,
    gate: ArrayLike | str | os.PathLike[str] | Filter | None = None,
    linear: bool | Transfer = False,
    value_range: tuple[float, float] | None = None,
    importance: ArrayLike | None = None,
    crop: tuple[float, float, float, float] | None = None,
    threads: int | None = None,
    device: str = "cpu",
    stream: Any = None,
) -> NDArray[Any]:
    """Downscale an image so that small details survive.

    Parameters
    ----------
    image : (H, W[, C]) array_like
        C from 1 to 4, all channels treated alike; uint8, uint16, or float32 / float64 with
        intensities in [0, 1]. Values somewhat outside are computed unchanged; floats below -1 or above 2 only
        if the result does not depend on which value is white, else they need `value_range`.
    scale : float, optional
        How many times smaller each side becomes, any real number >= 1. Output sides are rounded half up,
        at least 1. Give either `scale` or `size`.
    size : (int, int), optional
        (width, height) of the output, each at least 1 and at most the image's own.
    method : str, default "dpid"
        A name in `dpid_cli.METHODS`. Each of the following parameters belongs to some methods, `lambda_` to
        `normalize` to ``dpid``, ``dpp`` and ``s3dpp``. None stands for the method's default; a parameter that
        the method does not have is an error.
    lambda_ : float or "auto", default 1.0
        Exponent of the distance, >= 0. 0 is the box filter; the larger it is, the more the most
        distinct pixel wins. "auto" is ``min(1, 3 / scale)``, or less if the output had more contrast than the
        image; `automatic` returns the number.
    alpha : float, default 0.0
        Constant added to every pixel's weight, >= 0; larger values move the result towards ``box``.
    epsilon : float, default 0.0 (``dpid``) or 0.001 ** 0.5 (``dpp``, ``s3dpp``)
        Softens the distance, in units of intensity; >= 0 for ``dpid``, > 0 for the others.
    variant : {"sym", "asym"}, default "sym"
        Reward pixels on both sides of the guidance, or only those above it.
    guidance : {"gaussian", "box"}, str, path, Filter or ndarray, default "gaussian"
        What pixels are compared with: the window means smoothed with [1 2 1]; the means themselves, the
        default of ``dpp`` and ``s3dpp``; or, not for ``s3dpp``, the response of a learned filter: a `Filter`,
        the path of its file, or the name of one that comes with the package. The parameters stored in the
        filter become defaults. Or your own guidance: an image of the size of the output, (h, w[, C]).
    normalize : {"none", "mean"}, default "none"
        With "mean", divide squared distances by their mean over the window before the power is taken
        (matters only together with `alpha`).
    noise : float, sequence of C floats or "auto", default 0.0
        Standard deviation of noise in the image, in units of intensity. Pixels that differ from the guidance
        by noise only then weigh the same. "auto" measures it; `automatic` returns the numbers.
    window : int, optional
        Side in pixels of overlapping windows, around the centres of those that lie side by side, and at least
        as large; clipped at the edges of the image. For ``box``, ``max``, ``min``, ``extremum``, ``mixed``,
        ``lp``, ``softpool``, ``edscw``, ``adapool``, ``idw`` and ``stochastic``.
    beta : float, default 0.5
        From 0 to 1: the share of ``max`` in ``mixed``, the rest being ``box``, and of ``edscw`` in
        ``adapool``, the rest being ``softpool``.
    power : float, default 2.0
        Exponent of ``lp``, >= 1.
    form : {"random", "expected"}, default "random"
        Whether ``stochastic``, ``s3pool`` and ``s3dpp`` draw at random or compute a mean instead: of all
        draws, or of all windows that begin in a window.
    seed : int, default 0
        From 0 to 2**64 - 1; the same seed draws the same pixels. Matters only in the random form.
    cell : int, optional
        Side in pixels of the cells in which ``s3pool`` and ``s3dpp`` draw rows and columns, a multiple of
        the scale; by default half of each side. Matters only in the random form.
    position : {"corner", "centre"}, default "corner"
        Which pixel of a window ``subsample`` takes.
    gate : (s, s) or (C, s, s) array_like, path or Filter, optional
        The filter of ``gated`` for windows of s by s pixels; of a `Filter`, its kernel. Without one,
        ``gated`` is the mean of ``max`` and ``box``.
    linear : bool or Transfer, default False
        Average in linear light, by the curve of sRGB or another `Transfer`. Weights still use the encoded
        values. Methods that pick pixels give the same result with and without. See Notes.
    value_range : (float, float), optional
        The values of black and white in an image of floats, such as (0, 255) or (-430.0, 8849.0). They are
        mapped to [0, 1] before, and the output is mapped back. (0, 1) computes any values unchanged.
    importance : (H, W) array_like, optional
        How much each pixel counts, 0 or more, for ``dpid``, ``dpp`` and ``box``: its coverage is multiplied
        by it. Only ratios matter. A window without any importance becomes its guidance, from plain means.
    crop : (float, float, float, float), optional
        Use only this part: left, top, width, height. ``dpid``, ``dpp``, ``box``, ``max`` and ``min`` take
        fractions: pixels at the edges count by the part inside.
    threads : int, optional
        Most threads to use, by default one for each available CPU; small images need one. The result does
        not depend on it.
    device : {"cpu", "cuda", "auto"}, default "cpu"
        Where to compute. "cuda" is a GPU, which supports ``dpid``, ``dpp``, ``box``, ``max``, ``min`` and
        ``extremum`` for all types but float64. Its results differ from those of the CPU by at most one level
        of uint8, or 1e-5. "auto" is the GPU if there is one that can compute this, else the CPU.
    stream : optional
        For images in GPU memory: the stream for the work, as an object with ``__cuda_stream__``, a stream of
        Numba, or an address. By default the stream that the image's ``__cuda_array_interface__`` names,
        else the default stream.

    Returns
    -------
    (h, w[, C]) ndarray
        Same dtype and channels as `image`; integers are rounded to nearest, halves up. For an image in GPU
        memory (CuPy, PyTorch: anything with ``__cuda_array_interface__`` or ``__dlpack__``) it is an array
        there, with ``__cuda_array_interface__``, that the stream will fill. Nothing is copied to CPU memory,
        and floats are not checked.

    Raises
    ------
    DpidError
        A `ValueError` that names the argument, its value and what is allowed: wrong shape or dtype,
        NaN or infinity, a size that is not positive or would enlarge, a negative or non-finite
        parameter, an unknown method.

    Notes
    -----
    With the guidance G, the coverage c of each pixel I of a window and intensities in [0, 1],

    .. math:: O = \\frac{\\sum c\\,w\\,I}{\\sum c\\,w}, \\qquad w = \\alpha + (d^2 + \\epsilon^2)^{\\lambda/2}

    where d is the distance I - G, over all channels together in ``dpid`` [1]_, per channel in ``dpp``
    [2]_. With noise, whose variances add up to v over the n channels of a distance,
    ``max(d**2 - t v, 0) + v`` replaces ``d**2``, where ``t = 2 + 4 / n``. This, and "auto", are our own
    rules. Computed in float32, or in float64 for float64 images.

    With `linear`, I in the numerator is decoded to light, and O is encoded again; w and G use the encoded
    values. `METHODS` says what each method averages (`Method.linear`).

    References
    ----------
    .. [1] N. Weber et al., "Rapid, Detail-Preserving Image Downscaling", ACM Trans. Graph. 35(6), 2016.
    .. [2] F. Saeedan et al., "Detail-Preserving Pooling in Deep Networks", CVPR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import dpid_cli
    >>> night = np.zeros((64, 64), np.uint8)
    >>> night[30, 30] = 255  # a star
    >>> int(dpid_cli.downscale(night, scale=8, method="box").max())
    4
    >>> int(dpid_cli.downscale(night, scale=8, lambda_=1).max())
    204
    """
    if crop is not None:
        return downscale(**import_module("dpid_cli.downscaling.cropping").applied(locals(), automatic))
    arguments = {name: value for name, value in locals().items() if name in PARAMETERS}
    check_source(image)
    count = devices.thread_count(threads)
    chosen = method_named(method)
    transfer = transfer_of(linear)
    own = arguments.pop("guidance") if isinstance(guidance, np.ndarray) else None
    if own is not None and not chosen.takes_filter:
        raise ArgumentError(f"guidance: method {method} takes no image: leave it out")
    resident = devices.lies_on_gpu(image)
    pixels: Any = image if resident else as_array(image)
    mapped = importance is not None or own is not None
    device = Device.CPU if mapped and device == Device.AUTO and not resident else device
    on_gpu = devices.device_for(device, chosen, pixels, linear=transfer is not None) == Device.CUDA
    given = resolved(chosen, arguments)
    parameters = chosen.parameters(given)
    span = ValueRange.of(value_range, None if resident else pixels.dtype)
    if on_gpu and mapped:
        raise ArgumentError("importance, guidance: maps work on the CPU only: use device cpu")
    if resident:
        result: NDArray[Any] = _resident(pixels, chosen, parameters, scale, size, stream)
        return result
    if stream is not None:
        raise ArgumentError("stream: is for images in GPU memory only: leave it out")
    raster = Raster.of(pixels if span is None else span.intensities(pixels))
    target = requested(raster.size, scale, size)
    if target != raster.size and is_automatic(given):
        given |= automatic(
            pixels, size=target, method=method, linear=linear, value_range=value_range, **given
        )
        parameters = chosen.parameters(given)
    grid = _grid(raster, target, parameters)
    chosen, parameters = equivalent(chosen, parameters)
    own = span.intensities(own) if span is not None and own is not None and own.dtype.kind == "f" else own
    if grid.size == raster.size and grid.window is None:
        Maps.of(importance, own, raster, target)
        return np.array(pixels, raster.dtype)
    if span is None and chosen.needs_intensities(parameters, transfer is not None):
        check_intensities(raster)
    output = _computed(raster, grid, chosen, parameters, transfer, (importance, own), count, on_gpu)
    return (output if span is None else span.values(output)).reshape(*grid.size[::-1], *pixels.shape[2:])


def _grid(raster: Raster, target: Size, parameters: Parameters) -> Grid:
    """The windows of the output, which a filter may not fit."""
    if parameters.filter is not None:
        parameters.filter.check_fit(raster.size, target, raster.channels)
    return Grid.of(raster.size, target, raster.real, getattr(parameters, "window", None))


def _reads_pixels(parameters: Parameters) -> bool:
    """Whether the guidance is a filter over single channels of pixels."""
    return parameters.filter is not None and parameters.filter.grid == FilterGrid.INPUT


def _resident(
    image: Any,
    method: Method,
    parameters: Parameters,
    scale: float | None,
    size: tuple[int, int] | None,
    stream: Any,
) -> Any:
    """`downscale` for an image in GPU memory."""
    from dpid_cli.downscaling.gpu import arrays, launch

    if is_automatic(parameters.as_dict()):
        raise ArgumentError("auto: needs an image in CPU memory: copy it, or give a number")
    stream = arrays.stream_for(image, stream)
    raster = arrays.resident(image, stream, not _reads_pixels(parameters))
    grid = _grid(raster, requested(raster.size, scale, size), parameters)
    shape = (*grid.size[::-1], *image.shape[2:])
    method, parameters = equivalent(method, parameters)
    return launch.downscale_resident(raster, grid, method.name, parameters, shape, stream)


def _computed(
    raster: Raster,
    grid: Grid,
    method: Method,
    parameters: Parameters,
    transfer: Transfer | None,
    given: tuple[Any, Any],
    threads: int,
    on_gpu: bool,
) -> NDArray[Any]:
    """The output, (h, w * C); `given` are importance and guidance, or None."""
    if method.family == "detail" and getattr(parameters, "epsilon", _DARK) < _DARK:
        raster = raster.enlarged(_DARK)
    if _reads_pixels(parameters) or not (on_gpu or (method.packed and grid.window is None)):
        raster = raster.unpacked()
    output = np.empty((grid.ys.target, grid.xs.target * raster.channels), raster.dtype)
    light = None if transfer is None else Light(transfer, raster)
    if on_gpu:
        from dpid_cli.downscaling.gpu import launch

        launch.downscale(output, raster, grid, method.name, parameters, light)
    else:
        maps = Maps.of(*given, raster, grid.size)
        maps.check(method, parameters, raster)
        _on_cpu(output, raster, grid, method, parameters, light, maps, threads)
    if raster.scaling != 1:
        output /= raster.dtype.type(raster.scaling)
    return output


def automatic(
    image: ArrayLike,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    method: str = "dpid",
    linear: bool | Transfer = False,
    value_range: tuple[float, float] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Find the numbers that "auto" stands for in `downscale` with the same arguments.

    Parameters
    ----------
    image : (H, W[, C]) array_like
    scale, size, method, linear, value_range
        As in `downscale`; parts of the image are downscaled in order to find lambda.
    **parameters
        Those of the method, by Python name. Other arguments of `downscale`, such as maps, change nothing.

    Returns
    -------
    dict
        The numbers by Python name; empty if no parameter is "auto".

    Raises
    ------
    DpidError
        As `downscale`.

    Notes
    -----
    With the scales :math:`s_x` and :math:`s_y`, lambda is the largest number up to

    .. math:: \\min\\left(1, \\frac{3}{\\sqrt{s_x s_y}}\\right)

    for which the standard deviation of the output is not above that of the image. Noise is the 5 %
    quantile, over blocks of 16 x 16 pixels, of the root mean square of ``(a - b - c + d) / 2`` in all 2 x 2
    pixels, divided by 0.853, its value for white noise. Both are measured in evenly spread blocks of large
    images.

    Examples
    --------
    >>> import numpy as np
    >>> import dpid_cli
    >>> image = np.random.default_rng(0).normal(0.5, 0.05, (128, 128)) + np.eye(128) / 3
    >>> dpid_cli.automatic(image, scale=4, lambda_="auto", noise="auto")
    {'lambda_': 0.75, 'noise': (0.05076,)}
    """
    chosen = method_named(method)
    for name in ("importance", "threads", "device"):  # which change nothing
        parameters.pop(name, None)
    if isinstance(parameters.get("guidance"), np.ndarray):
        del parameters["guidance"]
    given = resolved(chosen, parameters)
    settings = chosen.parameters(given).as_dict()
    if not is_automatic(settings):
        return {}
    pixels = as_array(image)
    span = ValueRange.of(value_range, pixels.dtype)
    pixels = pixels if span is None else span.intensities(pixels)
    raster = Raster.of(pixels)
    # Draws would only disturb.
    plain = {name: value for name, value in settings.items() if name in METHODS["dpp"].defaults}
    simple = chosen.name if chosen.name == "dpid" else "dpp"

    def shrink(part: NDArray[Any], to: Size, settings: Mapping[str, Any]) -> NDArray[Any]:
        return downscale(part, size=to, method=simple, linear=linear, threads=1, **settings)

    found = settled(plain, pixels, requested(raster.size, scale, size), shrink)
    return {name: value for name, value in found.items() if value != plain[name]}


def _on_cpu(
    output: NDArray[Any],
    raster: Raster,
    grid: Grid,
    method: Method,
    parameters: Parameters,
    light: Light | None,
    maps: Maps,
    threads: int,
) -> None:
    """Fill `output`, (h, w * C), strip by strip."""
    family = method.load()
    if hasattr(family, "prepare"):
        parameters = family.prepare(raster, grid, parameters)
    of_thread = threading.local()

    def render(start: int, stop: int) -> None:
        if not hasattr(of_thread, "workspace"):
            of_thread.workspace = strips.Workspace()
        strip = strips.Strip(raster, grid, start, stop, of_thread.workspace, light, maps)
        family.fill(output[start:stop], method.name, strip, parameters)

    rows, threads = grid.ys.target, strips.worthwhile(threads, raster.rows.nbytes)
    parts = [(0, rows)]
    bytes_per_row = raster.rows.nbytes / rows
    if method.family == "detail" and family.rolls(raster, grid, parameters, light, maps):
        parts = strips.shares(rows, bytes_per_row, threads, copied=raster.packs)
    elif method.divisible:
        parts = strips.strips(rows, bytes_per_row, threads, method.neighbours)
    strips.run(render, parts, threads)
