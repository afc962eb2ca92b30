"""The pixels of TIFFs of 16 bits and of floats, by tifffile; Pillow reads their metadata.

What a header claims is compared with what the file holds before memory is allocated.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from dpid_cli.pictures import icc
from dpid_cli.pictures.codecs.images import HighDepthImage, Samples, stretched
from dpid_cli.pictures.limits import Limits, RefusedError

_BITS, _COMPRESSION, _PHOTOMETRIC, _INKS, _PROFILE = 258, 259, 262, 332, 34675
_INVERTED, _GRAY, _COLOUR, _INK, _LAB = 0, 1, 2, 5, 8  # PhotometricInterpretation
_COLOURS = {_INVERTED: 1, _GRAY: 1, _COLOUR: 3, _INK: 4, _LAB: 3}  # number of channels
_CMYK = 1  # InkSet
_ASSOCIATED, _STRAIGHT = 1, 2  # ExtraSamples
_MOST_SAMPLES = 16
_LARGEST_TILE = 2**24
# The most bytes that one byte expands to, by Compression; nothing else is decoded.
_EXPANSION = {1: 1, 5: 4096, 8: 1040, 32773: 128, 32946: 1040, 34925: 2**16, 50000: 2**16}
# Kinds of microscopes and scanners, for which tifffile would look further.
_PLAIN: Mapping[str, Any] = {"is_lsm": False, "is_ndpi": False, "is_scanimage": False}


class _Tags(TiffImageFile):
    """What Pillow reads of a TIFF without its pixels, which may be of any kind."""

    def _setup(self) -> None:
        if not {256, 257} <= self.tag_v2.keys():
            raise ValueError("its size is missing")
        self._size = int(self.tag_v2[256]), int(self.tag_v2[257])
        self._mode = "L"
        self.tile = []
        if _PROFILE in self.tag_v2:
            self.info["icc_profile"] = self.tag_v2[_PROFILE]

    def is_read_here(self, truncated: bool) -> bool:
        """Whether a page has more than 8 bits a channel.

        Also compressed gray or RGB of 8 bits that may be truncated: libtiff decodes nothing of such.
        """
        colours, bits = self.tag_v2.get(_PHOTOMETRIC, _INVERTED), set(self.tag_v2.get(_BITS, (1,)))
        if max(bits) > 8 and colours in _COLOURS:
            return True
        compressed = self.tag_v2.get(_COMPRESSION, 1) in _EXPANSION.keys() - {1}
        return truncated and bits == {8} and compressed and colours in range(_COLOUR + 1)


def opened(stream: IO[bytes], number: int, limits: Limits) -> HighDepthImage | None:
    """A page that Pillow would reduce to 8 bits; None for others."""
    tags = _Tags(stream)
    tags.seek(number)
    if not tags.is_read_here(limits.truncated):
        return None
    from tifffile import TiffFile

    stream.seek(0)
    page: Any = TiffFile(stream, name="TIFF", **_PLAIN).pages[number]

    def samples() -> Samples:
        decoded = _decoded(page, stream, limits.truncated)
        return _in_srgb(decoded, page, tags) if page.photometric in (_INK, _LAB) else decoded

    return HighDepthImage((page.imagewidth, page.imagelength), tags, samples)


def _in_srgb(samples: Samples, page: Any, tags: _Tags) -> Samples:
    """CMYK or Lab in sRGB, with the profile that fits in the tags."""
    count, profile = _COLOURS[page.photometric], tags.info.pop("icc_profile", None)
    values, alpha = samples.values[..., :count], samples.values[..., count:]
    if page.photometric == _INK:
        colours, profile = icc.deep_ink_to_srgb(values, profile)
    else:
        colours, profile = icc.deep_lab_to_srgb(values)
    if profile:
        tags.info["icc_profile"] = profile
    return samples._replace(values=np.concatenate([colours, alpha], axis=-1) if samples.alpha else colours)


def _decoded(page: Any, stream: IO[bytes], truncated: bool) -> Samples:
    """The pixels of a page; a `RefusedError` for what is no image, other errors for damage."""
    channels, alpha, extra = _channels(page)
    _check_layout(page)
    if not truncated:
        _check_length(page)
    notes = []
    if extra:
        notes.append(f"{page.samplesperpixel} channels: only colours and alpha are read")
    values = _segments(page, stream, channels, truncated)
    if page.photometric == _INVERTED:
        _invert(values, page.bitspersample)
    if values.dtype == np.float64:
        notes.append("64-bit floats are read as 32-bit floats")
    values = _in_range(values, page.bitspersample)
    if alpha == _ASSOCIATED:
        values = _straight(values)
    return Samples(values if len(channels) > 1 else values[..., 0], bool(alpha), notes)


def _channels(page: Any) -> tuple[list[int], int, bool]:
    """Which samples are colours and alpha, the kind of alpha, and whether there are other samples."""
    colours = _COLOURS[page.photometric]
    kinds = list(page.extrasamples)
    if page.samplesperpixel - colours == 1 and not kinds:
        kinds = [_STRAIGHT]  # the tag is required, but often missing
    for position, kind in enumerate(kinds[: page.samplesperpixel - colours]):
        if kind in (_ASSOCIATED, _STRAIGHT):
            kept = [*range(colours), colours + position]
            return kept, int(kind), page.samplesperpixel > len(kept)
    return list(range(colours)), 0, page.samplesperpixel > colours


def _check_layout(page: Any) -> None:
    """Raise a `RefusedError` for what TIFF allows and no image is, a `ValueError` for what is absurd."""
    if page.compression not in _EXPANSION:
        what = f"TIFF compression {page.compression:d} with more than 8 bits"
        raise RefusedError(f"{what} is not supported: use deflate or LZW")
    if page.imagedepth != 1 or page.tiledepth not in (0, 1):
        raise RefusedError("it is a volume, not an image: split it into slices")
    if page.dtype is None or page.dtype.kind not in "uif":
        bits = page.bitspersample if isinstance(page.bitspersample, int) else "differing"
        raise RefusedError(
            f"samples of {bits} bits are not supported: convert them to 8 or 16 bits, or to floats"
        )
    _check_ink(page)
    if not 1 <= page.samplesperpixel <= _MOST_SAMPLES or page.samplesperpixel < len(_channels(page)[0]):
        raise ValueError(f"{page.samplesperpixel} channels")
    largest = max(_LARGEST_TILE, 4 * page.imagewidth * page.imagelength)
    if page.tilewidth * page.tilelength > largest:
        raise ValueError(f"tiles of {page.tilewidth} x {page.tilelength} pixels")


def _check_ink(page: Any) -> None:
    """Raise a `RefusedError` for inks and Lab without an agreed meaning."""
    if page.photometric == _INK and (page.dtype.kind != "u" or page.tags.valueof(_INKS, _CMYK) != _CMYK):
        raise RefusedError("inks other than CMYK of integers are not supported: convert it to RGB")
    if page.photometric == _LAB and page.dtype != np.uint16:
        raise RefusedError("Lab of more than 8 bits must have 16 bits: convert it to RGB")


def _check_length(page: Any) -> None:
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
    """These channels of all strips or tiles; blank where they cannot be decoded, if `truncated`."""
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
    """Turn gray whose least value is white into the usual gray, in place."""
    gray = values[..., 0]
    with np.errstate(invalid="ignore"):  # of NaN, which is refused later
        np.subtract(1 if values.dtype.kind == "f" else values.dtype.type(2**bits - 1), gray, out=gray)


def _in_range(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Stored values as uint8 if they have 8 bits, else as uint16 or float32."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinity is refused later
            return values.astype(np.float32, copy=False)
    if values.dtype == np.uint8:
        return values
    if bits < 16:
        return stretched(values, 2**bits - 1)
    if values.dtype != np.uint16 and (values.min() < 0 or values.max() > 65535):
        raise RefusedError("it has integers outside 0 to 65535: convert it to 16 bits or floats")
    return values.astype(np.uint16, copy=False)


def _straight(values: NDArray[Any]) -> NDArray[Any]:
    """Colours divided by their associated alpha."""
    full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    for row in values:
        colours, alpha = row[..., :-1], row[..., -1:].astype(np.float64)
        shown = np.divide(colours * float(full), alpha, out=np.zeros(colours.shape), where=alpha > 0)
        row[..., :-1] = np.minimum(shown + 0.5, full) if values.dtype.kind == "u" else shown
    return values


def encode(pixels: NDArray[Any]) -> bytes:
    """A TIFF without metadata; the last of two or four channels is straight alpha."""
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
