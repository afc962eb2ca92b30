"""The words that parameters and options accept, each list written once. Imports neither NumPy nor kernels."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from dpid_cli.errors import ArgumentError, either


class Choice(StrEnum):
    """One word of a fixed list; every list is a subclass.

    Examples
    --------
    >>> Fit.words()
    ('inside', 'cover', 'exact', 'fill')
    >>> Fit.named("fit", "cover")
    <Fit.COVER: 'cover'>
    """

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """All words, as plain strings, in the order of help and error messages."""
        return tuple(map(str, cls))

    @classmethod
    def named(cls, name: str, value: object) -> Self:
        """Return the member for `value`, or raise an `ArgumentError` about the argument `name`."""
        try:
            return cls(value)  # type: ignore[arg-type]  # which may be anything
        except ValueError:
            raise ArgumentError(f"{name} must be {either(cls.words())} (got {value!r})") from None


class Automatic(Choice):
    """Stands for a number that suits the image."""

    AUTO = "auto"


class Variant(Choice):
    """Which pixels `dpid` and `dpp` reward: those on both sides of the guidance, or only those above it."""

    SYM, ASYM = "sym", "asym"


class Guidance(Choice):
    """What `dpid` and `dpp` compare pixels with: window means, or these smoothed with [1 2 1]."""

    BOX, GAUSSIAN = "box", "gaussian"


class Normalize(Choice):
    """Whether squared distances are divided by their mean over the window."""

    NONE, MEAN = "none", "mean"


class Form(Choice):
    """Whether a random method draws pixels or computes a mean instead."""

    RANDOM, EXPECTED = "random", "expected"


class Position(Choice):
    """Which pixel of a window `subsample` takes."""

    CORNER, CENTRE = "corner", "centre"


class FilterGrid(Choice):
    """What a learned filter runs over: window means, or the pixels of the image."""

    OUTPUT, INPUT = "output", "input"


class Padding(Choice):
    """What a filter on the input grid reads outside the image."""

    ZERO, REPLICATE, REFLECT = "zero", "replicate", "reflect"


class LinearLight(Choice):
    """How a method works in linear light.

    ``weighed``: weights use the encoded values, their light is averaged. ``mean``: everything is computed
    from light. ``picked``: the method picks pixels, so the result is the same with and without.
    """

    WEIGHED, MEAN, PICKED = "weighed", "mean", "picked"


class Fit(Choice):
    """How an output fits a requested width and height."""

    INSIDE, COVER, EXACT, FILL = "inside", "cover", "exact", "fill"


class Gravity(Choice):
    """Which part of an image fills a size; ``detail`` is where ``dpid`` differs most from ``box``."""

    CENTRE, DETAIL = "centre", "detail"
    NORTH, EAST, SOUTH, WEST = "north", "east", "south", "west"
    NORTHEAST, SOUTHEAST, SOUTHWEST, NORTHWEST = "northeast", "southeast", "southwest", "northwest"


class Device(Choice):
    """Where to compute; ``auto`` is the GPU where one can be used."""

    AUTO, CPU, CUDA = "auto", "cpu", "cuda"


class Depth(Choice):
    """Bits per channel of an output."""

    EIGHT, SIXTEEN, KEEP = "8", "16", "keep"


class Transparency(Choice):
    """How alpha and colours are scaled."""

    PREMULTIPLY, SEPARATE, DROP = "premultiply", "separate", "drop"


class MetadataPolicy(Choice):
    """Which metadata an output keeps."""

    KEEP, COLOUR, STRIP = "keep", "colour", "strip"


class PaletteUse(Choice):
    """Whether images with a palette become colours, or keep their indices and the palette."""

    EXPAND, KEEP = "expand", "keep"


class Truncated(Choice):
    """What to do with truncated files."""

    ERROR, ACCEPT = "error", "accept"


class Interlaced(Choice):
    """What to do with interlaced frames of videos."""

    ERROR, DEINTERLACE, KEEP = "error", "deinterlace", "keep"


class Objective(Choice):
    """What a fit minimises."""

    SSIM, MSSSIM, L2, PAIRS = "ssim", "msssim", "l2", "pairs"


class Enlargement(Choice):
    """How a fit enlarges an output before it compares it with the image."""

    BILINEAR, BICUBIC, BOTH = "bilinear", "bicubic", "both"


class IfSmaller(Choice):
    """What to do with inputs smaller than the requested size."""

    SKIP, COPY, ERROR = "skip", "copy", "error"


class FolderLayout(Choice):
    """Whose names the folders of pairs have."""

    BASICSR, NEOSR, TRAINNER = "basicsr", "neosr", "trainner"


class Preserve(Choice):
    """What outputs take over from the file of their input."""

    TIMES, MODE = "times", "mode"
