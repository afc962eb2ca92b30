"""What a file shows and tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from dpid_cli.pictures.metadata import Metadata

_DEPTHS = {"uint8": "", "uint16": ";16", "float32": ";F"}
_FULL = {"uint8": 255, "uint16": 65535, "float32": 1}


@dataclass(frozen=True)
class Picture:
    """Pixels as a file shows them.

    Attributes
    ----------
    pixels : (H, W[, C]) ndarray
        uint8, uint16 or float32, the latter with intensities from 0 to 1 (brighter ones may exceed it).
    alpha : bool
        Whether the last channel is straight alpha.
    icc_profile : bytes or None
        Colour profile of the pixels.
    format : str
        Name in `FORMATS` of the format it was read from.
    metadata : Metadata
        What else the file tells of the picture.
    duration : float or None
        How long a frame of an animation is shown, in ms.
    turned : bool
        Whether the file stores it in another orientation.
    """

    pixels: NDArray[Any]
    alpha: bool
    icc_profile: bytes | None
    format: str
    metadata: Metadata = field(default_factory=Metadata)
    duration: float | None = None
    turned: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def opaque(self) -> bool:
        """Whether nothing shines through."""
        return not self.alpha or bool(self.pixels[..., -1].min() >= _FULL[self.pixels.dtype.name])

    @property
    def mode(self) -> str:
        """``L``, ``LA``, ``RGB`` or ``RGBA``; behind it ``;16`` for uint16 and ``;F`` for float32."""
        channels = 1 if self.pixels.ndim == 2 else self.pixels.shape[2]
        return ("L", "LA", "RGB", "RGBA")[channels - 1] + _DEPTHS[self.pixels.dtype.name]
