"""What the samples of a TIFF mean, and which TIFFs Pillow would read wrongly or not at all."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import IO, Any, NamedTuple

from PIL.TiffImagePlugin import TiffImageFile

from dpid_cli.pictures.codecs import tiff_compression
from dpid_cli.pictures.limits import RefusedError

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_DESCRIPTION, _STRIPS, _SAMPLES, _PLANES, _TILES = 270, 273, 277, 284, 324
_INKS, _EXTRA, _FORMAT, _SUBSAMPLING = 332, 338, 339, 530
_DEPTH, _PROFILE, _NODATA = 32997, 34675, 42113
INVERTED, _GRAY, _RGB, _PALETTE, INK, _YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8  # PhotometricInterpretation
COLOURS = {INVERTED: 1, _GRAY: 1, _RGB: 3, INK: 4, _YCBCR: 3, LAB: 3}  # number of channels
_CMYK = 1  # InkSet
ASSOCIATED, _STRAIGHT, _COREL = 1, 2, 999  # ExtraSamples of alpha
# What Pillow reads as colours with alpha.
_WITH_ALPHA = {
    *((_GRAY, (kind,)) for kind in (ASSOCIATED, _STRAIGHT)),
    *((_RGB, (kind,)) for kind in (ASSOCIATED, _STRAIGHT, _COREL)),
    (_RGB, ()),
}
_UNSIGNED = 1  # SampleFormat
_MOST_SAMPLES = 16
_LARGEST_TILE = 2**24
_BEGINNING = 1000  # characters of a description
# How ImageJ and tifffile describe images that follow the first one without directories.
_STACK = re.compile(r"(?ms)ImageJ=.*?^images=(\d+)|\{\"shape\": \[([\d, ]+)\].*\"truncated\": true")


class Tags(TiffImageFile):
    """What Pillow reads of a TIFF without its pixels, which may be of any kind."""

    def _setup(self) -> None:
        if not {_WIDTH, _HEIGHT} <= self.tag_v2.keys():
            raise ValueError("its size is missing")
        self._size = int(self.tag_v2[_WIDTH]), int(self.tag_v2[_HEIGHT])
        self._mode = "L"
        self.tile = []
        if _PROFILE in self.tag_v2:
            self.info["icc_profile"] = self.tag_v2[_PROFILE]

    def is_read_here(self, truncated: bool) -> bool:
        """Whether Pillow would reduce this page, misread it, or not read it.

        Also compressed gray or RGB of 8 bits that may be truncated: libtiff decodes nothing of such.
        """
        photometric, compression = self._value(_PHOTOMETRIC, INVERTED), self._value(_COMPRESSION, 1)
        if photometric == _PALETTE:
            return self._count() > 1 and self._several(_EXTRA) != (_STRAIGHT,)
        if photometric not in COLOURS:
            return False
        bits = set(self.tag_v2.get(_BITS, (1,)))
        few = bits == {8} or (bits <= {1, 2, 4} and self._count() == 1)
        if not few or compression in tiff_compression.IMAGES or self._value(_DEPTH, 1) != 1:
            return True
        if set(self._several(_FORMAT)) - {_UNSIGNED} or self._has_other_samples(photometric):
            return True
        if photometric == INK and self._value(_INKS, _CMYK) != _CMYK:
            return True
        if photometric == _YCBCR and compression == 1 and set(self._several(_SUBSAMPLING)) - {1}:
            return True
        known = compression in tiff_compression.EXPANSION
        if _NODATA in self.tag_v2 and photometric <= _RGB:
            return known and bits == {8}
        return truncated and bits == {8} and known and compression != 1 and photometric <= _RGB

    def check(self, length: int) -> None:
        """Raise a `RefusedError` for channels of different kinds, and for what is not one image.

        That is, further images without directories in a file of this length.
        """
        if len(set(self._several(_FORMAT))) > 1:
            raise RefusedError("channels of different kinds are not supported: convert them to one kind")
        match = _STACK.match(str(self.tag_v2.get(_DESCRIPTION, ""))[:_BEGINNING])
        if match is None or self.tag_v2.next:
            return
        samples = self._size[0] * self._size[1] * self._count()
        shape = [int(number) for number in (match[2] or "").split(",") if number.strip()]
        images = int(match[1] or math.prod(shape) // max(samples, 1))
        stored = images * samples * max(self.tag_v2.get(_BITS, (1,))) // 8
        if images > 1 and min(self._several(_STRIPS), default=length) + stored <= length:
            raise RefusedError(f"it is a stack of {images} images with one directory: save them as pages")

    def problem(self) -> str:
        """What Pillow cannot read of a page that seems to be undamaged; empty if it is damaged."""
        if not min(self._size) or not {_STRIPS, _TILES} & self.tag_v2.keys():
            return ""
        photometric, bits = self._value(_PHOTOMETRIC, INVERTED), sorted(set(self.tag_v2.get(_BITS, (1,))))
        compression = tiff_compression.name_of(self._value(_COMPRESSION, 1))
        what = f"{' and '.join(map(str, bits))}-bit samples, PhotometricInterpretation {photometric}"
        return (
            f"TIFF of {what} and compression {compression} is not supported: "
            "convert it to RGB of 8 or 16 bits"
        )

    def _has_other_samples(self, photometric: int) -> bool:
        """Whether there are channels other than colours, and alpha beside them."""
        extra = self._count() - COLOURS[photometric]
        is_usual = (photometric, self._several(_EXTRA)) in _WITH_ALPHA and self._value(_PLANES, 1) == 1
        return extra > 1 or (extra == 1 and not is_usual)

    def _count(self) -> int:
        """The number of channels."""
        return max(self._value(_SAMPLES, 1), len(self.tag_v2.get(_BITS, (1,))))

    def _value(self, tag: int, default: int) -> int:
        """The value of a tag, or the first of them."""
        value = self.tag_v2.get(tag, default)
        return int(value[0] if isinstance(value, tuple) else value)

    def _several(self, tag: int) -> tuple[int, ...]:
        value = self.tag_v2.get(tag, ())
        return tuple(value) if isinstance(value, tuple) else (int(value),)


def unsupported(stream: IO[bytes]) -> str:
    """Why Pillow does not read an undamaged TIFF; empty if it is damaged."""
    stream.seek(0)
    with suppress(Exception):  # damage raises many kinds
        return Tags(stream).problem()
    return ""


class Channels(NamedTuple):
    """Which samples of a pixel are read."""

    kept: list[int]  # colours, then alpha
    alpha: int  # its ExtraSamples, or 0
    note: str  # on those that are dropped, if there are any


def size_of(page: Any) -> tuple[int, int]:
    """Width and height of a page, or a `ValueError` if some number that describes it is none."""
    sides = page.imagewidth, page.imagelength
    others = page.tilewidth, page.tilelength, page.rowsperstrip, page.samplesperpixel, page.imagedepth
    if not all(isinstance(number, int) for number in (*sides, *others)):
        raise ValueError("its size is damaged")
    return sides


def channels_of(page: Any) -> Channels:
    """Tell colours and alpha of a page from other channels."""
    colours = COLOURS[page.photometric]
    count = page.samplesperpixel
    kinds = [int(kind) for kind in page.extrasamples]
    if count - colours == 1 and not kinds:
        kinds = [_STRAIGHT]  # the tag is required, but often missing
    note = f"{count} channels: only colours and alpha are read"
    for position, kind in enumerate(kinds[: count - colours]):
        if kind in (ASSOCIATED, _STRAIGHT, _COREL):
            kept = [*range(colours), colours + position]
            return Channels(kept, kind, note if count > len(kept) else "")
    return Channels(
        list(range(colours)), 0, f"{note}, and none is marked as alpha" if count > colours else ""
    )


def check(page: Any) -> None:
    """Raise a `RefusedError` for what TIFF allows and is not read, a `ValueError` for what is absurd."""
    bits = page.bitspersample
    if page.photometric not in COLOURS:
        what = f"PhotometricInterpretation {page.photometric:d} of this kind"
        raise RefusedError(f"{what} is not supported: convert it to RGB of 8 or 16 bits")
    if page.compression not in tiff_compression.EXPANSION:
        name = tiff_compression.name_of(page.compression)
        raise RefusedError(f"TIFF compression {name} is not supported: use deflate or LZW")
    if page.imagedepth != 1 or page.tiledepth not in (0, 1):
        raise RefusedError("it is a volume, not an image: split it into slices")
    if page.dtype is None or page.dtype.kind not in "buif" or not isinstance(bits, int):
        kind = "complex numbers" if page.dtype is not None and page.dtype.kind == "c" else "samples"
        what = f"{kind} of {bits if isinstance(bits, int) else 'differing'} bits"
        raise RefusedError(f"{what} are not supported: convert them to 8 or 16 bits, or to floats")
    _check_colours(page)
    if not 1 <= page.samplesperpixel <= _MOST_SAMPLES or page.samplesperpixel < len(channels_of(page).kept):
        raise ValueError(f"{page.samplesperpixel} channels")
    if not page.imagewidth * page.imagelength:
        raise ValueError("it has no pixels")
    largest = max(_LARGEST_TILE, 4 * page.imagewidth * page.imagelength)
    if page.tilewidth * page.tilelength > largest:
        raise ValueError(f"tiles of {page.tilewidth} x {page.tilelength} pixels")


def _check_colours(page: Any) -> None:
    """Raise a `RefusedError` for colours without an agreed meaning, or that are not converted."""
    if page.photometric == INK and (page.dtype.kind != "u" or page.tags.valueof(_INKS, _CMYK) != _CMYK):
        raise RefusedError("inks other than CMYK of integers are not supported: convert it to RGB")
    if page.dtype.kind == "i" and (page.photometric == INVERTED or channels_of(page).alpha):
        what = "signed integers with alpha or inverted gray"
        raise RefusedError(f"{what} are not supported: convert them to unsigned integers")
    if page.photometric == LAB and page.dtype != "uint16":
        raise RefusedError("Lab of these samples is not supported: convert it to RGB")
    if page.photometric == _YCBCR and not tiff_compression.decodes_to_rgb(page):
        raise RefusedError("this kind of YCbCr is not supported: convert it to RGB")


def missing_data(page: Any) -> float:
    """The value of pixels without data, as GDAL stores it; NaN if there is none."""
    with suppress(TypeError, ValueError):
        return float(str(page.tags.valueof(_NODATA, "")).strip(" \0"))
    return math.nan
