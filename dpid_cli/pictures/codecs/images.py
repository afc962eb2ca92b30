"""What codecs read: images of more than 8 bits, and the frames and pages of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.interrupts import interruptible
from dpid_cli.pictures.limits import Limits

_ROWS = 64
CHANNELS = {"L": 1, "I": 1, "I;16": 1, "F": 1, "LA": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}  # by Pillow's modes


class Samples(NamedTuple):
    """Pixels as a file stores them, not turned upright."""

    values: NDArray[Any]  # uint8, uint16 or float32, (H, W[, C])
    alpha: bool  # whether the last channel is straight alpha
    notes: Sequence[str] = ()  # what was lost
    bits: int | None = None  # a channel in the file, if `values` have more


@dataclass(frozen=True)
class HighDepthImage:
    """An image that Pillow opens and does not decode, mostly because it has more than 8 bits a channel."""

    size: tuple[int, int]  # width and height in the header
    header: Image.Image  # what Pillow reads of the file, without the pixels
    samples: Callable[[], Samples]  # decodes the pixels

    def decoded(self) -> Samples:
        """The pixels."""
        return interruptible(self.samples)


def stretched(values: NDArray[np.uint16], largest: int) -> NDArray[np.uint16]:
    """Values from 0 to `largest` as ones from 0 to 65535."""
    return values if largest == 65535 else _rescaled(np.minimum(values, largest), largest, 65535)


def _rescaled(values: NDArray[np.uint16], full: int, new: int) -> NDArray[np.uint16]:
    """Levels from 0 to `full` as levels from 0 to `new`, some rows at a time."""
    result = np.empty(values.shape, np.uint16)
    for top in range(0, len(values), _ROWS):
        wide = values[top : top + _ROWS].astype(np.uint32)
        result[top : top + _ROWS] = (wide * new + full // 2) // full
    return result


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
    return Samples(values, channels in (2, 4), bits=bits if 8 < bits < 16 else None)


def colours_like(image: Image.Image, values: NDArray[np.uint16], bits: int) -> Samples:
    """The same for RGB and RGBA, which decoders may return as gray, or without opaque alpha."""
    if values.dtype != np.uint16:
        raise ValueError("its headers do not agree on its depth")
    channels = 1 if values.ndim == 2 else values.shape[2]
    if channels in (1, 2) and image.mode in ("RGB", "RGBA"):
        values = with_channels(values, "RGBA;16" if channels == 2 else "RGB;16")
    return samples_like(image, values, bits)


def straight(values: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """RGBA of so many bits whose colours are multiplied by alpha, as RGBA of which they are not."""
    full, result = 2**bits - 1, values.copy()
    for top in range(0, len(values), _ROWS):
        part = values[top : top + _ROWS].astype(np.uint32)
        alpha = np.maximum(part[..., 3:], 1)
        result[top : top + _ROWS, :, :3] = np.minimum((part[..., :3] * full + alpha // 2) // alpha, full)
    return result


def with_channels(pixels: NDArray[Any], mode: str) -> NDArray[Any]:
    """Pixels with the channels of a mode that has at least as many; new alpha is opaque."""
    wanted, channels = CHANNELS[mode.partition(";")[0]], 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == wanted:
        return pixels
    apart = pixels.reshape(*pixels.shape[:2], channels)
    colours = apart if channels == 3 else apart[..., [0, 0, 0]]
    if wanted == 3:
        return colours
    alpha = apart[..., 1:] if channels == 2 else np.full_like(apart[..., :1], np.iinfo(pixels.dtype).max)
    return np.concatenate([colours, alpha], axis=-1)


def compressed(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Values from 0 to 65535 as ones of so many bits, the inverse of `stretched`; uint8 stays."""
    if values.itemsize == 1 or bits == 16:
        return values
    return _rescaled(values, 65535, 2**bits - 1)


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


class Frame(NamedTuple):
    """A frame with its duration in ms, or a page."""

    image: Image.Image | HighDepthImage
    duration: float | None = None


@dataclass
class Frames:
    """The frames or pages of a file."""

    kind: str  # 'animation' or 'pages'
    count: int
    pixels: int  # of all of them together
    decode: Callable[[int], Frame]  # by their numbers, which must grow from call to call
    head: Callable[[], Image.Image] | None = None  # opens the image whose metadata describes an animation
    plays: int = 0  # how often an animation is played; 0 means for ever
    whole: bool = True  # whether the file ends behind its last frame, and not within it


@dataclass(frozen=True)
class Patch:
    """A rectangle that one frame of an animation paints."""

    size: tuple[int, int]
    offset: tuple[int, int]
    duration: float  # for which the frame is shown, in ms
    disposal: str  # before the next frame, 'keep' it, or restore the 'background' or what was 'previous'
    over: bool  # whether transparent pixels show what was there before, or replace it
    image: Callable[[], Image.Image]  # decodes its pixels, in RGBA


@dataclass
class Patches:
    """An animation as a list of patches; see `Frames`."""

    size: tuple[int, int]
    plays: int
    patches: Sequence[Patch]
    whole: bool
    hidden: bool = False  # whether the image that other decoders show is not one of the frames

    def frames(self, limits: Limits, head: Callable[[], Image.Image]) -> Frames:
        """The frames as they are shown; `head` opens the image whose metadata describes them."""
        limits.check_size(self.size)
        count = len(self.patches)

        def painted() -> Iterator[tuple[int, Frame]]:
            canvas = _Canvas(self.size)
            for number, patch in enumerate(self.patches):
                limits.check_size(patch.size)
                canvas.paint(patch)
                yield number, Frame(canvas.shown, patch.duration)

        frames = painted()

        def decode(wanted: int) -> Frame:
            return next(frame for number, frame in frames if number == wanted)

        pixels = count * self.size[0] * self.size[1]
        return Frames("animation", count, pixels, decode, head, self.plays, self.whole)


class _Canvas:
    """What an animation shows, frame after frame."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.shown = Image.new("RGBA", size)
        self._restored: tuple[Image.Image, tuple[int, int]] | None = None

    def paint(self, patch: Patch) -> None:
        """Dispose of the frame before and paint the next."""
        if self._restored is not None:
            self.shown.paste(*self._restored)
            self._restored = None
        (x, y), (right, bottom) = patch.offset, self.shown.size
        right, bottom = min(x + patch.size[0], right), min(y + patch.size[1], bottom)
        if x >= right or y >= bottom:
            return
        if patch.disposal == "background":
            self._restored = Image.new("RGBA", (right - x, bottom - y)), patch.offset
        elif patch.disposal == "previous":
            self._restored = self.shown.crop((x, y, right, bottom)), patch.offset
        if patch.over:
            self.shown.alpha_composite(patch.image(), patch.offset)
        else:
            self.shown.paste(patch.image(), patch.offset)
