"""`dpid_cli.batch`: pairs of paths in, results out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypedDict, Unpack

from dpid_cli.batching.items import Item, Result
from dpid_cli.batching.spec import BatchSpec, OutputSpec
from dpid_cli.batching.worker import run
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling import names
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.registry import PARAMETERS
from dpid_cli.downscaling.sizes import SizeRequest, whole
from dpid_cli.errors import ArgumentError

_PAIRS = "give a list of (input, output), such as [('a.png', 'small/a.png')]"

StrPath = str | os.PathLike[str]


class BatchOptions(TypedDict, total=False):
    """Options of `batch`: first those of files, then the parameters of methods, as in `downscale`."""

    crop: Sequence[float] | None
    gravity: str | tuple[float, float] | None
    depth: names.DepthName
    device: names.DeviceName
    linear: bool
    to_srgb: bool
    transparency: names.TransparencyName
    background: str | None
    palette: names.PaletteName
    value_range: tuple[float, float] | None
    metadata: names.MetadataName
    record: bool
    preserve: Sequence[str]
    square_pixels: bool
    encoding: Mapping[str, Any]
    max_pixels: int
    max_frames: int
    frame: int | None
    truncated: names.TruncatedName

    lambda_: float | names.Auto
    alpha: float
    epsilon: float
    variant: names.VariantName
    guidance: names.GuidanceName | StrPath | Filter
    normalize: names.NormalizeName
    noise: float | names.Auto | Sequence[float]
    window: int | None
    beta: float
    power: float
    form: names.FormName
    seed: int
    cell: int | None
    position: names.PositionName
    gate: StrPath | Filter | None


def batch(
    pairs: Iterable[tuple[StrPath, StrPath]],
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    fit: names.FitName = "exact",
    method: names.MethodName = "dpid",
    executor: Executor | None = None,
    workers: int | None = None,
    pending: int | None = None,
    chunk: int = 1,
    overwrite: bool = False,
    **options: Unpack[BatchOptions],
) -> Iterator[Result]:
    """Downscale many image files, several at a time.

    Parameters
    ----------
    pairs : iterable of (path, path)
        Inputs and their outputs, taken when they are needed. The extension of an output selects its format.
        All outputs must have different paths.
    scale : float, optional
        Divide both sides by this number, at least 1. Give either `scale` or `size`.
    size : (int, int), optional
        (width, height) of the outputs.
    fit : {"exact", "inside", "cover", "fill"}, default "exact"
        Resize to exactly `size`, or keep the aspect ratio and fit inside it, just cover it, or fill it: crop
        what does not fit.
    gravity : str or (float, float), optional
        For fit "fill": the part to keep, "centre" (default), "north", "northeast" and so on; "detail", where
        ``dpid`` differs most from ``box``; or a point of the image that should lie in the middle.
    crop : (float, float, float, float), optional
        Use only this part of each image: left, top, width and height, as in `dpid_cli.downscale`.
    method : str, default "dpid"
        A name in `dpid_cli.METHODS`.
    executor : concurrent.futures.Executor, optional
        Runs the work on threads, in processes or on a cluster; it is not shut down. By default, threads of
        this process; decoders, kernels and encoders release Python's lock.
    workers : int, optional
        Images at a time, by default one per available CPU. The outputs do not depend on it.
    pending : int, optional
        The most chunks that are handed to the executor and not yet done, by default twice `workers`.
    chunk : int, default 1
        Pairs to hand over together.
    overwrite : bool, default False
        Replace existing outputs; otherwise their inputs fail. Inputs are never replaced.
    depth : {"keep", "8", "16"}, default "keep"
        Bits per channel of the outputs.
    device : {"cpu", "cuda", "auto"}, default "cpu"
        Where to compute.
    linear, to_srgb : bool, default False
        Average in linear light (weights still use the encoded values); convert colours to sRGB first.
    transparency : {"premultiply", "separate", "drop"}, default "premultiply"
        Weight colours by alpha, scale colours and alpha independently, or composite onto `background`.
    background : str, optional
        A colour of sRGB in CSS notation, for transparency "drop"; white by default.
    palette : {"expand", "keep"}, default "expand"
        Turn images with a palette into colours, or keep indices and palette, with "nearest" or "subsample".
    value_range : (float, float), optional
        The values of black and white in images of floats, as in `dpid_cli.downscale`. Depths 8 and 16 store
        them as the smallest and largest level.
    metadata : {"keep", "colour", "strip"}, default "keep"
        Keep all metadata that the format can store, only the colour profile, or nothing.
    record : bool, default True
        Record method, parameters and version in the output.
    preserve : sequence of {"times", "mode"}, optional
        Give outputs the modification time and the permissions of their input. Copies always keep the time.
    square_pixels : bool, default False
        Make pixels square by the resolution of the input. `scale` and `size` apply to the image with square
        pixels, which is the part that remains when the finer side is averaged.
    encoding : mapping, optional
        Options of the encoder, such as ``{"quality": 90}`` or ``{"target_size": 200_000}``: `quality`,
        `target_size` in bytes, `lossless`, `subsampling`, `progressive`, `effort` and `colors`.
    max_pixels, max_frames : int
        Refuse inputs with more pixels in an image (512 million), or more frames or pages (10,000).
    frame : int, optional
        Use only this frame or page, counted from 0, or from the end if negative.
    truncated : {"error", "accept"}, default "error"
        Fail on truncated files, or use the part that can be decoded.
    **options
        The parameters of the method: `lambda_`, `alpha`, `window` and so on, as in `dpid_cli.downscale`.

    Yields
    ------
    Result
        The outcome for each input, in the order in which they complete: ``input``, ``status`` (``"done"`` or
        ``"failed"``), ``outputs``, ``input_size``, ``output_sizes``, ``seconds``, ``error``, ``warnings``.
        A failed input, whatever the reason, yields a result like the others.

    Raises
    ------
    DpidError
        At once, if the arguments cannot work for any files.

    Notes
    -----
    Memory is bounded by `workers` times the needs of the largest image. Ending the iteration early drops
    pairs that have not begun and waits for the others; no output is left half written.

    Examples
    --------
    >>> import dpid_cli
    >>> pairs = [(f"{k}.png", f"small/{k}.png") for k in range(3)]
    >>> [result.status for result in dpid_cli.batch(pairs, scale=4)]  # there are no such files
    ['failed', 'failed', 'failed']
    """
    if (scale is None) == (size is None):
        raise ArgumentError("size: give either scale or size, not both or neither")
    if size is None and fit != "exact":
        raise ArgumentError("fit: works only with size: omit it, or give size")
    if unknown := options.keys() - BatchOptions.__annotations__.keys():
        raise ArgumentError(f"{min(unknown)}: batch has no such argument: omit it")
    if not isinstance(overwrite, bool):
        raise ArgumentError(f"overwrite must be True or False (got {overwrite!r})")
    request = SizeRequest("scale", scale) if size is None else SizeRequest("size", size, fit)
    rest: dict[str, Any] = dict(options)
    parameters = {name: rest.pop(name) for name in PARAMETERS if name in rest}
    recipe = Recipe(request, method, parameters, threads=1, **rest)
    spec = BatchSpec((OutputSpec(recipe),), overwrite=overwrite).checked()
    count = thread_count(workers)
    pending = 2 * count if pending is None else whole("pending", pending)
    if executor is not None and not isinstance(executor, Executor):
        raise ArgumentError(f"executor must be a concurrent.futures.Executor (got {executor!r})")
    try:
        items = map(_item, pairs)
    except TypeError:
        items = None
    if items is None or isinstance(pairs, str | bytes | os.PathLike):
        raise ArgumentError(f"pairs: {pairs!r} is no list: {_PAIRS}")
    return _run(spec, items, executor, count, pending, whole("chunk", chunk))


def _item(pair: object) -> Item:
    """One of the pairs, or an `ArgumentError` if it is none."""
    paths = pair if isinstance(pair, tuple | list) else ()
    if len(paths) != 2 or not all(isinstance(path, str | os.PathLike) for path in paths):
        raise ArgumentError(f"pairs: {pair!r} is no pair of paths: {_PAIRS}")
    return Item(os.fspath(paths[0]), (os.fspath(paths[1]),))


def _run(
    spec: BatchSpec, items: Iterable[Item], executor: Executor | None, workers: int, pending: int, chunk: int
) -> Iterator[Result]:
    own = (
        ThreadPoolExecutor(workers, thread_name_prefix="dpid") if executor is None else nullcontext(executor)
    )
    with own as used:
        yield from run(spec, items, used, pending=pending, chunk=chunk)
