"""The pixels of TIFFs of 16 bits and of floats, by tifffile; what else they tell, by Pillow.

What a header claims is compared with what the file holds before memory is asked for.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from dpid_cli.errors import FileError
from dpid_cli.pictures.codecs.samples import Samples, stretched

_BITS, _COMPRESSION, _PHOTOMETRIC, _INKS, _PROFILE = 258, 259, 262, 332, 34675
_INVERTED, _GRAY, _COLOUR, INK, LAB = 0, 1, 2, 5, 8  # PhotometricInterpretation
COLOURS = {_INVERTED: 1, _GRAY: 1, _COLOUR: 3, INK: 4, LAB: 3}  # how many channels they are
_CMYK = 1  # InkSet
_ASSOCIATED, _STRAIGHT = 1, 2  # ExtraSamples
_MOST_SAMPLES = 16
_LARGEST_TILE = 2**24
# How many bytes at most come out of one byte, by Compression; nothing else is decoded.
_EXPANSION = {1: 1, 5: 4096, 8: 1040, 32773: 128, 32946: 1040, 34925: 2**16, 50000: 2**16}
# Microscopes' and scanners' own kinds, for which tifffile would look further.
_PLAIN: Mapping[str, Any] = {"is_lsm": False, "is_ndpi": False, "is_scanimage": False}


class Tags(TiffImageFile):
    """What Pillow reads of a TIFF, but for its pixels, so that these may be of any kind."""

    def _setup(self) -> None:
        if not {256, 257} <= self.tag_v2.keys():
            raise ValueError("it tells no size")
        self._size = int(self.tag_v2[256]), int(self.tag_v2[257])
        self._mode = "L"
        self.tile = []
        if _PROFILE in self.tag_v2:
            self.info["icc_profile"] = self.tag_v2[_PROFILE]

    @property
    def deep(self) -> bool:
        """Whether it has more than 8 bits a channel."""
        colours = self.tag_v2.get(_PHOTOMETRIC, _INVERTED)
        return max(self.tag_v2.get(_BITS, (1,))) > 8 and colours in COLOURS

    @property
    def packed(self) -> bool:
        """Whether it is gray or RGB of 8 bits a channel, compressed."""
        colours, bits = self.tag_v2.get(_PHOTOMETRIC, _INVERTED), set(self.tag_v2.get(_BITS, (1,)))
        compressed = self.tag_v2.get(_COMPRESSION, 1) in _EXPANSION.keys() - {1}
        return bits == {8} and compressed and colours in range(_COLOUR + 1)


def page_of(stream: IO[bytes], page: int) -> Any:
    """A page as tifffile's."""
    from tifffile import TiffFile

    stream.seek(0)
    return TiffFile(stream, name="TIFF", **_PLAIN).pages[page]


def decode(page: Any, stream: IO[bytes], name: str, truncated: bool) -> Samples:
    """The pixels of a page, or a `FileError` for what is no picture, and other errors for damage."""
    channels, alpha, extra = _channels(page)
    _check_layout(page, name)
    if not truncated:
        _check_claims(page)
    notes = []
    if extra:
        notes.append(f"{page.samplesperpixel} channels: those beside colours and alpha are left out")
    values = _segments(page, stream, channels, truncated)
    if page.photometric == _INVERTED:
        _invert(values, page.bitspersample)
    if values.dtype == np.float64:
        notes.append("floats of 64 bits are read as ones of 32 bits")
    values = _in_range(values, page.bitspersample, name)
    if alpha == _ASSOCIATED:
        values = _straight(values)
    return Samples(values if len(channels) > 1 else values[..., 0], bool(alpha), notes)


def _channels(page: Any) -> tuple[list[int], int, bool]:
    """Which samples are colours and alpha, which kind of alpha, and whether there are more."""
    colours = COLOURS[page.photometric]
    kinds = list(page.extrasamples)
    if page.samplesperpixel - colours == 1 and not kinds:
        kinds = [_STRAIGHT]  # it should be said, but often is not
    for position, kind in enumerate(kinds[: page.samplesperpixel - colours]):
        if kind in (_ASSOCIATED, _STRAIGHT):
            kept = [*range(colours), colours + position]
            return kept, int(kind), page.samplesperpixel > len(kept)
    return list(range(colours)), 0, page.samplesperpixel > colours


def _check_layout(page: Any, name: str) -> None:
    """Raise a `FileError` for what TIFF allows and no picture is, a `ValueError` for what is absurd."""
    if page.compression not in _EXPANSION:
        what = f"TIFF compression {page.compression:d} with more than 8 bits"
        raise FileError(f"{name}: {what} is not read: store it with deflate or LZW")
    if page.imagedepth != 1 or page.tiledepth not in (0, 1):
        raise FileError(f"{name}: it is a volume, not a picture: take its slices apart")
    if page.dtype is None or page.dtype.kind not in "uif":
        bits = page.bitspersample if isinstance(page.bitspersample, int) else "differing"
        raise FileError(
            f"{name}: samples of {bits} bits are not read as they are: "
            "convert them to 8 or 16 bits, or to floats"
        )
    _check_ink(page, name)
    if not 1 <= page.samplesperpixel <= _MOST_SAMPLES or page.samplesperpixel < len(_channels(page)[0]):
        raise ValueError(f"{page.samplesperpixel} channels")
    largest = max(_LARGEST_TILE, 4 * page.imagewidth * page.imagelength)
    if page.tilewidth * page.tilelength > largest:
        raise ValueError(f"tiles of {page.tilewidth} x {page.tilelength} pixels")


def _check_ink(page: Any, name: str) -> None:
    """Raise a `FileError` for colours of other spaces that have no one meaning."""
    if page.photometric == INK and (page.dtype.kind != "u" or page.tags.valueof(_INKS, _CMYK) != _CMYK):
        raise FileError(f"{name}: inks are read as CMYK of integers only: convert it to RGB")
    if page.photometric == LAB and page.dtype != np.uint16:
        raise FileError(f"{name}: Lab of more than 8 bits is read of 16 only: convert it to RGB")


def _check_claims(page: Any) -> None:
    """Raise a `ValueError` if the file has fewer bytes than its header needs."""
    tiled = page.tilewidth > 0
    across = -(-page.imagewidth // page.tilewidth) if tiled else 1
    down = -(-page.imagelength // (page.tilelength if tiled else page.rowsperstrip))
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    stored, claimed = page.databytecounts, page.imagewidth * page.imagelength * page.samplesperpixel
    if len(stored) < across * down * planes:
        raise ValueError("parts of the image are missing")
    if claimed * page.bitspersample // 8 > sum(stored) * _EXPANSION[page.compression]:
        raise ValueError(f"{sum(stored)} bytes cannot hold the pixels that the header claims")


def _segments(page: Any, stream: IO[bytes], channels: list[int], truncated: bool) -> NDArray[Any]:
    """The chosen channels of all strips or tiles; those that cannot be decoded are blank, if they may be."""
    height, width = page.imagelength, page.imagewidth
    result = np.zeros((height, width, len(channels)), page.dtype)
    planar = page.planarconfig == 2 and page.samplesperpixel > 1
    for index, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=False)):
        try:
            stream.seek(offset)
            data = stream.read(count)
            if len(data) < count and not truncated:
                raise ValueError("image file is truncated")
            part, (plane, _, top, left, _), _ = page.decode(data, index)
            if part is None:
                raise ValueError("parts of the image are missing")
        except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError):
            if not truncated:
                raise
            continue
        part = part[0, : height - top, : width - left]
        rows, columns = slice(top, top + part.shape[0]), slice(left, left + part.shape[1])
        if not planar:
            result[rows, columns] = part[..., channels]
        elif plane in channels:
            result[rows, columns, channels.index(plane)] = part[..., 0]
    return result


def _invert(values: NDArray[Any], bits: int) -> None:
    """Make gray of which the least is white the common one, in place."""
    gray = values[..., 0]
    np.subtract(1 if values.dtype.kind == "f" else values.dtype.type(2**bits - 1), gray, out=gray)


def _in_range(values: NDArray[Any], bits: int, name: str) -> NDArray[Any]:
    """What was stored as uint16, or as float32; as uint8 if it has 8 bits."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinity is told of
            return values.astype(np.float32, copy=False)
    if values.dtype == np.uint8:
        return values
    if bits < 16:
        return stretched(values, 2**bits - 1)
    if values.dtype != np.uint16 and (values.min() < 0 or values.max() > 65535):
        raise FileError(f"{name}: it holds integers outside 0 to 65535: convert it to 16 bits or floats")
    return values.astype(np.uint16, copy=False)


def _straight(values: NDArray[Any]) -> NDArray[Any]:
    """Associated alpha, which colours are multiplied by, taken out of them."""
    full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    for row in values:
        colours, alpha = row[..., :-1], row[..., -1:].astype(np.float64)
        shown = np.divide(colours * float(full), alpha, out=np.zeros(colours.shape), where=alpha > 0)
        row[..., :-1] = np.minimum(shown + 0.5, full) if values.dtype.kind == "u" else shown
    return values


def encode(pixels: NDArray[Any]) -> bytes:
    """A TIFF without remarks; of two or four channels the last is straight alpha."""
    from tifffile import imwrite

    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    file = io.BytesIO()
    imwrite(
        file,
        pixels,
        byteorder="<",
        bigtiff=False,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="adobe_deflate",
        predictor=True,
        metadata=None,
        software=False,
        maxworkers=1,
    )
    return file.getvalue()
