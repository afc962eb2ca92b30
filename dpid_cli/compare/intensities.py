"""Convert the pixels of images to numbers for measuring and to bytes for showing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.convert.rendering import downscale_picture, narrowed
from dpid_cli.downscaling.raster import full_scale
from dpid_cli.pictures import Picture, icc

if TYPE_CHECKING:
    from dpid_cli.downscaling.sizes import Size

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]

_UNNOTICED = 3  # levels of 255 by which profiles of the same colour space differ


def intensities(picture: Picture) -> Array:
    """Intensities (H, W, C) in float64, [0, 1], with alpha composited onto white; C is 1 or 3."""
    pixels = np.atleast_3d(picture.pixels)
    values: Array = np.divide(pixels, full_scale(pixels.dtype), dtype=np.float64)
    if not picture.alpha:
        return values
    alpha = values[..., -1:]
    return values[..., :-1] * alpha + (1 - alpha)


def as_bytes(picture: Picture) -> Bytes:
    """Colours (H, W, 3), or colours and alpha (H, W, 4) if the image is not opaque, rounded to 8 bits."""
    pixels = narrowed(np.atleast_3d(picture.pixels), "8")
    colours = pixels[..., :-1] if picture.alpha else pixels
    colours = np.broadcast_to(colours, (*colours.shape[:2], 3))
    return np.ascontiguousarray(colours) if picture.opaque else np.dstack([colours, pixels[..., -1]])


def looks_like_srgb(picture: Picture, name: str) -> bool:
    """Whether an image looks the same without its colour profile; `name` identifies it in warnings."""
    usable = icc.with_usable_profile(picture, name)
    steps = np.linspace(0, 255, 5).astype(np.uint8)
    if icc.colours_of(usable).shape[2] == 3:
        steps = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    else:
        steps = steps[None]
    probe = replace(usable, pixels=steps, alpha=False)
    shown = as_bytes(icc.to_srgb(probe)).astype(int)
    return bool(np.abs(shown - as_bytes(probe)).max() <= _UNNOTICED)


def in_srgb(picture: Picture, name: str) -> Picture:
    """A picture in the colours that browsers show without a profile; itself if they are these already."""
    if picture.only_by_code or looks_like_srgb(picture, name):
        return picture
    return icc.to_srgb(picture)


def shrunk(picture: Picture, size: Size) -> Picture:
    """A picture at a size, box-filtered."""
    return picture if picture.size == size else downscale_picture(picture, size, method="box")


def enlarged(pixels: NDArray[Any], zoom: int) -> NDArray[Any]:
    """Repeat each pixel `zoom` times to the right and down."""
    return np.repeat(np.repeat(pixels, zoom, axis=0), zoom, axis=1)
