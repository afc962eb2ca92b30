"""Colours to palettes, without dithering.

Pillow's median cut chooses opaque colours, and its octree those of translucent pixels; k-means improves both.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.pictures.picture import Palette, Picture

_FULL = 255
_ROUNDS = 4  # of k-means
_ROWS = 2**16  # pixels whose distances to all colours are computed at a time


def with_palette(picture: Picture, most: int) -> Picture:
    """An image of 8 bits with a palette of at most so many colours: its own, if they are few enough.

    Opaque pixels stay opaque, and fully transparent ones fully transparent, as one colour.
    """
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., np.newaxis]
    colours = pixels[..., :-1] if picture.alpha else pixels
    colours = colours.repeat(3 // colours.shape[2], axis=2).reshape(-1, 3)
    alpha = pixels[..., -1].ravel() if picture.alpha else np.full(len(colours), _FULL, np.uint8)
    indices, palette = _indexed(colours, alpha, most)
    shape = picture.pixels.shape[:2]
    opacity = palette[:, 3].tobytes().rstrip(b"\xff")
    return replace(
        picture,
        pixels=indices.reshape(shape),
        alpha=False,
        palette=Palette(np.ascontiguousarray(palette[:, :3]), opacity),
    )


def _indexed(
    colours: NDArray[np.uint8], alpha: NDArray[np.uint8], most: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An index for each of n colours, and the palette (k, 4), its opaque colours last."""
    if (exact := _exact(colours, alpha, most)) is not None:
        return exact
    clear, opaque = alpha == 0, alpha == _FULL
    if most == 2 and clear.any():  # which leaves one for all others
        opaque = alpha > _FULL // 2
        clear = ~opaque
    partial = ~(clear | opaque)
    left, edges = most - bool(clear.any()), 0
    if partial.any():  # edges need more colours than their share of the pixels
        weights = [math.sqrt(np.count_nonzero(group)) for group in (partial, opaque)]
        edges = min(max(1, round(left * weights[0] / sum(weights))), left - bool(opaque.any()))
    indices = np.zeros(len(colours), np.uint8)
    palette = [np.zeros((1, 4), np.uint8)] * bool(clear.any())
    if edges:
        translucent = np.concatenate([colours[partial], alpha[partial, np.newaxis]], axis=1)
        own, numbers = _quantized_with_alpha(translucent, edges)
        indices[partial] = numbers + len(palette)
        palette.append(own)
    if opaque.any():
        first = sum(map(len, palette))
        own, numbers = quantized(colours[opaque], most - first)
        indices[opaque] = numbers + first
        palette.append(np.pad(own, ((0, 0), (0, 1)), constant_values=_FULL))
    return indices, np.concatenate(palette)


def _exact(
    colours: NDArray[np.uint8], alpha: NDArray[np.uint8], most: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """All colours as the palette; None if they are too many."""
    seen = np.concatenate([colours * (alpha > 0)[:, np.newaxis], alpha[:, np.newaxis]], axis=1)
    if Image.fromarray(seen[np.newaxis]).getcolors(most) is None:
        return None
    packed, indices = np.unique(seen.view(">u4").ravel(), return_inverse=True)
    palette = packed.astype(">u4").view(np.uint8).reshape(-1, 4)
    order = np.argsort(palette[:, 3], kind="stable")
    return np.argsort(order)[indices].astype(np.uint8), palette[order]


def quantized(colours: NDArray[np.uint8], most: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A palette (k, 3) of at most so many colours for n colours (n, 3), and an index for each of these."""
    if not len(colours):
        return np.zeros((0, 3), np.uint8), np.zeros(0, np.uint8)
    line = Image.fromarray(colours[np.newaxis])
    if line.getcolors(most) is not None:
        packed, indices = np.unique(colours @ np.array([1 << 16, 1 << 8, 1]), return_inverse=True)
        palette = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.uint8)
        return palette, indices.astype(np.uint8)
    # k-means until 2 % of the pixels change takes 15 % off a photo's error. Dithering adds, and flickers.
    changes = max(1, len(colours) // 50)
    image = line.quantize(most, Image.Quantize.MEDIANCUT, kmeans=changes, dither=Image.Dither.NONE)
    palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[:most]
    return palette, np.asarray(image).ravel()


def _quantized_with_alpha(
    pixels: NDArray[np.uint8], most: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A palette (k, 4) of at most so many colours for n translucent ones (n, 4), and an index for each.

    Distances are those of premultiplied colours, which say what is seen.
    """
    unique, indices = np.unique(pixels.view(np.uint32).ravel(), return_inverse=True)
    if len(unique) <= most:
        return unique.view(np.uint8).reshape(-1, 4), indices.astype(np.uint8)
    line = Image.fromarray(pixels[np.newaxis])
    image = line.quantize(most, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    numbers = np.asarray(image).ravel()
    seen = pixels.astype(np.float32)
    seen[:, :3] *= seen[:, 3:] / _FULL
    for _ in range(_ROUNDS):
        counts = np.bincount(numbers, minlength=most)
        used = counts > 0
        sums = [np.bincount(numbers, channel, most)[used] for channel in seen.T]
        centres = np.stack(sums, axis=1) / counts[used, np.newaxis]
        numbers = _nearest(seen, centres.astype(np.float32))
    alpha = np.clip(np.rint(centres[:, 3:]), 1, _FULL - 1)
    straight = np.clip(np.rint(centres[:, :3] * _FULL / alpha), 0, _FULL)
    return np.concatenate([straight, alpha], axis=1).astype(np.uint8), numbers


def _nearest(values: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The number of the nearest centre for each value."""
    squares = (centres**2).sum(axis=1)
    parts = [values[start : start + _ROWS] for start in range(0, len(values), _ROWS)]
    return np.concatenate([np.argmin(squares - 2 * part @ centres.T, axis=1) for part in parts]).astype(
        np.uint8
    )
