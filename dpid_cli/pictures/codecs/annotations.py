"""Types in the signatures of codecs, which import them for type checkers alone."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray
from PIL import Image

from dpid_cli.pictures.codecs.images import Frames, HighDepthImage, Samples
from dpid_cli.pictures.georeference import GeoReference
from dpid_cli.pictures.limits import Limits
from dpid_cli.pictures.picture import Metadata, Palette
from dpid_cli.pictures.profiles import Colours

__all__ = [
    "Colours",
    "Frames",
    "GeoReference",
    "HighDepthImage",
    "Image",
    "Limits",
    "Metadata",
    "Opened",
    "Palette",
    "Pixels",
    "Samples",
]

Opened: TypeAlias = Image.Image | HighDepthImage
Pixels: TypeAlias = NDArray[Any]
