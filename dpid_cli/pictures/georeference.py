"""Where pixels lie on the earth, by the tags of OGC 19-008 and of GDAL."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dpid_cli.pictures.change import Change
from dpid_cli.pictures.markup import Document

PIXEL_SCALE, TIEPOINTS, TRANSFORMATION = 33550, 33922, 34264
KEYS, DOUBLE_KEYS, TEXT_KEYS = 34735, 34736, 34737
ITEMS, NODATA = 42112, 42113  # of GDAL
POLYNOMIALS = 50844  # rational polynomial coefficients
NUMBERS = (PIXEL_SCALE, TIEPOINTS, TRANSFORMATION, DOUBLE_KEYS, POLYNOMIALS)
TEXTS = (TEXT_KEYS, ITEMS, NODATA)
_PLACES = (PIXEL_SCALE, TIEPOINTS, TRANSFORMATION, POLYNOMIALS)
_RASTER_TYPE, _POINT = 1025, 2  # a key, and its value where a pixel stands for the point at its centre
_LENGTHS = {TRANSFORMATION: 16, POLYNOMIALS: 92}
_LINE, _SAMPLE = (2, 7), (3, 8)  # where offset and scale of rows and columns lie among the coefficients


@dataclass(frozen=True)
class GeoReference:
    """Values of tags, by tag.

    Attributes
    ----------
    numbers : tuple of (int, tuple of float)
        Those of `NUMBERS`.
    keys : tuple of int
        Those of `KEYS`.
    texts : tuple of (int, bytes)
        Those of `TEXTS`.
    """

    numbers: tuple[tuple[int, tuple[float, ...]], ...] = ()
    keys: tuple[int, ...] = ()
    texts: tuple[tuple[int, bytes], ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all numbers make sense."""
        values = dict(self.numbers)
        lengths = all(len(values[tag]) == count for tag, count in _LENGTHS.items() if tag in values)
        finite = all(math.isfinite(value) for numbers in values.values() for value in numbers)
        points = len(values.get(TIEPOINTS, ()))
        return lengths and finite and points % 6 == 0 and len(values.get(PIXEL_SCALE, (0, 0))) in (2, 3)

    @property
    def _centred(self) -> bool:
        """Whether whole coordinates are those of centres of pixels, not of corners."""
        entries = [self.keys[k : k + 4] for k in range(4, len(self.keys), 4)]
        return any(entry[0] == _RASTER_TYPE and entry[1:] == (0, 1, _POINT) for entry in entries)

    def scaled(self, change: Change, *, same_values: bool) -> tuple[GeoReference | None, list[str]]:
        """What is true of the output, and names of what had to be removed.

        `same_values` is whether pixels still have the values of the file.
        """
        removed = []
        texts = dict(self.texts)
        if NODATA in texts and not same_values:
            del texts[NODATA]
            removed.append("nodata value")
        if ITEMS in texts:
            texts[ITEMS] = _without_statistics(texts[ITEMS])
        numbers, keys = dict(self.numbers), self.keys
        if change.orientation != 1 and any(tag in numbers for tag in _PLACES):
            numbers, keys = {}, ()
            texts.pop(TEXT_KEYS, None)
            removed.append("georeference, as the image was turned")
        numbers = {tag: self._moved(tag, values, change) for tag, values in numbers.items()}
        kept = {tag: text for tag, text in texts.items() if text}
        result = replace(self, numbers=tuple(numbers.items()), keys=keys, texts=tuple(kept.items()))
        if not result.is_whole:  # its numbers are too large
            return None, [*removed, "georeference"]
        return (result if result != GeoReference() else None), removed

    def _moved(self, tag: int, values: tuple[float, ...], change: Change) -> tuple[float, ...]:
        # Pixels of the input per pixel of the output
        ratios = [float(old / new) for old, new in zip(change.cropped, change.output, strict=True)]
        starts = [float(start) for start in change.offset]
        half = 0.5 if self._centred else 0.0
        if tag == PIXEL_SCALE:
            return (values[0] * ratios[0], values[1] * ratios[1], *values[2:])
        if tag == TIEPOINTS:
            moved = list(values)
            for axis, ratio in enumerate(ratios):
                moved[axis::6] = [(value + half - starts[axis]) / ratio - half for value in values[axis::6]]
            return tuple(moved)
        if tag == TRANSFORMATION:
            return tuple(_stretched(values, ratios, starts, half))
        if tag == POLYNOMIALS:  # of centres of pixels
            moved = list(values)
            for (offset, scale), ratio, start in zip((_SAMPLE, _LINE), ratios, starts, strict=True):
                moved[offset] = (values[offset] + 0.5 - start) / ratio - 0.5
                moved[scale] = values[scale] / ratio
            return tuple(moved)
        return values


def _stretched(
    matrix: tuple[float, ...], ratios: Iterable[float], starts: Sequence[float], half: float
) -> list[float]:
    """A 4 x 4 matrix, row by row, for coordinates of the output instead of the input."""
    result = list(matrix)
    for axis, ratio in enumerate(ratios):
        for row in range(0, 16, 4):
            result[row + 3] += matrix[row + axis] * (half * (ratio - 1) + starts[axis])
            result[row + axis] = matrix[row + axis] * ratio
    return result


def _without_statistics(items: bytes) -> bytes:
    """GDAL's items but for statistics of the pixels; nothing if they are damaged."""
    try:
        document = Document(items)
    except ValueError:
        return b""
    for element in document.elements():
        names = [attribute.value for attribute in element.attributes if attribute.local == "name"]
        if any(name.startswith("STATISTICS_") for name in names):
            document.remove(element)
    return document.content()
