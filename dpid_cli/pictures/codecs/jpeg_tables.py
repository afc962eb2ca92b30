"""Tables of quantisation for qualities between whole numbers."""

from __future__ import annotations

import io
import math
from functools import lru_cache

from PIL import Image

_SIDE = 8


@lru_cache(maxsize=128)
def _tables(quality: int) -> tuple[tuple[int, ...], ...]:
    """Those for luma and chroma that the encoder makes for a quality."""
    buffer = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE)).save(buffer, "JPEG", quality=quality, subsampling=0)
    with Image.open(buffer, formats=["JPEG"]) as image:
        tables: dict[int, list[int]] = image.quantization  # type: ignore[attr-defined]
        return tuple(tuple(tables[key]) for key in sorted(tables))


def between(quality: float) -> list[list[int]]:
    """The tables for a quality from 1 to 100, of which a fraction takes entries from the next one.

    Low frequencies change first, so that file sizes grow in many small steps.
    """
    fraction, whole = math.modf(quality)
    lower, upper = _tables(int(whole)), _tables(min(int(whole) + 1, 100))
    tables = [list(table) for table in lower]
    order = sorted(range(_SIDE**2), key=lambda place: sum(divmod(place, _SIDE)))
    places = [(table, place) for place in order for table in range(len(tables))]
    for table, place in places[: round(fraction * len(places))]:
        tables[table][place] = upper[table][place]
    return tables
