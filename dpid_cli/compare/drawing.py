"""Draw sheets into files with Matplotlib, so that every pixel of an image becomes exactly one pixel."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, Any
from xml.etree import ElementTree

import numpy as np

from dpid_cli.compare.sheet import Box, Sheet
from dpid_cli.compare.sheet import Image as Placed

# Kinds of files that consist of pixels, with what their encoders are told.
RASTERS: dict[str, dict[str, Any]] = {
    "png": {},
    "jpeg": {"quality": 95, "subsampling": 0},
    "webp": {"lossless": True},
}
_DPI = 144  # a pixel is half a point: text of 16 pixels has 8 points in a paper
_POINT = 72 / _DPI
# Poppler draws an image one pixel too large if its edges lie exactly on pixel borders.
_INSET = {"pdf": 2**-10}
_SVG = "http://www.w3.org/2000/svg"
_SETTINGS = {
    "font.family": ["DejaVu Sans"],  # part of Matplotlib
    "svg.fonttype": "none",
    "svg.hashsalt": "dpid",  # the same sheet gives the same bytes
    "pdf.fonttype": 42,
    "image.composite_image": False,
    "text.parse_math": False,
}


@contextmanager
def _settings() -> Iterator[None]:
    """Ignore the user's Matplotlib settings, and silence warnings about characters that no font has."""
    import matplotlib as mpl

    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with mpl.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            mpl.rcdefaults()
            mpl.rcParams.update(_SETTINGS)
            yield
    finally:
        logger.setLevel(level)


@cache
def width_of(text: str, size: float, bold: bool) -> float:
    """Width of a line of text, in pixels."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    with _settings():
        font = FontProperties(size=size * _POINT, weight="bold" if bold else "normal")
        return float(RendererAgg(1, 1, _DPI).get_text_width_height_descent(text, font, ismath=False)[0])


def save(sheet: Sheet, stream: IO[bytes], kind: str, title: str, profile: bytes | None = None) -> None:
    """Draw a sheet into a stream, as a file of this kind: png, jpeg, webp, pdf or svg.

    The title goes into the metadata. PDF and SVG cannot store the colour `profile` of the pixels.
    """
    from matplotlib.figure import Figure

    with _settings():
        size = sheet.width / _DPI, sheet.height / _DPI
        figure = Figure(figsize=size, dpi=_DPI, facecolor=sheet.theme.paper)
        for placed in sheet.images:
            figure.add_artist(_pixels(placed, sheet.height, _INSET.get(kind, 0)))
        for box in sheet.boxes:
            _add_box(figure, box, sheet)
        for text in sheet.texts:
            font: dict[str, Any] = {
                "fontsize": text.size * _POINT,
                "weight": "bold" if text.bold else "normal",
            }
            x, y = text.left / sheet.width, 1 - text.baseline / sheet.height
            figure.text(x, y, text.text, color=text.colour, va="baseline", parse_math=False, **font)
        _write(figure, stream, kind, title, profile)


def _write(figure: Any, stream: IO[bytes], kind: str, title: str, profile: bytes | None) -> None:
    options: dict[str, Any] = {"format": kind, "dpi": _DPI}
    if kind in RASTERS:
        options["pil_kwargs"] = RASTERS[kind] | ({"icc_profile": profile} if profile else {})
    if kind in ("png", "pdf"):
        options["metadata"] = {"Title": title, **({"CreationDate": None} if kind == "pdf" else {})}
    if kind != "svg":
        figure.savefig(stream, **options)
        return
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Date": None, "Title": title}, **options)
    stream.write(_in_pixels(buffer.getvalue(), title))


def _in_pixels(svg: bytes, title: str) -> bytes:
    """Give an SVG a size in pixels, because screens cannot show one in points exactly."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own output
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    root.set("width", f"{width / _POINT:g}")
    root.set("height", f"{height / _POINT:g}")
    root.set("role", "img")
    name = ElementTree.Element(f"{{{_SVG}}}title")
    name.text = title
    root.insert(0, name)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _pixels(placed: Placed, height: int, inset: float) -> Any:
    """An artist that passes pixels to the renderer unchanged; Matplotlib's own artists resample them."""
    from matplotlib.artist import Artist
    from matplotlib.transforms import Affine2D

    rows, columns = placed.pixels.shape[:2]
    # Renderers expect four channels and the bottom row first.
    opaque = np.dstack([placed.pixels, np.full((rows, columns), 255, np.uint8)])[::-1]
    left, bottom = placed.left, height - placed.top - rows

    class Pixels(Artist):
        def draw(self, renderer: Any) -> None:
            gc = renderer.new_gc()
            if renderer.option_scale_image():
                scaled = Affine2D().scale((columns - 2 * inset) * _POINT, (rows - 2 * inset) * _POINT)
                renderer.draw_image(gc, (left + inset) * _POINT, (bottom + inset) * _POINT, opaque, scaled)
            else:
                renderer.draw_image(gc, left, bottom, opaque)
            gc.restore()

    return Pixels()


def _add_box(figure: Any, box: Box, sheet: Sheet) -> None:
    """Add a filled rectangle, or four for a border, because strokes are blurred or half a pixel off."""
    from matplotlib.patches import Rectangle

    left, top, right, bottom = box.left, box.top, box.right, box.bottom
    parts = [(left, top, right, bottom)]
    if (edge := box.border) is not None:
        inner = top + edge, bottom - edge
        parts = [
            (left, top, right, inner[0]),
            (left, inner[1], right, bottom),
            (left, inner[0], left + edge, inner[1]),
            (right - edge, inner[0], right, inner[1]),
        ]
    paint: dict[str, Any] = {"facecolor": box.colour, "linewidth": 0, "antialiased": False}
    for x, y, end, lower in parts:
        place = (x / sheet.width, 1 - lower / sheet.height)
        size = (end - x) / sheet.width, (lower - y) / sheet.height
        figure.add_artist(Rectangle(place, *size, transform=figure.transFigure, **paint))
