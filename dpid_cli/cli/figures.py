"""Options of figures: how they look, and how wide they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli.sections import number, option, wrong
from dpid_cli.errors import ArgumentError

if TYPE_CHECKING:
    from dpid_cli.compare.sheet import Length

OF_LAYOUTS = ("columns", "zoom", "style", "ground")  # which plots do not have
OF_SHEETS = (*OF_LAYOUTS, "font_size", "font", "plot")
_WIDTH = "pixels of the output, or the width of a figure with a unit: 252pt, 89mm, 8.9cm, 3.5in, 800px"


def _width(text: str) -> int | Length:
    from dpid_cli.compare.sheet import length_of

    if re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    try:
        return length_of(text)
    except ArgumentError as error:
        raise wrong(text, _WIDTH, str(error).rpartition(": ")[2]) from None


def _font_size(text: str) -> float:
    if not text.endswith("pt"):
        return number(6, 96)(text)
    return 2 * number(3, 48, whole=False)(text.removesuffix("pt"))


def with_widths(options: list[click.Parameter]) -> list[click.Parameter]:
    """Options in which --width is also that of a figure, if it has a unit."""
    about = "Resize to W pixels wide. With a unit (252pt, 89mm, 3.5in, 800px): the width of the sheet."
    wide = option("--width W", about, _width, multiple=True)
    wide.section = "Size"
    return [wide if one.name == "width" else one for one in options]


def split_widths(options: dict[str, Any]) -> Length | None:
    """Leave the width of outputs in `options`, and return that of the figure."""
    pixels = [width for width in options["width"] if isinstance(width, int)]
    lengths = [width for width in options["width"] if not isinstance(width, int)]
    if len(pixels) > 1 or len(lengths) > 1:
        raise click.UsageError("--width: give at most one in pixels and one with a unit")
    options["width"] = pixels[0] if pixels else None
    return lengths[0] if lengths else None


FIGURE = [
    option("--columns N", "Show N panels in each row of a sheet.", number(1)),
    option("--zoom N", "Draw each pixel of the enlarged parts of a sheet N x N; of whole outputs with "
           "--closeups 0.", number(1, 64)),
    option("--style", "Show enlarged parts as panels, or as insets below the whole output, connected with "
           "their frames on it.", ("panels", "inset"), shown="panels"),
    option("--plot", "Plot detail kept against noise added along lambda, and mark the automatic lambda."),
    option("--ground", "What is seen behind transparent pixels of a sheet.", ("checker", "white", "black"),
           shown="checker"),
    option("--title TEXT", "Set the title of a sheet or page."),
    option("--font-size N", "Set the font size of a sheet in pixels, or in points like 7pt (1 point "
           "is 2 pixels).", _font_size, shown="16"),
    option("--font FAMILY", "Set the font of a sheet, such as STIXGeneral.", shown="DejaVu Sans"),
]  # fmt: skip


def refuse_unused(options: dict[str, Any]) -> None:
    """Raise a usage error for options of sheets that another one makes useless."""
    if options["plot"]:
        _refuse_with_plot(options)
    if options["style"] == "inset" and options["closeups"] == 0:
        raise click.UsageError("--style inset needs an enlarged part: leave --closeups 0 out")


def _refuse_with_plot(options: dict[str, Any]) -> None:
    """Raise a usage error for options that a plot does not use."""
    for name in (*OF_LAYOUTS, "closeup", "closeups"):
        if options[name] not in (None, ()):
            raise click.UsageError(f"--{name} does nothing with --plot: leave one of them out")
    if len(options["sweeps"]) > 1:
        raise click.UsageError("--plot shows one sweep: leave the other --sweep out")
