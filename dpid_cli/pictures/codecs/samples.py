"""Pixels that Pillow would reduce to 8 bits, and images that hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# By Pillow's modes.
CHANNELS = {"L": 1, "I": 1, "I;16": 1, "F": 1, "LA": 2, "RGB": 3, "RGBA": 4}


class Samples(NamedTuple):
    """Pixels as a file stores them, not turned upright."""

    values: NDArray[Any]  # uint8, uint16 or float32, (H, W[, C])
    alpha: bool  # whether the last channel is straight alpha
    notes: Sequence[str] = ()  # what was lost


@dataclass(frozen=True)
class HighDepthImage:
    """An image that Pillow opens and does not decode, mostly because it has more than 8 bits a channel."""

    size: tuple[int, int]  # width and height in the header
    header: Image.Image  # what Pillow reads of the file, without the pixels
    samples: Callable[[], Samples]  # decodes the pixels


def stretched(values: NDArray[np.uint16], largest: int) -> NDArray[np.uint16]:
    """Values from 0 to `largest` as ones from 0 to 65535."""
    if largest == 65535:
        return values
    wide = np.minimum(values, largest).astype(np.uint32)
    return ((wide * 65535 + largest // 2) // largest).astype(np.uint16)


def samples_like(image: Image.Image, values: NDArray[Any], bits: int) -> Samples:
    """Decoded values of so many bits, or a `ValueError` if the header is that of another image."""
    channels = CHANNELS.get(image.mode, 0)
    shape = (image.height, image.width, channels)[: 2 if channels == 1 else 3]
    if values.shape != shape:
        raise ValueError(
            f"{image.mode} of {image.width} x {image.height} pixels are stored as {values.shape}"
        )
    if values.dtype.kind == "f":
        values = values.astype(np.float32, copy=False)
    elif bits > 8:
        values = stretched(values.astype(np.uint16, copy=False), 2**bits - 1)
    elif bits < 8:
        values = (values * (255 / (2**bits - 1)) + 0.5).astype(np.uint8)
    return Samples(values, channels in (2, 4))


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit gray as 8-bit gray, with alpha where one value is transparent; others unchanged."""
    if image.mode != "I;16":
        return image
    values = np.asarray(image)
    gray = ((values + 128.0) // 257).astype(np.uint8)
    if "transparency" not in image.info:
        return Image.fromarray(gray)
    alpha = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.stack([gray, alpha], axis=-1))
