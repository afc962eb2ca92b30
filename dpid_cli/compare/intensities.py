"""Pixels of every kind of picture as numbers to measure and as bytes to show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.convert.bit_depth import narrowed
from dpid_cli.pictures import Picture, icc

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]

_UNSEEN = 3  # levels of 255 that profiles of one colour space differ by
_LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709


def intensities(picture: Picture) -> Array:
    """Pixels (H, W, C) in float64, [0, 1], as they are seen on white: without alpha, C is 1 or 3."""
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None]
    unit = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    values: Array = np.divide(pixels, unit, dtype=np.float64)
    if not picture.alpha:
        return values
    alpha = values[..., -1:]
    return values[..., :-1] * alpha + (1 - alpha)


def lightness(values: Array) -> Array:
    """The plane (H, W) of an image (H, W, C): its luma where it has colours."""
    plane: Array = values[..., 0] if values.shape[2] == 1 else values @ _LUMA
    return plane


def as_bytes(picture: Picture) -> tuple[Bytes, Bytes | None]:
    """Colours (H, W, 3) and alpha (H, W), None where all is opaque, as screens show them.

    8 bits are shown as they are, deeper pixels rounded to 8 bits.
    """
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None]
    pixels = narrowed(pixels, "8")
    alpha = None if picture.opaque else pixels[..., -1]
    colours = pixels[..., :-1] if picture.alpha else pixels
    return np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3))), alpha


def channels(picture: Picture) -> Bytes:
    """Colours (H, W, 3), with alpha (H, W, 4) where not all is opaque, as screens show them."""
    colours, alpha = as_bytes(picture)
    return colours if alpha is None else np.dstack([colours, alpha])


def looks_like_srgb(picture: Picture, name: str) -> bool:
    """Whether the picture, called so in warnings, looks the same without its colour profile."""
    usable = icc.with_usable_profile(picture, name)
    steps = np.linspace(0, 255, 5).astype(np.uint8)
    if icc.colours_of(usable).shape[2] == 3:
        steps = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    else:
        steps = steps[None]
    probe = replace(usable, pixels=steps, alpha=False)
    shown = as_bytes(icc.to_srgb(probe))[0].astype(int)
    return bool(np.abs(shown - as_bytes(probe)[0]).max() <= _UNSEEN)


def enlarged(pixels: NDArray[Any], zoom: int) -> NDArray[Any]:
    """Each pixel repeated `zoom` times to the right and down."""
    return np.repeat(np.repeat(pixels, zoom, axis=0), zoom, axis=1)
