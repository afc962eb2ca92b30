"""Maps in files: the importance of pixels, and a guidance."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from dpid_cli.downscaling.raster import Array, full_scale
from dpid_cli.errors import ArgumentError, DpidError
from dpid_cli.files.streams import opened
from dpid_cli.pictures import read_sequence
from dpid_cli.pictures.formats import EXTENSIONS


def is_image(value: Any) -> bool:
    """Whether a guidance names an image, and not a filter."""
    return isinstance(value, str) and PurePath(value).suffix.lower() in EXTENSIONS


def read_importance(path: str, max_pixels: int) -> Array:
    """The importance of pixels, (H, W): the mean of the colours of an image, times its alpha."""
    pixels = _read("importance", path, max_pixels)
    pixels = pixels / np.float32(full_scale(pixels.dtype))
    if pixels.ndim == 2:
        return pixels
    alpha = pixels[..., -1] if pixels.shape[2] in (2, 4) else 1.0
    colours = pixels[..., :-1] if pixels.shape[2] in (2, 4) else pixels
    return np.asarray(colours.mean(axis=2) * alpha)


def read_guidance(path: str, max_pixels: int) -> Array:
    """The guidance of windows, (h, w[, C]), as it is stored."""
    return _read("guidance", path, max_pixels)


def _read(option: str, path: str, max_pixels: int) -> Array:
    """The pixels of the first image of a file."""
    try:
        with opened(path) as stream:
            picture = next(read_sequence(stream, path, max_pixels=max_pixels).pictures)
    except DpidError as error:
        raise ArgumentError(f"--{option}: {error}") from None
    return picture.pixels
