"""The library's main call: an array in, a smaller array out. No paths, no printing."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling import devices
from dpid_cli.downscaling.filters import Filter, resolved
from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.light import Light, transfer_of
from dpid_cli.downscaling.methods.sweeps import Strip, Workspace
from dpid_cli.downscaling.raster import Raster
from dpid_cli.downscaling.registry import Method, method_named
from dpid_cli.downscaling.sizes import by_scale, by_size
from dpid_cli.downscaling.transfer import Transfer
from dpid_cli.errors import ArgumentError


def downscale(
    image: ArrayLike,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    method: str = "dpid",
    lambda_: float | None = None,
    alpha: float | None = None,
    epsilon: float | None = None,
    variant: str | None = None,
    guidance: str | os.PathLike[str] | Filter | None = None,
    normalize: str | None = None,
    window: int | None = None,
    beta: float | None = None,
    power: float | None = None,
    form: str | None = None,
    seed: int | None = None,
    cell: int | None = None,
    position: str | None = None,
    gate: ArrayLike | str | os.PathLike[str] | Filter | None = None,
    linear: bool | Transfer = False,
    threads: int | None = None,
    device: str = "cpu",
    stream: Any = None,
) -> NDArray[Any]:
    """Downscale an image so that small details survive.

    Parameters
    ----------
    image : (H, W[, C]) array_like
        C from 1 to 4, all channels treated alike; uint8, uint16, or float32 / float64 with
        intensities in [0, 1] (finite values somewhat outside are computed as they are).
    scale : float, optional
        How many times smaller each side becomes, any real number >= 1. The sides of the result are
        rounded half up, at least 1. Give either `scale` or `size`.
    size : (int, int), optional
        (width, height) of the result, each at least 1 and at most the image's own.
    method : str, default "dpid"
        A name in `dpid_cli.METHODS`. Each of the parameters below belongs to some methods, `lambda_` to
        `normalize` to ``dpid``, ``dpp`` and ``s3dpp``; None stands for the method's default, and a
        parameter that the method does not have is an error.
    lambda_ : float, default 1.0
        Exponent of the distance, >= 0. 0 is the box filter; the larger, the more the most
        distinct pixel wins.
    alpha : float, default 0.0
        Weight of every pixel beside its reward, >= 0.
    epsilon : float, default 0.0 (``dpid``) or 0.001 ** 0.5 (``dpp``, ``s3dpp``)
        Softens the distance, in units of intensity; >= 0 for ``dpid``, > 0 for the others.
    variant : {"sym", "asym"}, default "sym"
        Whether pixels on both sides of the guidance are rewarded, or only those above it.
    guidance : {"gaussian", "box"}, str, path or Filter, default "gaussian", "box" for ``dpp``, ``s3dpp``
        What pixels are compared with: the window means smoothed with [1 2 1], the means themselves, or (not
        for ``s3dpp``) what a learned filter makes of them: a `Filter`, the path of its file, or the name of
        one that comes with the package. The parameters that it holds become defaults.
    normalize : {"none", "mean"}, default "none"
        Whether squared distances are divided by their mean over the window before the power is taken
        (matters only together with `alpha`).
    window : int, optional
        Side in pixels of windows that overlap, around the centres of those that do not, and at least as
        large; clipped at the edges of the image. For ``box``, ``max``, ``min``, ``extremum``, ``mixed``,
        ``lp``, ``softpool``, ``edscw``, ``adapool``, ``idw`` and ``stochastic``.
    beta : float, default 0.5
        From 0 to 1: the share of ``max`` in ``mixed``, the rest being ``box``, and of ``edscw`` in
        ``adapool``, the rest being ``softpool``.
    power : float, default 2.0
        Exponent of ``lp``, >= 1.
    form : {"random", "expected"}, default "random"
        Whether ``stochastic``, ``s3pool`` and ``s3dpp`` draw, or compute a mean instead: of all draws, or of
        all windows that begin in a window.
    seed : int, default 0
        From 0 to 2**64 - 1; the same seed draws the same pixels. Matters only in the random form.
    cell : int, optional
        Side in pixels of the cells from which ``s3pool`` and ``s3dpp`` draw rows and columns, a multiple of
        the scale; by default half of each side. Matters only in the random form.
    position : {"corner", "centre"}, default "corner"
        Which pixel of a window ``subsample`` takes.
    gate : (s, s) or (C, s, s) array_like, path or Filter, optional
        The filter of ``gated`` for windows of s by s pixels, of a `Filter` its kernel; without one, ``gated``
        is the mean of ``max`` and ``box``.
    linear : bool or Transfer, default False
        Whether means are taken in linear light, by the curve of sRGB or another `Transfer`: pixels weigh by
        their encoded values as ever, what is averaged is their light, and the mean is encoded again. Methods
        that pick pixels give the same with and without. See Notes.
    threads : int, optional
        Number of threads, by default one for each available processor. The result does not depend on it.
    device : {"cpu", "cuda", "auto"}, default "cpu"
        Where to compute. "cuda" is a GPU, which ``dpid``, ``dpp``, ``box``, ``max``, ``min`` and ``extremum``
        know, for all types but float64; its results differ from the processor's by at most one level of
        uint8, or 1e-5. "auto" is the GPU where there is one that can, else the processor.
    stream : optional
        For images in the memory of a GPU: what to queue the work on, as an object with ``__cuda_stream__``, a
        stream of Numba, or the address of one. By default the stream that the image's
        ``__cuda_array_interface__`` names, else the default stream.

    Returns
    -------
    (h, w[, C]) ndarray
        Same dtype and channels as `image`; integer results are rounded to nearest, halves up. For an image
        in the memory of a GPU (CuPy, PyTorch: whatever has ``__cuda_array_interface__`` or ``__dlpack__``)
        an array there, with ``__cuda_array_interface__``, that the stream will fill; nothing is copied to
        the computer's memory, and floats are not checked.

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

    where d is the distance I - G, over all channels together in ``dpid`` [1]_, by channel in ``dpp``
    [2]_. Computed in float32, or in float64 for float64 images.

    With `linear`, I in the numerator is decoded to light, and O is encoded again; w and G are those of the
    encoded values. `METHODS` tells of each method what is averaged (`Method.light`).

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
    count = devices.thread_count(threads)
    chosen = method_named(method)
    transfer = transfer_of(linear)
    resident = devices.lies_on_gpu(image)
    image = image if resident else np.asarray(image)
    device = devices.device_for(device, chosen, image, linear=transfer is not None)
    given = {
        "lambda_": lambda_,
        "alpha": alpha,
        "epsilon": epsilon,
        "variant": variant,
        "guidance": guidance,
        "normalize": normalize,
        "window": window,
        "beta": beta,
        "power": power,
        "form": form,
        "seed": seed,
        "cell": cell,
        "position": position,
        "gate": gate,
    }
    parameters = chosen.parameters(resolved(chosen, given))
    if (scale is None) == (size is None):
        raise ArgumentError("size: give either scale or size, not both and not neither")
    if stream is not None and not resident:
        raise ArgumentError("stream: the image does not lie in the memory of a GPU: leave stream out")
    if resident:
        on_gpu: NDArray[Any] = _on_gpu(image, scale, size, chosen, parameters, stream)
        return on_gpu
    raster = Raster.of(image)
    target = by_size(raster.size, size) if scale is None else by_scale(raster.size, scale)
    packed = device == "cuda" or (chosen.packed and window is None)
    if isinstance(filter_ := parameters.get("guidance"), Filter):
        filter_.check_fit(raster.size, target, raster.channels)
        packed = packed and filter_.grid == "output"
    shape = (target[1], target[0], *np.shape(image)[2:])
    if target == raster.size and window is None:
        return raster.unpacked().rows.reshape(shape).copy()
    if not packed:
        raster = raster.unpacked()
    grid = Grid.of(raster.size, target, raster.real, parameters.get("window"))
    out = np.empty((target[1], target[0] * raster.channels), raster.dtype)
    if device == "cuda":
        from dpid_cli.downscaling.gpu import launch

        launch.downscale(out, raster, grid, chosen.name, parameters)
        return out.reshape(shape)
    family = import_module(f"dpid_cli.downscaling.methods.{chosen.family}")
    if hasattr(family, "prepare"):
        parameters = family.prepare(raster, grid, parameters)

    light = None if transfer is None else Light(transfer, raster)
    of_thread = threading.local()

    def render(start: int, stop: int) -> None:
        if not hasattr(of_thread, "workspace"):
            of_thread.workspace = Workspace()
        strip = Strip(raster, grid, start, stop, of_thread.workspace, light)
        family.fill(out[start:stop], chosen.name, strip, parameters)

    parts = [(0, target[1])]
    if chosen.divisible:
        parts = devices.strips(target[1], raster.rows.nbytes / target[1], count, chosen.neighbours)
    devices.run(render, parts, count)
    return out.reshape(shape)


def _on_gpu(
    image: Any,
    scale: float | None,
    size: tuple[int, int] | None,
    method: Method,
    parameters: Mapping[str, Any],
    stream: Any,
) -> Any:
    """`downscale` for an image in the memory of a GPU."""
    from dpid_cli.downscaling.gpu import arrays, launch

    filter_ = parameters.get("guidance")
    stream = arrays.stream_for(image, stream)
    raster = arrays.resident(image, stream, not isinstance(filter_, Filter) or filter_.grid == "output")
    target = by_size(raster.size, size) if scale is None else by_scale(raster.size, scale)
    if isinstance(filter_, Filter):
        filter_.check_fit(raster.size, target, raster.channels)
    grid = Grid.of(raster.size, target, raster.real, parameters.get("window"))
    shape = (target[1], target[0], *tuple(image.shape)[2:])
    return launch.downscale_resident(raster, grid, method.name, parameters, shape, stream)
