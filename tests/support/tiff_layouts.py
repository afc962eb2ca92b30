"""TIFFs of every layout that tifffile writes, and what they show."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile
from hypothesis import strategies as st

SIZE = (37, 45)  # height and width: no multiple of any tile
_WHOLE = (None, "lzw", "adobe_deflate", "zstd", "lzma", "packbits")
_TYPES = (
    *("uint8", "uint8", "uint16", "int8", "int16", "float16", "float32", "float64"),
    *("1", "2", "4", "10", "12", "14"),
)
# Compressions that hold images, by what they hold: names of types and numbers of channels.
_IMAGES: dict[str, tuple[set[str], set[int]]] = {
    "jpeg2000": ({"uint8", "uint16"}, {1, 2, 3, 4}),
    "png": ({"uint8", "uint16"}, {1, 2, 3, 4}),
    "jpegxl": ({"uint8", "uint16"}, {1, 3}),
    "webp": ({"uint8"}, {3, 4}),
    "lerc": ({"uint8", "uint16", "float32"}, {1, 2, 3, 4, 5}),
    "jpeg": ({"uint8"}, {1, 3}),
}
_EXACT: dict[str, dict[str, Any]] = {
    "jpeg2000": {"level": 0, "reversible": True},
    "jpegxl": {"lossless": True},
    "webp": {"lossless": True, "level": 0},
    "jpeg": {"level": 95},
}
# The directories around the pages, each before or behind them.
ORDERS = (
    "page",
    "page page",
    "thumbnail page",
    "old-thumbnail page",
    "mask page",
    "page mask",
    "page thumbnail",
    "thumbnail mask page thumbnail page mask",
    "thumbnail [page]",
    "thumbnail [thumbnail page page]",
    "page [thumbnail]",
    "only-thumbnail",
)


@dataclass(frozen=True)
class Layout:
    """How a TIFF is written."""

    order: str
    dtype: str  # of NumPy; or a number of bits of unsigned integers
    colours: int
    extra: tuple[int, ...]
    inverted: bool
    planar: bool
    tile: bool
    byteorder: str
    bigtiff: bool
    compression: str | None
    predictor: bool
    negative: bool  # whether signed integers and floats may be negative

    @property
    def refusal(self) -> str:
        """What is said about a layout that has no meaning; empty for all others."""
        if not self.dtype.startswith("int"):
            return ""
        if self.inverted or {1, 2} & set(self.extra):
            return "signed integers with alpha or inverted gray are not supported: "
        return "it has integers outside 0 to " if self.negative else ""

    @property
    def channels(self) -> int:
        return self.colours + len(self.extra)

    @property
    def bits(self) -> int:
        return int(self.dtype) if self.dtype.isdigit() else 8 * np.dtype(self.dtype).itemsize

    @property
    def is_exact(self) -> bool:
        return self.compression != "jpeg"


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Any layout that tifffile writes."""
    types = [
        "uint8",
        "uint16",
        "int8",
        "int16",
        "float16",
        "float32",
        "float64",
        "1",
        "2",
        "4",
        "10",
        "12",
        "14",
    ]
    dtype = draw(st.sampled_from(types))
    colours = draw(st.sampled_from([1, 1, 3, 3, 3]))
    extra = tuple(draw(st.lists(st.sampled_from([0, 1, 2]), max_size=5 - colours)))
    if dtype == "1":
        colours, extra = 1, ()
    planar = colours + len(extra) > 1 and draw(st.booleans())
    stored = 1 if planar else colours + len(extra)
    packed = dtype.isdigit()
    images = [n for n, (types, numbers) in _IMAGES.items() if dtype in types and stored in numbers]
    if extra or colours == 1:
        images = [name for name in images if name != "jpeg"]
    compression = draw(st.sampled_from([*((None,) if packed else _WHOLE), *images]))
    predictable = compression in _WHOLE[1:5] and not packed
    return Layout(
        draw(st.sampled_from(ORDERS)),
        dtype,
        colours,
        extra,
        colours == 1 and draw(st.integers(0, 4)) == 0,
        planar,
        draw(st.booleans()),
        draw(st.sampled_from("<" if packed or compression in images else "<>")),  # others become wrong
        draw(st.booleans()),
        compression,
        predictable and draw(st.booleans()),
        draw(st.booleans()),
    )


def values(layout: Layout, seed: int) -> np.ndarray:
    """Pixels to store, (H, W, C); associated alpha is opaque."""
    shape = (*SIZE, layout.channels)
    generator = np.random.default_rng(seed)
    if layout.compression == "jpeg":  # smooth, so that little is lost
        ramp = np.add.outer(np.arange(SIZE[0]) * 3, np.arange(SIZE[1]) * 2) + 10 * seed
        return np.repeat(ramp[..., None], layout.channels, axis=2).astype(np.uint8)
    if layout.dtype.startswith("float"):
        result = (generator.random(shape) * 4 - layout.negative).astype(layout.dtype)
        full: Any = 1
    else:
        signed = layout.dtype.startswith("int")
        full = 2 ** (layout.bits - signed) - 1
        dtype = layout.dtype if not layout.dtype.isdigit() else "uint8" if layout.bits <= 8 else "uint16"
        least = -full if signed and layout.negative else 0
        result = generator.integers(least, full + 1, shape).astype(dtype)
    for position, kind in enumerate(layout.extra):
        if kind == 1:
            result[..., layout.colours + position] = full
    return result


def _write(file: tifffile.TiffWriter, layout: Layout, pixels: np.ndarray, **options: Any) -> None:
    stored = np.moveaxis(pixels, -1, 0) if layout.planar else pixels
    stored = stored[..., 0] if layout.channels == 1 else stored
    gray = "miniswhite" if layout.inverted else "minisblack"
    arguments = _EXACT.get(layout.compression or "", {})
    if layout.dtype.isdigit():
        options["bitspersample"] = layout.bits
        stored = stored.astype(bool) if layout.bits == 1 else stored
    file.write(
        np.ascontiguousarray(stored),
        photometric="rgb" if layout.colours == 3 else gray,
        planarconfig=("separate" if layout.planar else "contig") if layout.channels > 1 else None,
        extrasamples=layout.extra or None,
        tile=(16, 32) if layout.tile else None,
        rowsperstrip=None if layout.tile else 7,
        compression=layout.compression,
        compressionargs=arguments,
        predictor=layout.predictor,
        metadata=None,
        **options,
    )


def written(layout: Layout) -> tuple[bytes, list[np.ndarray]]:
    """A file of this layout, and the stored pixels of its pages."""
    pages: list[np.ndarray] = []
    small = np.full((9, 11), 99, np.uint8)
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, bigtiff=layout.bigtiff, byteorder=layout.byteorder) as file:
        words = layout.order.split()
        for number, word in enumerate(words):
            below = len(words) - number - 1 if words[number + 1 :] and words[number + 1][0] == "[" else 0
            options: dict[str, Any] = {"subifds": below} if below else {}
            kind = word.strip("[]")
            if kind == "page":
                pages.append(values(layout, len(pages)))
                _write(file, layout, pages[-1], **options)
            elif kind == "only-thumbnail":
                pages.append(values(layout, 0))
                _write(file, layout, pages[-1], subfiletype=1)
            elif kind == "thumbnail":
                file.write(small, subfiletype=1, metadata=None, **options)
            elif kind == "old-thumbnail":
                file.write(small, extratags=[(255, 3, 1, 2, True)], metadata=None)
            else:
                file.write(small > 0, subfiletype=4, photometric="minisblack", metadata=None)
    return stream.getvalue(), pages


def shown(layout: Layout, stored: np.ndarray) -> tuple[np.ndarray, bool]:
    """What stored pixels mean, in uint8, uint16 or float32; and whether the last channel is alpha."""
    kinds = [kind in (1, 2) for kind in layout.extra]
    kept = [*range(layout.colours), *([layout.colours + kinds.index(True)] if any(kinds) else [])]
    result = stored[..., kept].astype(np.float64)
    is_float = layout.dtype.startswith("float")
    most = 1 if is_float else 2**layout.bits - 1
    if layout.inverted:
        result[..., 0] = most - result[..., 0]
    if is_float:
        dtype: Any = np.float32
    else:
        dtype = np.uint8 if layout.bits <= 8 else np.uint16
        result = np.floor(result * np.iinfo(dtype).max / most + 0.5)
    return result.astype(dtype)[..., 0 if len(kept) == 1 else slice(None)], any(kinds)
