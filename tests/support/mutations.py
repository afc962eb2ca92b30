"""Damaged files: what their formats consist of, and ways to get it wrong.

`layout` tells where the numbers of a file are that decoders believe, and which parts it has; whatever the
format, damage is then done to numbers, to parts, or to bytes wherever they are. All follows from a seed.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_NUMBERS = (
    0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 63, 64, 100, 127, 128, 129, 200, 254, 255, 256,
    257, 1000, 4096, 16383, 16384, 32767, 32768, 65500, 65534, 65535, 65536, 10**5, 2**20, 2**24 - 1,
    2**24, 10**8, 2**28, 2**30, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1,
)  # fmt: skip
_MOST_PARTS = 400


@dataclass
class Layout:
    """Where the numbers of a file are (offset, bytes, byte order), and its parts (start, end)."""

    numbers: list[tuple[int, int, str]] = field(default_factory=list)
    parts: list[tuple[int, int]] = field(default_factory=list)

    def row(self, start: int, form: str, order: str) -> None:
        """Numbers that follow each other, such as ``"HHII"``."""
        for kind in form:
            size = struct.calcsize("=" + kind)
            if kind != "x":
                self.numbers.append((start, size, order))
            start += size


def _png(data: bytes) -> Layout:
    found, start = Layout(), 8
    forms = {
        b"IHDR": "IIBBBBB",
        b"pHYs": "IIB",
        b"acTL": "II",
        b"fcTL": "IIIIIHHBB",
        b"fdAT": "I",
        b"gAMA": "I",
        b"cHRM": "IIIIIIII",
        b"cICP": "BBBB",
    }
    while start + 8 <= len(data) and len(found.parts) < _MOST_PARTS:
        length = int.from_bytes(data[start : start + 4], "big")
        found.row(start, "I", "big")
        found.row(start + 8, forms.get(data[start + 4 : start + 8], ""), "big")
        found.parts.append((start, start + 12 + length))
        start += 12 + length
    return found


def _with_checksums(data: bytes) -> bytes:
    result, start = bytearray(data), 8
    while start + 12 <= len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4], "big")
        if end + 4 <= len(data):
            result[end : end + 4] = zlib.crc32(data[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(result)


def _jpeg(data: bytes) -> Layout:
    found, start = Layout(), 2
    while start + 4 <= len(data) and data[start] == 0xFF and len(found.parts) < _MOST_PARTS:
        marker, length = data[start + 1], int.from_bytes(data[start + 2 : start + 4], "big")
        found.row(start + 1, "BH", "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            found.row(start + 4, "BHHB" + "BBB" * 4, "big")
        elif marker in (0xC4, 0xDA, 0xDB, 0xDD, 0xEE):
            found.row(start + 4, "B" * min(length, 24), "big")
        elif 0xE0 <= marker <= 0xEF:
            found.row(start + 4, "H" * min(length // 2, 30), "big")
        end = start + 2 + length
        if marker == 0xDA:  # and what is scanned, up to the next marker
            while (end := data.find(b"\xff", end)) >= 0 and data[end + 1 : end + 2] in _IN_SCANS:
                end += 2
            end = len(data) if end < 0 else end
        found.parts.append((start, end))
        start = end
    return found


_IN_SCANS = {b"\0", *(bytes([k]) for k in range(0xD0, 0xD8))}


def _riff(data: bytes) -> Layout:
    found, start = Layout(), 12
    found.row(4, "I", "little")
    while start + 8 <= len(data) and len(found.parts) < _MOST_PARTS:
        kind, length = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        found.row(start + 4, "I", "little")
        if kind == b"VP8 ":
            found.row(start + 8, "BBBxxxHH", "little")
        else:
            found.row(start + 8, "BBBBHBHB" if kind == b"VP8X" else "BIBHH", "little")
        found.parts.append((start, start + 8 + length + length % 2))
        inner = kind == b"ANMF"
        start += 8 + (16 if inner else length + length % 2)
    return found


def _tiff(data: bytes) -> Layout:
    found = Layout()
    order = "little" if data[:2] == b"II" else "big"
    big = data[2:4] in (b"+\0", b"\0+")
    width, head = (8, 8) if big else (4, 4)
    entry, count_size = (20, 8) if big else (12, 2)

    def number(start: int, size: int) -> int:
        return int.from_bytes(data[start : start + size], order)

    waiting, seen = [number(head, width)], set()
    found.numbers.append((head, width, order))
    while waiting and len(seen) < 9:
        start = waiting.pop()
        if not start or start + count_size > len(data) or start in seen:
            continue
        seen.add(start)
        count = min(number(start, count_size), 60)
        found.numbers.append((start, count_size, order))
        for k in range(count):
            place = start + count_size + entry * k
            kind, values = number(place + 2, 2), number(place + 4, width)
            found.row(place, "HH", order)
            found.numbers.append((place + 4, width, order))
            size = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}.get(kind, 1)
            inside = size * values <= width
            begin = place + 4 + width if inside else number(place + 4 + width, width)
            found.numbers.append((place + 4 + width, width if not inside else size, order))
            if not inside and size > 1:
                found.numbers += [(begin + size * n, size, order) for n in range(min(values, 8))]
            if number(place, 2) == 330:  # SubIFDs
                waiting += [number(begin + size * n, size) for n in range(min(values, 8))]
            found.parts.append((place, place + entry))
        place = start + count_size + entry * count
        found.numbers.append((place, width, order))
        waiting.append(number(place, width))
    return found


def _gif(data: bytes) -> Layout:
    found = Layout()
    found.row(6, "HHBBB", "little")
    start = 13 + (3 * 2 ** (data[10] % 8 + 1) if len(data) > 10 and data[10] & 128 else 0)
    while start < len(data) and len(found.parts) < _MOST_PARTS:
        begin = start
        if data[start] == 0x2C:
            found.row(start + 1, "HHHHB", "little")
            flags = data[start + 9] if start + 9 < len(data) else 0
            start += 10 + (3 * 2 ** (flags % 8 + 1) if flags & 128 else 0)
            found.row(start, "B", "little")  # bits of the first code
            start += 1
        elif data[start] == 0x21:
            found.row(start + 1, "BBBHB", "little")
            start += 2
        else:
            break
        while start < len(data) and data[start]:
            found.row(start, "B", "little")
            start += 1 + data[start]
        start += 1
        found.parts.append((begin, start))
    return found


def _bmp(data: bytes) -> Layout:
    found = Layout()
    found.row(2, "IxxxxIIIIHHIIIIII", "little")
    found.row(54, "IIII", "little")
    size = int.from_bytes(data[10:14], "little")
    found.row(size, "B" * 40, "little")
    found.parts = [(0, 14), (14, 54), (54, size), (size, len(data))]
    return found


def _words(data: bytes) -> Layout:
    """The words of a text header, as parts."""
    found, start = Layout(), 0
    for word in data[:120].split()[:12]:
        start = data.find(word, start)
        found.parts.append((start, start + len(word)))
        start += len(word)
    return found


_BOXES = {
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"iprp", b"ipco", b"jp2h",
    b"res ", b"asoc", b"udta",
}  # fmt: skip


def _boxes(data: bytes) -> Layout:
    """Of ISO media files (AVIF, HEIF, JPEG 2000, JPEG XL), with numbers of four bytes in most of them."""
    found = Layout()

    def walk(start: int, end: int, depth: int) -> None:
        while start + 8 <= end and len(found.parts) < _MOST_PARTS and depth < 12:
            length, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
            stop = end if length in (0, 1) else min(start + max(length, 8), end)
            found.row(start, "I", "big")
            found.parts.append((start, stop))
            if kind == b"meta":
                walk(start + 12, stop, depth + 1)
            elif kind in _BOXES:
                walk(start + 8, stop, depth + 1)
            else:
                found.row(start + 8, "I" * min((stop - start - 8) // 4, 12), "big")
                found.row(start + 8, "B" * min(stop - start - 8, 24), "big")
                _codestream(data[start + 8 : stop], start + 8, found)
            start = stop

    if data[:2] in (b"\xff\x4f", b"\xff\x0a"):
        _codestream(data, 0, found)
    else:
        walk(0, len(data), 0)
    return found


def _codestream(data: bytes, begin: int, found: Layout) -> None:
    """Segments of JPEG 2000, and the first bytes of anything else."""
    if data[:2] != b"\xff\x4f":
        found.row(begin, "B" * min(len(data), 16), "big")
        return
    start = 2
    while start + 4 <= len(data) and data[start] == 0xFF and data[start + 1] != 0x93:
        length = int.from_bytes(data[start + 2 : start + 4], "big")
        found.row(begin + start + 2, "HHIIIIIIIIH" if data[start + 1] == 0x51 else "HBBHBBBBBB", "big")
        found.row(begin + start + 40, "BBB", "big")
        found.parts.append((begin + start, begin + start + 2 + length))
        start += 2 + length


def _table(form: str, order: str, repeat: str = "", times: int = 0) -> Callable[[bytes], Layout]:
    """A header of fixed numbers, and some entries like each other behind it."""

    def layout(data: bytes) -> Layout:
        found = Layout()
        found.row(0, form, order)
        start, step = struct.calcsize("=" + form), struct.calcsize("=" + repeat)
        for k in range(times):
            found.row(start + k * step, repeat, order)
            found.parts.append((start + k * step, start + (k + 1) * step))
        return found

    return layout


def _icns(data: bytes) -> Layout:
    found, start = Layout(), 8
    found.row(4, "I", "big")
    while start + 8 <= len(data) and len(found.parts) < _MOST_PARTS:
        length = max(int.from_bytes(data[start + 4 : start + 8], "big"), 8)
        found.row(start + 4, "I", "big")
        found.parts.append((start, start + length))
        inner = _png(data[start + 8 : start + length]) if data[start + 9 : start + 12] == b"PNG" else Layout()
        found.numbers += [(start + 8 + offset, size, order) for offset, size, order in inner.numbers]
        start += length
    return found


_LAYOUTS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Layout]], ...] = (
    (lambda data: data.startswith(b"\x89PNG"), _png),
    (lambda data: data.startswith(b"\xff\xd8"), _jpeg),
    (lambda data: data.startswith(b"RIFF"), _riff),
    (lambda data: data[:2] in (b"II", b"MM"), _tiff),
    (lambda data: data.startswith(b"GIF8"), _gif),
    (lambda data: data.startswith(b"BM"), _bmp),
    (lambda data: data[:1] == b"P" and data[1:2] in b"1234567fF", _words),
    (lambda data: data.startswith(b"qoif"), _table("xxxxIIBB", "big", "B", 30)),
    (lambda data: data.startswith(b"\0\0\1\0"), _table("HHH", "little", "BBBBHHII", 3)),
    (lambda data: data.startswith(b"icns"), _icns),
    (lambda data: data[4:8] in (b"ftyp", b"jP  ", b"JXL ") or data[:2] in (b"\xff\x4f", b"\xff\x0a"), _boxes),
)
_WITHOUT_SIGNATURE = _table("BBBHHBHHHHBB", "little", "B", 40)  # TGA


def layout(data: bytes) -> Layout:
    """Where the numbers and parts of a file are, which may be damaged already."""
    for is_one, layout_ in _LAYOUTS:
        if is_one(data):
            return layout_(data)
    return _WITHOUT_SIGNATURE(data)


def mutated(name: str, number: int, seed: int, files: dict[str, tuple[bytes, ...]]) -> bytes:
    """One damaged file.

    Parameters
    ----------
    name : str
        A format's name.
    number, seed : int
        Which one; the same ones give the same file.
    files : dict
        By name of format, whole files.
    """
    dice = random.Random(f"{seed} {name} {number}")
    data = dice.choice(files[name])
    others = files[name] if dice.random() < 0.8 else files[dice.choice(sorted(files))]
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        data = dice.choice(_WAYS)(data, dice, dice.choice(others))
    if data.startswith(b"\x89PNG"):
        if dice.random() < 0.3:
            data = _other_pixels(data, dice)
        if dice.random() < 0.9:
            data = _with_checksums(data)
    return data


def _number(data: bytes, dice: random.Random, _: bytes) -> bytes:
    """Another value for a number that decoders believe."""
    numbers = [n for n in layout(data).numbers if n[0] + n[1] <= len(data)]
    if not numbers:
        return _word(data, dice, _)
    start, size, order = dice.choice(numbers)
    old = int.from_bytes(data[start : start + size], order)
    new = dice.choice((
        dice.choice(_NUMBERS), dice.choice(_NUMBERS), old + dice.choice((-2, -1, 1, 2)), 2 * old,
        old // 2, ~old, old ^ 1 << dice.randrange(8 * size), dice.getrandbits(8 * size), len(data),
        len(data) - start,
    ))  # fmt: skip
    return data[:start] + (new % 256**size).to_bytes(size, order) + data[start + size :]


def _word(data: bytes, dice: random.Random, _: bytes) -> bytes:
    """Another word in a header of text."""
    words = _words(data).parts
    if not words:
        return b""
    start, end = dice.choice(words)
    new = dice.choice((
        str(dice.choice(_NUMBERS)).encode(), b"-1", b"1e9", b"nan", b"9" * 4000, b"#", b"", b"\0",
        b"P%d" % dice.randrange(9), b"+5", b"1_0", b"0x10", b"99999999999999999999", b"-0.0", b"inf",
    ))  # fmt: skip
    return data[:start] + new + data[end:]


def _part(data: bytes, dice: random.Random, other: bytes) -> bytes:
    """A part that is missing, doubled, elsewhere, from another file, or there very often."""
    parts = [p for p in layout(data).parts if p[0] < len(data)]
    theirs = [p for p in layout(other).parts if p[0] < len(other)]
    if not parts:
        return _block(data, dice, other)
    start, end = dice.choice(parts)
    place, _ = dice.choice(parts)
    part = data[start:end]
    way = dice.randrange(6)
    if way == 0:
        return data[:start] + data[end:]
    if way == 1:
        return data[:place] + part + data[place:]
    if way == 2 and theirs:
        start, end = dice.choice(theirs)
        return data[:place] + other[start:end] + data[place:]
    if way == 3:
        return (
            data[:place]
            + part * min(dice.choice((9, 100, 1000)), 1 + 200_000 // (len(part) + 1))
            + data[place:]
        )
    if way == 4 and place >= end:
        return data[:start] + data[end:place] + part + data[place:]
    return data[:start] + bytes(dice.randrange(256) for _ in part[:64]) + part[64:] + data[end:]


def _flips(data: bytes, dice: random.Random, _: bytes) -> bytes:
    """Bytes that are others, more of them towards the beginning."""
    result = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16, 64)) if data else 0):
        place = int(len(data) * dice.random() ** dice.choice((1, 1, 3)))
        result[place] = dice.choice((result[place] ^ 1 << dice.randrange(8), dice.randrange(256), 0, 255))
    return bytes(result)


def _block(data: bytes, dice: random.Random, _: bytes) -> bytes:
    """Bytes that are missing, doubled, or put in."""
    start = dice.randrange(len(data) + 1)
    length = dice.choice((1, 2, 3, 4, 8, 100, 1000))
    middle = dice.choice(
        (b"", 2 * data[start : start + length], bytes(length), b"\xff" * length, dice.randbytes(length))
    )
    return data[:start] + middle + data[start + dice.choice((0, length)) :]


def _cut(data: bytes, dice: random.Random, _: bytes) -> bytes:
    return data[: int(len(data) * dice.random() ** dice.choice((0.2, 1, 3)))]


def _splice(data: bytes, dice: random.Random, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other) + 1) :]


def _other_pixels(data: bytes, dice: random.Random) -> bytes:
    """A PNG whose compressed pixels are whole, but others, more, or fewer."""
    result, start = data[:8], 8
    for begin, end in _png(data).parts:
        part = data[begin:end]
        kind, content = part[4:8], part[8:-4]
        if kind in (b"IDAT", b"iCCP", b"zTXt") and len(part) >= 12:
            at = 0 if kind == b"IDAT" else content.find(b"\0") + 2
            try:
                plain = zlib.decompress(content[at:])
            except zlib.error:
                plain = bytes(200)
            plain = dice.choice((_flips, _cut, _block))(plain, dice, b"")
            plain += bytes(dice.choice((0, 0, 1, 10**5, 3 * 10**6)))
            content = content[:at] + zlib.compress(plain, 1)
            part = len(content).to_bytes(4, "big") + kind + content + bytes(4)
        result += part
        start = end
    return result + data[start:]


_WAYS = (_number, _number, _number, _part, _part, _flips, _flips, _block, _cut, _splice)


def numbers(count: int, names: list[str]) -> Iterator[tuple[str, int]]:
    """Formats in turn, and which of their files."""
    return ((names[k % len(names)], k // len(names)) for k in range(count))
