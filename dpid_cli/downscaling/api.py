"""`dpid_cli.downscale`: an array in, a smaller array out. No paths, no printing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling import computing, devices, images
from dpid_cli.downscaling.automatic import is_automatic, settled
from dpid_cli.downscaling.choices import Device
from dpid_cli.downscaling.filters import Filter, resolved
from dpid_cli.downscaling.maps import Maps
from dpid_cli.downscaling.names import (
    Auto,
    DeviceName,
    FormName,
    GuidanceName,
    MethodName,
    NormalizeName,
    PositionName,
    VariantName,
)
from dpid_cli.downscaling.parameters import PARAMETERS
from dpid_cli.downscaling.pixel_types import PixelType
from dpid_cli.downscaling.raster import Array, Raster, as_array, channels_back, channels_last, check_source
from dpid_cli.downscaling.registry import METHODS, Method, equivalent, method_named
from dpid_cli.downscaling.sizes import Size, requested
from dpid_cli.downscaling.transfer import Transfer, transfer_of
from dpid_cli.downscaling.value_range import ValueRange, check_intensities
from dpid_cli.errors import ArgumentError

if TYPE_CHECKING:
    from dpid_cli.downscaling.images import PillowImage
    from dpid_cli.downscaling.options import Options


@overload
def downscale(image: PillowImage, **options: Unpack[Options]) -> PillowImage: ...
@overload
def downscale(image: ArrayLike, **options: Unpack[Options]) -> NDArray[Any]: ...
def downscale(
    image: ArrayLike | PillowImage,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    method: MethodName = "dpid",
    lambda_: float | Auto | None = None,
    alpha: float | None = None,
    epsilon: float | None = None,
    variant: VariantName | None = None,
    guidance: GuidanceName | str | os.PathLike[str] | Filter | NDArray[Any] | PillowImage | None = None,
    normalize: NormalizeName | None = None,
    noise: float | Auto | Sequence[float] | None = None,
    window: int | None = None,
    beta: float | None = None,
    power: float | None = None,
    form: FormName | None = None,
    seed: int | None = None,
    cell: int | None = None,
    position: PositionName | None = None,
    gate: ArrayLike | str | os.PathLike[str] | Filter | None = None,
    linear: bool | Transfer = False,
    value_range: tuple[float, float] | None = None,
    importance: ArrayLike | PillowImage | None = None,
    crop: tuple[float, float, float, float] | None = None,
    channel_axis: int | None = None,
    threads: int | None = None,
    device: DeviceName = "cpu",
    stream: Any = None,
) -> NDArray[Any] | PillowImage:
    """Downscale an image so that small details survive.

    Parameters
    ----------
    image : (H, W[, C]) array_like, or an image of Pillow
        An array with any number of channels, all treated alike: uint8, uint16, bool, or floats with
        intensities in [0, 1]. Values somewhat outside are computed unchanged; floats below -1 or above 2, and
        other integers, only if the result does not depend on which value is white, else they need
        `value_range`. An image of Pillow has colours and alpha: transparent colours do not count.
    scale : float, optional
        How many times smaller each side becomes, any real number >= 1. Output sides are rounded half up,
        at least 1. Give either `scale` or `size`.
    size : (int, int), optional
        (width, height) of the output, each at least 1 and at most the image's own. The shape of arrays, and
        scikit-image's ``output_shape``, is (rows, columns): (height, width).
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
        The values of black and white in an image of floats, or of integers other than uint8 and uint16, such
        as (0, 255) or (-430.0, 8849.0). They are mapped to [0, 1] before, and the output is mapped back.
        (0, 1) computes any values unchanged.
    importance : (H, W) array_like, optional
        How much each pixel counts, 0 or more, for ``dpid``, ``dpp`` and ``box``: its coverage is multiplied
        by it. Only ratios matter. A window without any importance becomes its guidance, from plain means.
    crop : (float, float, float, float), optional
        Use only this part: left, top, width, height. ``dpid``, ``dpp``, ``box``, ``max`` and ``min`` take
        fractions: pixels at the edges count by the part inside.
    channel_axis : int, optional
        Which axis of a 3-D array has the channels; by default the last. The output has them there, too.
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
    (h, w[, C]) ndarray, or an image of Pillow
        Same dtype and channels as `image`, or its mode and `info`; integers and bool are rounded to nearest,
        halves up. For an image in GPU memory (CuPy, PyTorch: anything with ``__cuda_array_interface__`` or
        ``__dlpack__``) it is an array there, with ``__cuda_array_interface__``, that the stream will fill.
        Nothing is copied to CPU memory, and floats are not checked.

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
    rules. Computed in float32, or in float64 for float64 images and integers beyond 65536.

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

    An image of Pillow becomes one:

    >>> from PIL import Image
    >>> dpid_cli.downscale(Image.new("RGBA", (640, 480)), size=(160, 120)).mode
    'RGBA'
    """
    options = dict(locals())
    del options["image"]
    if images.is_pillow(guidance):
        options["guidance"] = as_array(guidance, "guidance")
    if images.is_pillow(image):
        return images.downscaled(image, downscale, options)
    if crop is not None:
        from dpid_cli.downscaling import cropping

        output = downscale(**cropping.applied(options | {"image": image}, automatic))
        return channels_back(output, channel_axis)
    del options["crop"]
    arguments = {name: value for name, value in options.items() if name in PARAMETERS}
    return _of_array(image, arguments, **{n: value for n, value in options.items() if n not in arguments})


def _of_array(
    image: Any,
    arguments: dict[str, Any],
    *,
    scale: float | None,
    size: tuple[int, int] | None,
    method: str,
    linear: bool | Transfer,
    value_range: tuple[float, float] | None,
    importance: Any,
    channel_axis: int | None,
    threads: int | None,
    device: str,
    stream: Any,
) -> NDArray[Any]:
    """`downscale` for an array; `arguments` are the parameters of the method."""
    check_source(image)
    count = devices.thread_count(threads)
    chosen = method_named(method)
    transfer = transfer_of(linear)
    own = arguments.pop("guidance") if isinstance(arguments["guidance"], np.ndarray) else None
    if own is not None and not chosen.takes_filter:
        raise ArgumentError(f"guidance: method {method} takes no image: leave it out")
    resident = devices.lies_on_gpu(image)
    if resident and channel_axis is not None:
        raise ArgumentError("channel_axis: is for images in the memory of the CPU: leave it out")
    original: Any = image if resident else channels_last(as_array(image), channel_axis)
    kind = None if resident else PixelType.of(original, value_range is not None)
    pixels: Any = original if kind is None else kind.converted(original)
    mapped = importance is not None or own is not None
    device = Device.CPU if mapped and device == Device.AUTO and not resident else device
    on_gpu = devices.device_for(device, chosen, pixels, linear=transfer is not None) == Device.CUDA
    given = resolved(chosen, arguments)
    parameters = chosen.parameters(given)
    span = ValueRange.of(value_range, None if resident else pixels.dtype)
    if on_gpu and mapped:
        raise ArgumentError("importance, guidance: maps work on the CPU only: use device cpu")
    if kind is None:
        result: NDArray[Any] = computing.resident(pixels, chosen, parameters, scale, size, stream)
        return result
    if stream is not None:
        raise ArgumentError("stream: is for images in GPU memory only: leave it out")
    raster = Raster.of(pixels if span is None else span.intensities(pixels), last=channel_axis is not None)
    target = requested(raster.size, scale, size)
    if target != raster.size and is_automatic(given):
        given |= _automatic(pixels, target, chosen, given, linear, span)
        parameters = chosen.parameters(given)
    grid = computing.grid_of(raster, target, parameters)
    chosen, parameters = equivalent(chosen, parameters)
    own = _guiding(own, kind, span)
    if grid.size == raster.size and grid.window is None:
        Maps.of(importance, own, raster, target)
        return channels_back(np.array(original, original.dtype.newbyteorder("=")), channel_axis)
    if span is None and chosen.needs_intensities(parameters, transfer is not None):
        kind.check_range()
        check_intensities(raster)
    output = computing.computed(raster, grid, chosen, parameters, transfer, (importance, own), count, on_gpu)
    output = kind.restored(output if span is None else span.values(output))
    return channels_back(output.reshape(*grid.size[::-1], *pixels.shape[2:]), channel_axis)


def _guiding(own: Array | None, kind: PixelType, span: ValueRange | None) -> Array | None:
    """A given guidance as intensities, or integers that stand for them."""
    if own is None:
        return None
    own = kind.guiding(own)
    return span.intensities(own) if span is not None and own.dtype.kind == "f" else own


def automatic(
    image: ArrayLike,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    method: MethodName = "dpid",
    linear: bool | Transfer = False,
    value_range: tuple[float, float] | None = None,
    channel_axis: int | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Find the numbers that "auto" stands for in `downscale` with the same arguments.

    Parameters
    ----------
    image : (H, W[, C]) array_like
    scale, size, method, linear, value_range, channel_axis
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
    if not is_automatic(chosen.parameters(given).as_dict()):
        return {}
    pixels = channels_last(as_array(image), channel_axis)
    pixels = PixelType.of(pixels, value_range is not None).converted(pixels)
    target = requested(Raster.of(pixels, last=channel_axis is not None).size, scale, size)
    return _automatic(pixels, target, chosen, given, linear, ValueRange.of(value_range, pixels.dtype))


def _automatic(
    pixels: Array,
    target: Size,
    method: Method,
    given: Mapping[str, Any],
    linear: bool | Transfer,
    span: ValueRange | None,
) -> dict[str, Any]:
    """`automatic` for pixels as kernels read them, apart from their range of values."""
    settings = method.parameters(given).as_dict()
    pixels = pixels if span is None else span.intensities(pixels)
    # Draws would only disturb.
    plain = {name: value for name, value in settings.items() if name in METHODS["dpp"].defaults}
    simple: MethodName = "dpid" if method.name == "dpid" else "dpp"

    def shrink(part: NDArray[Any], to: Size, settings: Mapping[str, Any]) -> NDArray[Any]:
        axis = -1 if part.ndim == 3 else None
        return downscale(
            part, size=to, method=simple, linear=linear, threads=1, channel_axis=axis, **settings
        )

    found = settled(plain, pixels, target, shrink)
    return {name: value for name, value in found.items() if value != plain[name]}
