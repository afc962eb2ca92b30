"""What the header of a JPEG XL tells (ISO/IEC 18181-1), before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from dpid_cli.pictures.containers import box_places

_BYTES = 64  # in which all of this is told
_SIGNATURE = b"\xff\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# A number is told in a few bits that choose one of four ranges: where it begins, and how many bits follow.
_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_PREVIEW = ((1, 6), (65, 8), (321, 10), (1345, 12))
_PREVIEW_EIGHTHS = ((16, 0), (32, 0), (1, 5), (33, 9))
_TICKS = (((100, 0), (1000, 0), (1, 10), (1, 30)), ((1, 0), (1001, 0), (1, 8), (1, 10)))
_LOOPS = ((0, 0), (0, 3), (0, 16), (0, 32))
_INTEGERS, _FLOATS = ((8, 0), (10, 0), (12, 0), (1, 6)), ((32, 0), (16, 0), (24, 0), (1, 6))


@dataclass(frozen=True)
class Header:
    """Width and height as they are stored, and the bits of a channel."""

    size: tuple[int, int]
    bits: int
    floats: bool


class _Bits:
    """Numbers in a row of bits, of which the least come first."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value

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
    bits = _Bits(head[2:_BYTES])
    size = bits.size(_SIDE, None)
    if bits.take(1):  # all else is as usual
        return Header(size, 8, False)
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):  # a size to be shown in
            bits.size(_SIDE, None)
        if bits.take(1):
            bits.size(_PREVIEW, _PREVIEW_EIGHTHS)
        if bits.take(1):  # an animation
            for ranges in (*_TICKS, _LOOPS):
                bits.choose(ranges)
            bits.take(1)
    floats = bool(bits.take(1))
    return Header(size, bits.choose(_FLOATS if floats else _INTEGERS), floats)
