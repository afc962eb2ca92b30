"""What the header of a JPEG XL tells (ISO/IEC 18181-1), before anything is decoded; and files of 16 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from numpy.typing import NDArray

from dpid_cli.pictures.repair import box, box_places, boxes

_BYTES = 64  # in which all of this is told
_SIGNATURE = b"\xff\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# A number is told in a few bits that choose one of four ranges: where it begins, and how many bits follow.
_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_PREVIEW = ((1, 6), (65, 8), (321, 10), (1345, 12))
_PREVIEW_EIGHTHS = ((16, 0), (32, 0), (1, 5), (33, 9))
_TICKS = (((100, 0), (1000, 0), (1, 10), (1, 30)), ((1, 0), (1001, 0), (1, 8), (1, 10)))
_LOOPS = ((0, 0), (0, 3), (0, 16), (0, 32))
_ENUMERATED = ((0, 0), (1, 0), (2, 4), (18, 6))
_CHANNELS = ((0, 0), (1, 0), (2, 4), (1, 12))  # beside colours
_SHIFT, _NAME = ((0, 0), (3, 0), (4, 0), (1, 3)), ((0, 0), (0, 4), (16, 5), (48, 10))
_RGB, _LINEAR, _SRGB = 0, 8, 13  # colour space; transfer functions
_EFFORT = 3  # as small as with 5 and 7, in a fifth and a fifteenth of the time
_INTEGERS, _FLOATS = ((8, 0), (10, 0), (12, 0), (1, 6)), ((32, 0), (16, 0), (24, 0), (1, 6))


@dataclass(frozen=True)
class Header:
    """Width and height as they are stored, the bits of a channel, and whether there are frames."""

    size: tuple[int, int]
    bits: int = 8
    floats: bool = False
    animated: bool = False


class _Bits:
    """Numbers in a row of bits, of which the least come first."""

    def __init__(self, data: bytes) -> None:
        self._all = int.from_bytes(data, "little")
        self._length = len(data)
        self.place = 0

    def take(self, count: int) -> int:
        value = self._all >> self.place & ((1 << count) - 1)
        self.place += count
        return value

    def replaced(self, place: int, count: int, value: int) -> bytes:
        """All of them with others in one place."""
        mask = ((1 << count) - 1) << place
        return (self._all & ~mask | value << place).to_bytes(self._length, "little")

    def choose(self, ranges: tuple[tuple[int, int], ...]) -> int:
        first, count = ranges[self.take(2)]
        return first + self.take(count)

    def size(
        self, side: tuple[tuple[int, int], ...], eighths: tuple[tuple[int, int], ...] | None
    ) -> tuple[int, int]:
        """Width and height; `eighths` are ranges of sides that are told in units of 8, or of five bits."""
        small = self.take(1)

        def one() -> int:
            if not small:
                return self.choose(side)
            return 8 * (self.take(5) + 1 if eighths is None else self.choose(eighths))

        height, ratio = one(), self.take(3)
        if not ratio:
            return one(), height
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height


def header(stream: IO[bytes]) -> Header:
    """Read it.

    Raises
    ------
    ValueError
        If there is none.
    """
    stream.seek(0)
    head = stream.read(_BYTES)
    if head[:2] != _SIGNATURE:
        head = b""
        for kind, length in box_places(stream):
            if kind in (b"jxlc", b"jxlp") and len(head) < _BYTES:
                part = stream.read(min(length, 4 + _BYTES))
                head += part[4:] if kind == b"jxlp" else part  # behind its number
    if head[:2] != _SIGNATURE or len(head) < 4:
        raise ValueError("it tells no size")
    return _header(_Bits(head[2:_BYTES]))


def _header(bits: _Bits) -> Header:
    """As far as the depth."""
    size = bits.size(_SIDE, None)
    if bits.take(1):  # all else is as usual
        return Header(size)
    animated = False
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):  # a size to be shown in
            bits.size(_SIDE, None)
        if bits.take(1):
            bits.size(_PREVIEW, _PREVIEW_EIGHTHS)
        animated = bool(bits.take(1))
        if animated:
            for ranges in (*_TICKS, _LOOPS):
                bits.choose(ranges)
            bits.take(1)
    floats = bool(bits.take(1))
    return Header(size, bits.choose(_FLOATS if floats else _INTEGERS), floats, animated)


def encode(pixels: NDArray[Any], remarks: Mapping[str, bytes]) -> bytes:
    """Pixels of 16 bits, encoded as those of sRGB are, without loss.

    Parameters
    ----------
    pixels : (H, W[, C]) ndarray
        uint16; of two or four channels the last is straight alpha.
    remarks : mapping
        What stands in the boxes ``exif`` and ``xmp``.

    Returns
    -------
    bytes
    """
    from imagecodecs import jpegxl_encode

    file = bytes(jpegxl_encode(pixels, lossless=True, effort=_EFFORT, usecontainer=True))
    parts = [box(kind, _in_srgb(content) if kind == b"jxlc" else content) for kind, content in boxes(file)]
    kinds = {"exif": b"Exif", "xmp": b"xml "}
    return b"".join(parts + [box(kind, remarks[name]) for name, kind in kinds.items() if name in remarks])


def _in_srgb(code: bytes) -> bytes:
    """The same code stream without loss; its encoder calls all colours of 16 bits linear."""
    bits = _Bits(code[2:_BYTES])
    told = _header(bits)
    bits.take(1)  # short buffers
    if bits.choose(_CHANNELS) and not bits.take(1):  # alpha, of more than 8 bits
        bits.choose(_ENUMERATED)
        bits.choose(_FLOATS if bits.take(1) else _INTEGERS)
        bits.choose(_SHIFT)
        bits.take(8 * bits.choose(_NAME) + 1)
    as_they_are = not bits.take(1)
    if told.bits != 16 or not as_they_are:
        raise ValueError("its encoder has changed the pixels")
    if bits.take(1):  # sRGB is what is usual
        return code
    by_profile = bits.take(1)
    for _ in range(2 if bits.choose(_ENUMERATED) == _RGB else 1):  # white, primaries
        bits.choose(_ENUMERATED)
    by_gamma, place = bits.take(1), bits.place + 2
    if by_profile or by_gamma or bits.choose(_ENUMERATED) != _LINEAR:
        raise ValueError("its encoder tells other colours than it was given")
    return code[:2] + bits.replaced(place, 4, _SRGB - 2) + code[_BYTES:]
