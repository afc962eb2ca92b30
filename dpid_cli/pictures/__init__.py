"""Streams to images and back: the only package that knows codecs.

A `Picture` has upright pixels, their colour profile, and metadata. Reading resolves whatever a format stores
differently (palettes, 1 bit, CMYK, EXIF orientation). `convert` and the floors above import this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dpid_cli.pictures.formats import FORMATS, WRITTEN, Format, format_in, format_of
from dpid_cli.pictures.limits import MAX_FRAMES, MAX_PIXELS

if TYPE_CHECKING:
    from dpid_cli.pictures.picture import Metadata, Picture, PictureSequence
    from dpid_cli.pictures.reading import read, read_sequence, read_size
    from dpid_cli.pictures.writing import check_picture, check_sequence, holds_all_of, write, write_sequence

__all__ = [
    "FORMATS", "MAX_FRAMES", "MAX_PIXELS", "WRITTEN", "Format", "Metadata", "Picture", "PictureSequence",
    "check_picture", "check_sequence", "format_in", "format_of", "holds_all_of", "read", "read_sequence",
    "read_size", "write", "write_sequence",
]  # fmt: skip
_MODULES = {"Metadata": "picture", "Picture": "picture", "PictureSequence": "picture"}
_MODULES |= {"read": "reading", "read_sequence": "reading", "read_size": "reading"}


def __getattr__(name: str) -> Any:
    """Import NumPy and Pillow only with what needs them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'writing')}"), name)
