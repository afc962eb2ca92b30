"""Files and streams to pictures and back: the only place that knows codecs.

A `Picture` is what a file shows and tells: upright pixels, their colour profile, whether the last channel is
alpha, and metadata. Everything that a codec stores differently (palettes, 1-bit, CMYK, EXIF orientation) is
resolved while reading, so that nothing behind this package needs to know of it.
"""

from __future__ import annotations

from dpid_cli.pictures.formats import FORMATS, WRITTEN, Format, format_in, format_of
from dpid_cli.pictures.frames import read_sequence
from dpid_cli.pictures.metadata import Metadata
from dpid_cli.pictures.picture import Picture
from dpid_cli.pictures.reading import MAX_PIXELS, read, read_size
from dpid_cli.pictures.sequence import MAX_FRAMES, PictureSequence
from dpid_cli.pictures.writing import check_picture, check_sequence, holds_all_of, write, write_sequence

__all__ = [
    "FORMATS",
    "MAX_FRAMES",
    "MAX_PIXELS",
    "WRITTEN",
    "Format",
    "Metadata",
    "Picture",
    "PictureSequence",
    "check_picture",
    "check_sequence",
    "format_in",
    "format_of",
    "holds_all_of",
    "read",
    "read_sequence",
    "read_size",
    "write",
    "write_sequence",
]
