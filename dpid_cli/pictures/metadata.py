"""The metadata of images: what is read of an opened image, and what a format cannot store."""

from __future__ import annotations

import math

from PIL import Image
from PIL.ExifTags import Base

from dpid_cli.pictures import exif, iptc, xmp
from dpid_cli.pictures.codecs.base import Codec
from dpid_cli.pictures.picture import Metadata
from dpid_cli.pictures.pillow import decoder_warnings

_MOST_NAMED = 4  # texts in a message


def metadata_of(image: Image.Image, codec: Codec) -> tuple[Metadata, list[str]]:
    """The metadata of an image, and names of what is too damaged to be kept.

    `image` is loaded, if it has pixels. Texts are removed from it.
    """
    lost: list[str] = []
    tags = _exif(image, lost)
    text, is_whole = codec.texts(image)
    if not is_whole:
        lost.append("text")
    packet = _xmp(image, lost)
    comment = image.info.get("comment")
    metadata = Metadata(
        exif=tags,
        xmp=packet,
        dpi=_dpi(codec.resolution(image), tags),
        comment=comment if isinstance(comment, bytes) else text.get("Comment", "").encode(),
        text=tuple(text.items()),
        iptc=_iptc(codec.iptc(image), lost),
    )
    return metadata, lost


def _exif(image: Image.Image, lost: list[str]) -> bytes:
    with decoder_warnings() as warned:
        try:
            tags = exif.describing(image)
        except Exception:  # Pillow raises many kinds
            tags = b""
            lost.append("EXIF")
    if warned and not lost:
        lost.append("part of its EXIF")
    return tags


def _xmp(image: Image.Image, lost: list[str]) -> bytes:
    stored = image.info.get("xmp")
    if stored is None:
        return b""
    packet = stored.encode() if isinstance(stored, str) else stored
    packet = xmp.checked(packet) if isinstance(packet, bytes) else b""
    if not packet:
        lost.append("XMP")
    return packet


def _iptc(stored: list[bytes], lost: list[str]) -> bytes:
    """The first records that are whole."""
    records = [iptc.whole(value) or iptc.whole(iptc.swapped(value)) for value in stored]
    if any(stored) and not any(records):
        lost.append("IPTC")
    return next(filter(None, records), b"")


def _dpi(stored: tuple[float, float] | None, tags: bytes) -> tuple[float, float] | None:
    """Pixels per inch, as the format or else EXIF tells them."""
    try:
        values = exif.resolution(tags) if stored is None else stored
        x, y = (round(float(d), 2) for d in values)  # files count per metre: 300 becomes 299.9994
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if all(math.isfinite(d) and 0.5 <= d <= 65535 for d in (x, y)) else None


def not_stored(metadata: Metadata, codec: Codec) -> list[str]:
    """A line about what a format cannot store; what made the pixels is replaced, not lost."""
    holds = codec.metadata
    made = {Base.Software} if metadata.software else set()
    tags = exif.loaded(metadata.exif).keys() - made - set(exif.RESOLUTION)
    lost = ["EXIF"] if tags and "exif" not in holds else []
    lost += [name.upper() for name in ("xmp", "iptc") if getattr(metadata, name) and name not in holds]
    if metadata.dpi and not {"dpi", "exif"} & holds:
        lost.append("resolution")
    _, comment, texts = exif.texts_as_tags(metadata, holds)
    lost += ["comment"] if comment else []
    if texts:
        named = [" ".join("".join(c if c.isprintable() else "?" for c in key).split()) for key in texts]
        more = len(named) - _MOST_NAMED
        named = named if more <= 0 else [*named[:_MOST_NAMED], f"{more} more"]
        lost.append(f"text ({', '.join(named)})")
    return [f"{codec.title} cannot store {', '.join(lost)}: dropped"] if lost else []
