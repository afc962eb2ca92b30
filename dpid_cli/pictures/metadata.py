"""The metadata of images: what is read, what stays true of an output, and what a format cannot store."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.ExifTags import Base

from dpid_cli.errors import warn
from dpid_cli.pictures import exif, iptc
from dpid_cli.pictures.codecs.base import Codec
from dpid_cli.pictures.decoders import decoder_warnings
from dpid_cli.pictures.picture import Metadata, Picture

# Parsers of XML and fractions are imported for the images that have such metadata.
if TYPE_CHECKING:
    from dpid_cli.pictures.georeference import GeoReference

_MOST_NAMED = 4  # texts in a message
_UNITS = {2: b"inch", 3: b"cm"}  # by ResolutionUnit


def metadata_of(image: Image.Image, codec: Codec) -> tuple[Metadata, list[str]]:
    """The metadata of an image, and names of what is too damaged to be kept.

    `image` is loaded, if it has pixels. Texts are removed from it.
    """
    lost: list[str] = []
    tags, stack = _exif(image, lost)
    text, is_whole = codec.texts(image)
    if not is_whole:
        lost.append("text")
    packet = _xmp(image, codec, lost)
    comment = image.info.get("comment")
    dpi, density = _dpi(codec.resolution(image), tags), _density(codec.density(image))
    if stack:
        from dpid_cli.pictures import stacks

        if stacks.is_calibrated(stack):
            stored = exif.loaded(tags)
            unit = stored.get(Base.ResolutionUnit)
            dpi, density = None, _density((stored.get(Base.XResolution), stored.get(Base.YResolution)))
            stack = stacks.with_unit(stack, _UNITS[unit]) if density and unit in _UNITS else stack
    metadata = Metadata(
        exif=tags,
        xmp=packet,
        dpi=dpi,
        comment=comment if isinstance(comment, bytes) else text.get("Comment", "").encode(),
        text=tuple(text.items()),
        iptc=_iptc(codec.iptc(image), lost),
        density=density,
        stack=stack,
        georeference=_georeference(image, codec, lost),
        orientation=codec.turned_from(image),
    )
    return metadata, lost


def _title_of_stack(description: bytes) -> str:
    from dpid_cli.pictures import stacks

    return stacks.title(description)


def _exif(image: Image.Image, lost: list[str]) -> tuple[bytes, bytes]:
    """The tags, and a description of all pages."""
    with decoder_warnings() as warned:
        try:
            tags, stack = exif.describing(image, _title_of_stack)
        except Exception:  # Pillow raises many kinds
            tags, stack = b"", b""
            lost.append("EXIF")
    if warned and not lost:
        lost.append("part of its EXIF")
    return tags, stack


def _georeference(image: Image.Image, codec: Codec, lost: list[str]) -> GeoReference | None:
    try:
        found = codec.georeference(image)
        if found is None or found.is_whole:
            return found
    except (TypeError, ValueError, OverflowError):  # values of other types
        pass
    lost.append("georeference")
    return None


def _density(stored: tuple[Any, Any] | None) -> tuple[float, float] | None:
    try:
        x, y = map(float, stored or ())
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if all(0 < value < math.inf for value in (x, y)) else None


def _xmp(image: Image.Image, codec: Codec, lost: list[str]) -> bytes:
    stored = image.info.get("xmp")
    if stored is None:
        return b""
    stored = stored.encode() if isinstance(stored, str) else stored
    packet, is_whole = b"", False
    if isinstance(stored, bytes):
        from dpid_cli.pictures import xmp, xmp_extension

        packet, is_whole = xmp_extension.merged(stored.strip(b"\0"), codec.xmp_segments(image))
        packet = xmp.checked(packet)
    if not packet:
        lost.append("XMP")
    elif not is_whole:
        lost.append("part of its XMP")
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


def part_of(picture: Picture, left: int, top: int, width: int, height: int, name: str) -> Picture:
    """A rectangle of an image, with the metadata that are true of it."""
    pixels = picture.pixels[top : top + height, left : left + width]
    part = replace(picture, pixels=pixels, uncropped=picture.size, part=(left, top, width, height))
    metadata, notes = scaled(part, part, same_values=True)
    for note in notes:
        warn(f"{name}: {note}")
    return replace(picture, pixels=pixels, metadata=metadata)


def scaled(before: Picture, after: Picture, *, same_values: bool) -> tuple[Metadata, list[str]]:
    """The metadata of an image as it is true of its output, and a line about what is not true any more.

    `same_values` is whether pixels of the output are means of stored values, not of converted ones.
    """
    metadata = after.metadata
    packet, dpi, density = metadata.xmp, metadata.dpi, metadata.density
    stack, georeference = metadata.stack, metadata.georeference
    if not (metadata.exif or packet or dpi or density or stack or georeference):
        return metadata, []
    from dpid_cli.pictures.change import Change

    orientation = max(before.orientation, metadata.orientation)  # one of them is 1
    left, top, *sides = before.part or (0, 0, *before.size)
    change = Change(
        before.uncropped or before.size, (sides[0], sides[1]), after.size, orientation, (left, top)
    )
    removed: list[str] = []
    if packet:
        from dpid_cli.pictures import xmp

        packet, removed = xmp.scaled(packet, change)
    if change.swaps_sides:
        dpi, density = dpi and dpi[::-1], density and density[::-1]
    if density:
        density = density[0] * float(change.scale[0]), density[1] * float(change.scale[1])
    if stack:
        from dpid_cli.pictures import stacks

        if dpi:  # which measures what was seen; elsewhere it is what to print
            dpi = dpi[0] * float(change.scale[0]), dpi[1] * float(change.scale[1])
        stack, lost = stacks.scaled(stack, change, before.pages, after.mode, same_values=same_values)
        removed += lost
    if georeference:
        georeference, lost = georeference.scaled(change, same_values=same_values)
        removed += lost
    metadata = replace(
        metadata,
        exif=exif.scaled(metadata.exif, change),
        xmp=packet,
        dpi=dpi,
        density=density,
        stack=stack,
        georeference=georeference,
    )
    return metadata, [f"no longer valid for the output: {', '.join(removed)}: dropped"] if removed else []


def with_square_pixels(metadata: Metadata) -> Metadata:
    """The metadata of an image whose pixels have become square."""
    dpi = metadata.dpi and (min(metadata.dpi),) * 2
    return replace(metadata, dpi=dpi, density=metadata.density if metadata.stack else None)


def contents(metadata: Metadata) -> list[str]:
    """What an image has, in words: kinds of metadata with their amounts."""
    tags = len(exif.loaded(metadata.exif)) if metadata.exif else 0
    found = [f"EXIF ({tags} tags)"] if tags else []
    found += [f"XMP ({len(metadata.xmp)} bytes)"] if metadata.xmp else []
    found += [f"IPTC ({len(metadata.iptc)} bytes)"] if metadata.iptc else []
    if metadata.dpi:
        found.append("resolution {:g}x{:g} per inch".format(*metadata.dpi))
    if metadata.density and metadata.density[0] != metadata.density[1]:
        found.append("aspect ratio of pixels {1:g}:{0:g}".format(*metadata.density))
    found += ["comment"] if metadata.comment else []
    found += [f"text ({', '.join(name for name, _ in metadata.text)})"] if metadata.text else []
    found += [_title_of_stack(metadata.stack)] if metadata.stack else []
    return found + ["georeference"] * (metadata.georeference is not None)


def not_stored(metadata: Metadata, codec: Codec) -> list[str]:
    """A line about what a format cannot store; what made the pixels is replaced, not lost."""
    holds = codec.metadata
    made = {Base.Software} if metadata.software else set()
    tags = exif.loaded(metadata.exif).keys() - made - set(exif.RESOLUTION)
    lost = ["EXIF"] if tags and "exif" not in holds else []
    lost += [name.upper() for name in ("xmp", "iptc") if getattr(metadata, name) and name not in holds]
    if metadata.dpi and not {"dpi", "exif"} & holds:
        lost.append("resolution")
    if metadata.density and metadata.density[0] != metadata.density[1] and "density" not in holds:
        lost.append("aspect ratio of pixels")
    if metadata.stack and "stack" not in holds:
        lost.append(_title_of_stack(metadata.stack))
    if metadata.georeference and "georeference" not in holds:
        lost.append("georeference")
    _, comment, texts = exif.texts_as_tags(metadata, holds)
    lost += ["comment"] if comment else []
    if texts:
        named = [" ".join("".join(c if c.isprintable() else "?" for c in key).split()) for key in texts]
        more = len(named) - _MOST_NAMED
        named = named if more <= 0 else [*named[:_MOST_NAMED], f"{more} more"]
        lost.append(f"text ({', '.join(named)})")
    return [f"{codec.title} cannot store {', '.join(lost)}: dropped"] if lost else []
