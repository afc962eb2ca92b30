"""Draw sheets into files with Matplotlib, so that every pixel of an image becomes exactly one pixel."""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from typing import IO, Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from dpid_cli.compare.sheet import POINT, Box, Line, Sheet, Text
from dpid_cli.compare.sheet import Image as Placed
from dpid_cli.compare.wrapping import Measure
from dpid_cli.errors import ArgumentError


class _Raster(NamedTuple):
    options: dict[str, Any]  # for Pillow
    side: float  # the longest that a file or Matplotlib can have, in pixels


# Kinds of files that consist of pixels.
RASTERS = {
    "png": _Raster({}, 65_535),
    "jpeg": _Raster({"quality": 95, "subsampling": 0}, 65_500),
    "webp": _Raster({"lossless": True}, 16_383),
}
_FONT = "DejaVu Sans"  # part of Matplotlib
_DPI = 72 / POINT  # at which Matplotlib draws pixels, whatever their size in the file
# Poppler draws an image one pixel too large if its edges lie exactly on pixel borders.
_INSET = {"pdf": 2**-10}
_SVG = "http://www.w3.org/2000/svg"
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dpid",  # the same sheet gives the same bytes
    "pdf.fonttype": 42,
    "image.composite_image": False,
    "text.parse_math": False,
}


@contextmanager
def _settings(font: str | None) -> Iterator[None]:
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
            mpl.rcParams["font.family"] = [font, _FONT] if font else [_FONT]
            yield
    finally:
        logger.setLevel(level)


def check_font(family: str) -> None:
    """Raise an `ArgumentError` if no font of this family is installed."""
    from matplotlib import font_manager

    generic = font_manager.font_family_aliases
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    if family not in known | generic:
        near = get_close_matches(family, known, n=3, cutoff=0.5) or [_FONT, "DejaVu Serif", "STIXGeneral"]
        raise ArgumentError(f"--font: {family!r} is not installed: use a family such as {', '.join(near)}")


def measure_with(font: str | None) -> Measure:
    """What measures texts in a font family: the width in pixels of a line of some size, bold or not."""
    return lambda text, size, bold: _width_of(font, text, size, bold)


@cache
def _width_of(font: str | None, text: str, size: float, bold: bool) -> float:
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    with _settings(font):
        properties = FontProperties(size=size * POINT, weight="bold" if bold else "normal")
        return float(RendererAgg(1, 1, _DPI).get_text_width_height_descent(text, properties, ismath=False)[0])


def save(
    sheet: Sheet,
    stream: IO[bytes],
    kind: str,
    title: str,
    profile: bytes | None = None,
    font: str | None = None,
) -> None:
    """Draw a sheet into a stream, as a file of this kind: png, jpeg, webp, pdf or svg.

    The title goes into the metadata. PDF and SVG cannot store the colour `profile` of the pixels.
    """
    from matplotlib.figure import Figure

    most = RASTERS[kind].side if kind in RASTERS else math.inf
    if max(sheet.width, sheet.height) > most:
        raise ArgumentError(
            f"--output: {sheet.width}x{sheet.height} pixels are too many for a {kind} file: use fewer "
            "variants, a smaller --zoom, or .pdf"
        )
    with _settings(font):
        # Vector files have the size that was requested, pixels are drawn at their usual one.
        inch = (POINT if kind in RASTERS else sheet.point) / 72
        figure = Figure(
            figsize=(sheet.width * inch, sheet.height * inch), dpi=_DPI, facecolor=sheet.theme.paper
        )
        _Artist(figure, sheet, inch, _INSET.get(kind, 0)).add_all()
        _write(figure, stream, kind, title, profile, sheet)


def _write(
    figure: Any, stream: IO[bytes], kind: str, title: str, profile: bytes | None, sheet: Sheet
) -> None:
    options: dict[str, Any] = {"format": kind, "dpi": _DPI}
    if kind in RASTERS:
        options["pil_kwargs"] = RASTERS[kind].options | ({"icc_profile": profile} if profile else {})
        if kind != "webp":  # which stores no resolution
            options["pil_kwargs"]["dpi"] = (72 / sheet.point, 72 / sheet.point)
    if kind in ("png", "pdf"):
        options["metadata"] = {"Title": title, **({"CreationDate": None} if kind == "pdf" else {})}
    if kind != "svg":
        figure.savefig(stream, **options)
        return
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Date": None, "Title": title}, **options)
    stream.write(_sized(buffer.getvalue(), title, sheet))


def _sized(svg: bytes, title: str, sheet: Sheet) -> bytes:
    """Give an SVG its width, in the unit of the request, else in pixels, which screens show exactly."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own output
    unit = sheet.length.unit if sheet.length else "px"
    value = sheet.length.value if sheet.length else sheet.width
    root.set("width", f"{value:g}{unit.replace('px', '')}")
    root.set("height", f"{value * sheet.height / sheet.width:.6g}{unit.replace('px', '')}")
    root.set("role", "img")
    if root.find(f"{{{_SVG}}}title") is None:  # as older versions of Matplotlib leave it
        name = ElementTree.Element(f"{{{_SVG}}}title")
        name.text = title
        root.insert(0, name)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


class _Artist:
    """Adds the parts of a sheet to a Matplotlib figure, in which a pixel is `inch` wide."""

    def __init__(self, figure: Any, sheet: Sheet, inch: float, inset: float) -> None:
        from matplotlib.transforms import Affine2D

        self.figure, self.sheet, self.inch, self.inset = figure, sheet, inch, inset
        flipped = Affine2D().translate(0, -sheet.height).scale(inch, -inch)
        self.pixels = flipped + figure.dpi_scale_trans  # from pixels of the sheet, downwards from its top

    def add_all(self) -> None:
        for placed in self.sheet.images:
            self.figure.add_artist(self.image(placed))
        for box in self.sheet.boxes:
            self.add_box(box)
        for line in self.sheet.lines:
            self.add_line(line)
        for text in self.sheet.texts:
            self.add_text(text)

    def image(self, placed: Placed) -> Any:
        """An artist that passes pixels to the renderer unchanged; Matplotlib's own artists resample them."""
        from matplotlib.artist import Artist
        from matplotlib.transforms import Affine2D

        rows, columns = placed.pixels.shape[:2]
        # Renderers expect four channels and the bottom row first.
        opaque = np.dstack([placed.pixels, np.full((rows, columns), 255, np.uint8)])[::-1]
        left, bottom = placed.left, self.sheet.height - placed.top - rows
        point, inset = self.inch * 72, self.inset

        class Pixels(Artist):
            def draw(self, renderer: Any) -> None:
                gc = renderer.new_gc()
                if renderer.option_scale_image():
                    scaled = Affine2D().scale((columns - 2 * inset) * point, (rows - 2 * inset) * point)
                    renderer.draw_image(gc, (left + inset) * point, (bottom + inset) * point, opaque, scaled)
                else:
                    renderer.draw_image(gc, left, bottom, opaque)
                gc.restore()

        return Pixels()

    def add_box(self, box: Box) -> None:
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
            self.figure.add_artist(Rectangle((x, y), end - x, lower - y, transform=self.pixels, **paint))

    def add_line(self, line: Line) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Circle

        if len(line.points) == 1:
            dot = Circle(
                line.points[0], line.width / 2, transform=self.pixels, color=line.colour, linewidth=0
            )
            self.figure.add_artist(dot)
            return
        style: dict[str, Any] = {
            "linewidth": line.width * self.inch * 72,
            "color": line.colour,
            "solid_joinstyle": "round",
        }
        x, y = zip(*line.points, strict=True)
        self.figure.add_artist(Line2D(x, y, solid_capstyle="round", transform=self.pixels, **style))

    def add_text(self, text: Text) -> None:
        font = {"fontsize": text.size * self.inch * 72, "weight": "bold" if text.bold else "normal"}
        self.figure.text(
            text.x,
            text.baseline,
            text.text,
            color=text.colour,
            transform=self.pixels,
            ha=text.align,
            va="baseline",
            parse_math=False,
            **font,
        )
