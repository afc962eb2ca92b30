"""`dpid_cli.batch`: pairs of paths in, results out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import fields
from typing import Any

from dpid_cli.batching.runner import run
from dpid_cli.batching.spec import Order, Want
from dpid_cli.batching.worker import Item, Result
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.registry import PARAMETERS
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import ArgumentError

_OF_FILES = {f.name for f in fields(Recipe)} - {"size", "method", "parameters", "threads"}
StrPath = str | os.PathLike[str]


def batch(
    pairs: Iterable[tuple[StrPath, StrPath]],
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    fit: str = "exact",
    method: str = "dpid",
    executor: Executor | None = None,
    workers: int | None = None,
    pending: int | None = None,
    chunk: int = 1,
    overwrite: bool = False,
    **options: Any,
) -> Iterator[Result]:
    """Downscale many image files, several at a time.

    Parameters
    ----------
    pairs : iterable of (path, path)
        Inputs and where their results go; taken as they are needed. The extension of a result is its format.
        No two results may have one path.
    scale : float, optional
        How many times smaller each side becomes, any real number >= 1. Give either `scale` or `size`.
    size : (int, int), optional
        (width, height) of the results.
    fit : {"exact", "inside", "cover"}, default "exact"
        Whether results have exactly that size, or keep their aspect ratio and lie inside it or just cover it.
    method : str, default "dpid"
        A name in `dpid_cli.METHODS`.
    executor : concurrent.futures.Executor, optional
        What does the work: threads, processes or a cluster's. It is not shut down. By default, threads of
        this process; decoders, kernels and encoders hold no lock.
    workers : int, optional
        Images at a time, by default one for each available processor. The results do not depend on it.
    pending : int, optional
        The most chunks that are handed to the executor and not done; by default twice `workers`.
    chunk : int, default 1
        Pairs that are handed over together.
    overwrite : bool, default False
        Whether existing results are replaced; otherwise their inputs fail.
    **options
        The parameters of the method, as for `dpid_cli.downscale`; and what the options of the command say of
        files: `depth`, `linear`, `to_srgb`, `transparency`, `background`, `metadata`, `record`, `max_pixels`,
        `truncated`, and `encoding`, a mapping such as ``{"quality": 90}``.

    Yields
    ------
    Result
        What became of each input, in the order in which they are finished: ``input``, ``status`` (``"done"``
        or ``"failed"``), ``outputs``, ``input_size``, ``output_sizes``, ``seconds``, ``error``, ``warnings``.
        A file that fails, for whatever reason, is a result like others.

    Raises
    ------
    DpidError
        If the arguments cannot work, whatever the files hold; at once, before a file is read.

    Notes
    -----
    Memory is bounded by `workers` times what the largest image takes. Whoever stops iterating, drops what
    has not been begun and waits for the rest; no file is left half written.

    Examples
    --------
    >>> import dpid_cli
    >>> pairs = [(f"{k}.png", f"small/{k}.png") for k in range(3)]
    >>> [result.status for result in dpid_cli.batch(pairs, scale=4)]  # there are no such files
    ['failed', 'failed', 'failed']
    """
    if (scale is None) == (size is None):
        raise ArgumentError("size: give either scale or size, not both and not neither")
    asked = SizeRequest("scale", scale) if size is None else SizeRequest("size", size, fit)
    parameters = {name: options.pop(name) for name in PARAMETERS if name in options}
    if unknown := options.keys() - _OF_FILES:
        raise ArgumentError(f"{min(unknown)}: batch has no such argument: leave it out")
    recipe = Recipe(asked, method, parameters, threads=1, **options)
    order = Order((Want(recipe),), overwrite=overwrite)
    order.check()
    count = thread_count(workers)
    items = (Item(os.fspath(source), (os.fspath(target),)) for source, target in pairs)
    return _run(order, items, executor, count, 2 * count if pending is None else pending, chunk)


def _run(
    order: Order, items: Iterable[Item], executor: Executor | None, workers: int, pending: int, chunk: int
) -> Iterator[Result]:
    own = (
        ThreadPoolExecutor(workers, thread_name_prefix="dpid") if executor is None else nullcontext(executor)
    )
    with own as used:
        yield from run(order, items, used, pending=pending, chunk=chunk)
