"""Tags of TIFFs about what pixels measure: descriptions of all pages, places on the earth, densities."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dpid_cli.pictures import georeference, stacks
from dpid_cli.pictures.georeference import GeoReference

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Metadata

_DESCRIPTION, _ACROSS, _DOWN, _UNIT = 270, 282, 283, 296
_NO_UNIT = 1
_ASCII, _SHORT, _RATIONAL, _DOUBLE = 2, 3, 5, 12  # types
_FORMS = {_SHORT: "H", _RATIONAL: "L", _DOUBLE: "d"}


@dataclass(frozen=True)
class Value:
    """The content of a tag: its type, how many it counts, and numbers, or bytes for texts."""

    kind: int
    count: int
    content: bytes | tuple[float, ...]

    def packed(self, order: str) -> bytes:
        """The content in a byte order, ``<`` or ``>``."""
        if isinstance(self.content, bytes):
            return self.content
        return struct.pack(f"{order}{len(self.content)}{_FORMS[self.kind]}", *self.content)


def density_in(tags: Mapping[int, Any]) -> tuple[Any, Any] | None:
    """Pixels per unit, unchecked, if there is no unit and they differ; None if they say nothing."""
    across, down = tags.get(_ACROSS), tags.get(_DOWN)
    return (across, down) if tags.get(_UNIT) == _NO_UNIT and across != down else None


def georeference_in(tags: Mapping[int, Any]) -> GeoReference | None:
    """Where the pixels lie on the earth; damage raises a `TypeError` or `ValueError`."""
    numbers = tuple(
        (tag, tuple(float(value) for value in tags[tag])) for tag in georeference.NUMBERS if tag in tags
    )
    texts = tuple((tag, _bytes(tags[tag])) for tag in georeference.TEXTS if tag in tags)
    keys = tuple(int(value) for value in tags.get(georeference.KEYS, ()))
    if keys and not all(0 <= key <= 65535 for key in keys):
        raise ValueError("keys are not short")
    return GeoReference(numbers, keys, texts) if numbers or keys or texts else None


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin-1", "replace")


def values_of(metadata: Metadata) -> dict[int, Value]:
    """What other encoders do not write, by tag."""
    values: dict[int, Value] = {}
    place = metadata.georeference or GeoReference()
    values |= {tag: Value(_DOUBLE, len(numbers), numbers) for tag, numbers in place.numbers}
    if place.keys:
        values[georeference.KEYS] = Value(_SHORT, len(place.keys), place.keys)
    values |= {tag: _text(text) for tag, text in place.texts}
    if metadata.stack:
        values[_DESCRIPTION] = _text(metadata.stack)
    density = metadata.density
    if density and (density[0] != density[1] or stacks.is_calibrated(metadata.stack)):
        for tag, number in zip((_ACROSS, _DOWN), density, strict=True):
            values[tag] = Value(_RATIONAL, 1, _quotient(number))
        values[_UNIT] = Value(_SHORT, 1, (_NO_UNIT,))
    return values


def _text(text: bytes) -> Value:
    content = text.rstrip(b"\0") + b"\0"
    return Value(_ASCII, len(content), content)


def _quotient(number: float) -> tuple[int, int]:
    """A number as numerator and denominator of 32 bits."""
    most = 2**32 - 1
    fraction = Fraction(min(number, most)).limit_denominator(min(10**6, max(1, int(most / max(number, 1)))))
    return fraction.numerator, fraction.denominator
