"""An image, its metadata, and the images of one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fractions import Fraction

    from dpid_cli.pictures.cicp import Cicp
    from dpid_cli.pictures.georeference import GeoReference

_DEPTHS = {"uint8": "", "uint16": ";16", "float32": ";F"}
_FULL = {"uint8": 255, "uint16": 65535, "float32": 1}


@dataclass(frozen=True)
class Metadata:
    """What describes an image, whatever its size.

    Attributes
    ----------
    exif : bytes
        EXIF tags as Pillow's ``Exif.tobytes`` writes them, without orientation and thumbnail.
    xmp : bytes
        An XMP packet, in UTF-8.
    dpi : (float, float) or None
        Pixels per inch, horizontally and vertically.
    comment : bytes
    text : tuple of (str, str)
        Keywords and texts.
    software : str
        What made the pixels; if empty, what EXIF and texts say.
    iptc : bytes
        IPTC records (IIM), unchanged.
    density : (float, float) or None
        Pixels per unit, horizontally and vertically, where the unit is unknown or stands in `stack`.
    stack : bytes
        A description of all pages of a file together, as microscopes write it.
    georeference : GeoReference or None
        Where the pixels lie on the earth.
    orientation : int
        How the image lies that positions refer to, 1 to 8 as in EXIF, if a decoder turned it upright.
    """

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    comment: bytes = b""
    text: tuple[tuple[str, str], ...] = ()
    software: str = ""
    iptc: bytes = b""
    density: tuple[float, float] | None = None
    stack: bytes = b""
    georeference: GeoReference | None = None
    orientation: int = 1

    def of_frames(self) -> Metadata:
        """What frames after the first need of it, for their size; the first has the metadata of all."""
        return Metadata(dpi=self.dpi, density=self.density, orientation=self.orientation)


@dataclass(frozen=True)
class Palette:
    """The colours that indices stand for.

    Attributes
    ----------
    colours : (n, 3) ndarray
        uint8, for all indices that the image uses, or more.
    alpha : bytes
        The alpha of the first colours; the others are opaque.
    """

    colours: NDArray[np.uint8]
    alpha: bytes = b""


@dataclass(frozen=True)
class Picture:
    """An upright image.

    Attributes
    ----------
    pixels : (H, W[, C]) ndarray
        uint8, uint16 or float32; floats are intensities from 0 to 1 and may exceed 1.
    alpha : bool
        Whether the last channel is straight alpha.
    icc_profile : bytes or None
        Colour profile of the pixels.
    format : str
        Name in `FORMATS` of the format it was read from; empty if it was not read.
    metadata : Metadata
    duration : float or None
        How long a frame of an animation is shown, in ms.
    orientation : int
        How the file stores it, 1 to 8 as in EXIF.
    uncropped : (int, int) or None
        Width and height of the upright image, if it was cropped.
    part : tuple of four numbers or None
        Left, top, width and height of what is left of it, if it was cropped elsewhere than at the right and
        the bottom. `pixels` has the whole pixels that it touches.
    pages : int
        How many pages of its file are read.
    palette : Palette or None
        If given, `pixels` (H, W) are indices of its colours.
    cicp : Cicp or None
        The same colours as code points, if the file has them. Without a profile, they are ones that no
        profile describes, such as HDR.
    bits : int or None
        Bits a channel in the file, if those of the pixels are more.
    """

    pixels: NDArray[Any]
    alpha: bool
    icc_profile: bytes | None
    format: str = ""
    metadata: Metadata = field(default_factory=Metadata)
    duration: float | None = None
    orientation: int = 1
    uncropped: tuple[int, int] | None = None
    part: tuple[int | Fraction, ...] | None = None
    pages: int = 1
    palette: Palette | None = None
    cicp: Cicp | None = None
    bits: int | None = None

    @property
    def only_by_code(self) -> bool:
        """Whether nothing but code points says what the colours are, so that they cannot be converted."""
        return self.cicp is not None and self.icc_profile is None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def channels(self) -> int:
        """Number of channels, alpha included; those of its colours for a palette."""
        if self.palette is not None:
            return 3
        return 1 if self.pixels.ndim == 2 else int(self.pixels.shape[2])

    @property
    def resolution(self) -> tuple[float, float] | None:
        """Pixels per some unit, horizontally and vertically, upright; None if the file does not tell."""
        values = self.metadata.density or self.metadata.dpi
        turned = max(self.orientation, self.metadata.orientation) > 4  # one of them is 1
        return values[::-1] if values and turned else values

    @property
    def opaque(self) -> bool:
        """Whether no pixel is transparent."""
        return not self.alpha or bool(self.pixels[..., -1].min() >= _FULL[self.pixels.dtype.name])

    @property
    def mode(self) -> str:
        """``L``, ``LA``, ``RGB``, ``RGBA`` (``;16`` follows for uint16, ``;F`` for float32), or ``P``."""
        if self.palette is not None:
            return "P"
        return ("L", "LA", "RGB", "RGBA")[self.channels - 1] + _DEPTHS[self.pixels.dtype.name]


@dataclass(frozen=True)
class PictureSequence:
    """The images of one file.

    Attributes
    ----------
    kind : {'still', 'animation', 'pages'}
        One image; frames of one size, shown one after the other; or independent images.
    pictures : iterator of Picture
        Decoded one by one, on demand.
    count : int
    plays : int
        How often an animation is played; 0 means for ever.
    """

    kind: str
    pictures: Iterator[Picture]
    count: int = 1
    plays: int = 0
