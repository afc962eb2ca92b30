"""`dpid_cli.show`: the page of a comparison in a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from dpid_cli.compare.command import command_of
from dpid_cli.compare.comparison import ComparisonSpec
from dpid_cli.compare.documents import name_of
from dpid_cli.compare.page import page_of
from dpid_cli.compare.page_data import data_of, is_plain
from dpid_cli.compare.variants import sweep_of, variants_of
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.images import is_pillow
from dpid_cli.downscaling.raster import Raster, as_array, check_source
from dpid_cli.downscaling.sizes import SizeRequest, pixels
from dpid_cli.downscaling.value_range import check_intensities
from dpid_cli.errors import ArgumentError, DpidError
from dpid_cli.pictures import Picture

if TYPE_CHECKING:
    from dpid_cli.downscaling.images import PillowImage

_THEMES = ("auto", "light", "dark")
_MODES = ("1", "L", "LA", "RGB", "RGBA", "I;16", "F")  # of Pillow, whose pixels are intensities
_WITH_ALPHA, _MOST_CHANNELS = (2, 4), 4
_STYLE = "width: 100%; height: {}px; border: 1px solid #8888; resize: vertical"


def show(
    image: ArrayLike | PillowImage | str | os.PathLike[str],
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    methods: Sequence[str] = (),
    sweeps: Sequence[str] = (),
    value_range: tuple[float, float] | None = None,
    linear: bool = False,
    metrics: bool = False,
    title: str | None = None,
    theme: str = "auto",
    height: int = 720,
) -> None:
    """Compare methods on an image, in a notebook.

    This displays the page that ``dpid compare`` writes, in a frame of the cell's output: swipe between
    outputs, zoom, move lambda. The notebook stores the page, which needs no network.

    Parameters
    ----------
    image : (H, W[, C]) array_like, an image of Pillow, or a path
        An array has up to 4 channels: gray or RGB, with or without alpha. Types as for `downscale`.
    scale : float, optional
        How many times smaller each side becomes. Give either `scale` or `size`.
    size : (int, int), optional
        (width, height) of the outputs.
    methods : sequence of str, optional
        As ``-m`` of ``dpid compare``: ``["box", "dpid:lambda=0.5,alpha=0.1"]``. By default ``dpid``,
        ``dpp``, ``box`` and ``max``, or with `sweeps` only ``dpid``.
    sweeps : sequence of str, optional
        As ``--sweep``, at most two: ``["lambda=0:2:0.25"]``.
    value_range : (float, float), optional
        The values of black and white, if they are not those of the type.
    linear : bool, default False
        Average in linear light.
    metrics : bool, default False
        Measure the outputs and show a table. For images of many megapixels this takes minutes.
    title : str, optional
        By default the name of the file, or "image".
    theme : {"auto", "light", "dark"}, default "auto"
    height : int, default 720
        Of the frame, in pixels. Its lower edge can be dragged in most browsers.

    Raises
    ------
    DpidError
        If an argument is wrong, the image cannot be read, or there is no notebook.
    ModuleNotFoundError
        If IPython is missing, which comes with notebooks and the extra ``notebook``.

    Examples
    --------
    >>> import dpid_cli
    >>> dpid_cli.show("photo.jpg", scale=4, sweeps=["lambda=0:2:0.5"])  # doctest: +SKIP
    """
    display = _display()
    if (scale is None) == (size is None):
        raise ArgumentError("size: give either scale or size, not both or neither")
    if theme not in _THEMES:
        raise ArgumentError(f"theme must be auto, light or dark (got {theme!r})")
    if not isinstance(title, str | None):
        raise ArgumentError(f"title must be a text (got {title!r})")
    style = _STYLE.format(pixels("height", height))
    request = SizeRequest("scale", scale) if size is None else SizeRequest("size", size)
    recipe = Recipe(request, metadata="colour", linear=linear, value_range=value_range)
    variants = variants_of(_words("methods", methods), [sweep_of(word) for word in _words("sweeps", sweeps)])
    spec = ComparisonSpec(recipe, variants, measured=metrics, timed=False)
    spec.check()
    if isinstance(image, str | os.PathLike):
        comparison = spec.run(os.fspath(image))
    else:
        comparison = spec.run_on(_picture_of(image, value_range is not None), title or "image")
    name = title or name_of(comparison.source)
    data = data_of(comparison, is_plain(recipe), command_of(recipe, name_of(comparison.source)))
    page = escape(page_of(data, name, theme))
    label = f"comparison of {name}"
    frame = f'<iframe title="{escape(label)}" style="{style}" srcdoc="{page}"></iframe>'
    display({"text/html": frame, "text/plain": f"<{label}>"}, raw=True)


def _display() -> Callable[..., None]:
    """What displays outputs of a cell."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError as error:
        message = "dpid_cli.show: IPython is missing: pip install 'dpid-cli[notebook]'"
        raise ModuleNotFoundError(message, name="IPython") from error
    if get_ipython() is None:
        raise DpidError("show: there is no notebook: use dpid compare IMAGE -o page.html")
    result: Callable[..., None] = display
    return result


def _words(name: str, words: Sequence[str]) -> Sequence[str]:
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise ArgumentError(f"{name} must be a list of texts (got {words!r})")
    return words


def _picture_of(image: ArrayLike | PillowImage, has_range: bool) -> Picture:
    """An array or an image of Pillow as one that has been read."""
    check_source(image)
    profile = None
    if is_pillow(image):
        if image.mode not in _MODES:
            raise ArgumentError(f'image: the mode {image.mode} is not shown: give image.convert("RGB")')
        profile = image.info.get("icc_profile")
    values = as_array(image)
    if values.dtype.kind == "b":
        values = values.astype(np.uint8) * np.uint8(255)
    elif values.dtype.kind == "f" or has_range:
        values = values.astype(np.float32)
    elif values.dtype not in (np.uint8, np.uint16):
        raise ArgumentError(f"image: {values.dtype} has no known white: give value_range=(black, white)")
    raster = Raster.of(values, most=_MOST_CHANNELS)
    if values.dtype.kind == "f" and not has_range:
        check_intensities(raster)
    if raster.channels == 1:
        values = values.reshape(values.shape[:2])
    return Picture(values, raster.channels in _WITH_ALPHA, profile)
