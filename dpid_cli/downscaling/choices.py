"""The words that parameters and options accept, each list written once. Imports neither NumPy nor kernels."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from dpid_cli.errors import ArgumentError


class Choice(StrEnum):
    """One word of a fixed list; every list is a subclass.

    Examples
    --------
    >>> Fit.words()
    ('inside', 'cover', 'exact')
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
            return cls(value)
        except ValueError:
            raise ArgumentError(f"{name}: must be {either(cls.words())}: got {value!r}") from None


def either(words: Iterable[str]) -> str:
    """Join alternatives for a message.

    >>> either(["skip", "copy", "error"])
    'skip, copy or error'
    """
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


class Variant(Choice):
    """Which pixels `dpid` and `dpp` reward: those on both sides of the guidance, or only those above it."""

    SYM = "sym"
    ASYM = "asym"


class Guidance(Choice):
    """What `dpid` and `dpp` compare pixels with: window means, or these smoothed with [1 2 1]."""

    BOX = "box"
    GAUSSIAN = "gaussian"


class Normalize(Choice):
    """Whether squared distances are divided by their mean over the window."""

    NONE = "none"
    MEAN = "mean"


class Form(Choice):
    """Whether a random method draws pixels or computes a mean instead."""

    RANDOM = "random"
    EXPECTED = "expected"


class Position(Choice):
    """Which pixel of a window `subsample` takes."""

    CORNER = "corner"
    CENTRE = "centre"


class FilterGrid(Choice):
    """What a learned filter runs over: window means, or the pixels of the image."""

    OUTPUT = "output"
    INPUT = "input"


class Padding(Choice):
    """What a filter on the input grid reads outside the image."""

    ZERO = "zero"
    REPLICATE = "replicate"
    REFLECT = "reflect"


class LinearLight(Choice):
    """How a method works in linear light.

    ``weighed``: weights use the encoded values, their light is averaged. ``mean``: everything is computed
    from light. ``picked``: the method picks pixels, so the result is the same with and without.
    """

    WEIGHED = "weighed"
    MEAN = "mean"
    PICKED = "picked"


class Fit(Choice):
    """How an output fits a requested width and height."""

    INSIDE = "inside"
    COVER = "cover"
    EXACT = "exact"


class Device(Choice):
    """Where to compute; ``auto`` is the GPU where one can be used."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Depth(Choice):
    """Bits per channel of an output."""

    EIGHT = "8"
    SIXTEEN = "16"
    KEEP = "keep"


class Transparency(Choice):
    """How alpha and colours are scaled."""

    PREMULTIPLY = "premultiply"
    SEPARATE = "separate"
    DROP = "drop"


class MetadataPolicy(Choice):
    """Which metadata an output keeps."""

    KEEP = "keep"
    COLOUR = "colour"
    STRIP = "strip"


class Truncated(Choice):
    """What to do with truncated files."""

    ERROR = "error"
    ACCEPT = "accept"


class IfSmaller(Choice):
    """What to do with inputs smaller than the requested size."""

    SKIP = "skip"
    COPY = "copy"
    ERROR = "error"
