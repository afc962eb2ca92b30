"""EXIF tags: those that stay true when an image becomes smaller, and those that are written."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from dpid_cli.pictures.picture import Metadata

if TYPE_CHECKING:
    from dpid_cli.pictures.change import Change

# Other tags of the first directory describe how pixels were stored, or point into the file.
_DESCRIBING = [
    *(Base.DocumentName, Base.ImageDescription, Base.Make, Base.Model, Base.XResolution, Base.YResolution),
    *(Base.PageName, Base.ResolutionUnit, Base.Software, Base.DateTime, Base.Artist, Base.HostComputer),
    *(Base.Rating, Base.RatingPercent, Base.Copyright, Base.XPTitle, Base.XPComment, Base.XPAuthor),
    *(Base.XPKeywords, Base.XPSubject, Base.UniqueCameraModel, Base.CameraSerialNumber),
]
# Measured in pixels of the original, or a promise about the whole file.
_OUTDATED = {
    *(0x9214, Base.SubjectLocation, Base.ExifInteroperabilityOffset),  # the first is SubjectArea
}
_FOCAL_PLANE = (Base.FocalPlaneXResolution, Base.FocalPlaneYResolution)  # per unit of the sensor
RESOLUTION = (Base.XResolution, Base.YResolution, Base.ResolutionUnit)
_SRGB, _ADOBE_RGB, _UNCALIBRATED, _OPTIONAL_SPACE = 1, 2, 65535, "R03"  # of ColorSpace; the index of Interop
_INCH = {2: 1.0, 3: 2.54}  # by ResolutionUnit
_ARRAY_SHAPE = '{"shape": ['  # how tifffile stores the shape of arrays; other readers believe it
# What may tell how to turn an image, among Pillow's ``info``.
ORIENTING = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
# Keywords of texts that EXIF has tags for.
_TAGS_OF_TEXTS = {
    "Description": Base.ImageDescription,
    "Author": Base.Artist,
    "Copyright": Base.Copyright,
    "Software": Base.Software,
}


class _Text(str):
    """A text of EXIF: Pillow reads its bytes as Latin-1 and writes them as ASCII."""

    __slots__ = ()

    @classmethod
    def of(cls, text: bytes) -> _Text:
        return cls(text.decode("latin-1"))

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return super().encode("latin-1", "replace")


def _value(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) else value


def orientation(image: Image.Image) -> int:
    """How to turn the image, 1 to 8 as in EXIF; 1 if its EXIF is damaged."""
    with suppress(Exception):
        value = image.getexif().get(Base.Orientation, 1)
        return value if value in range(1, 9) else 1
    return 1


def swaps_sides(image: Image.Image) -> bool:
    """Whether `turn` will exchange width and height, as far as the header tells; decodes nothing."""
    with suppress(Exception):  # damaged EXIF turns nothing
        tags = Image.Image.getexif(image)  # some subclasses decode the image here
        return tags.get(Base.Orientation) in (5, 6, 7, 8)
    return False


def turn(image: Image.Image) -> int:
    """Turn a decoded image upright in place and remove its orientation, which is returned."""
    before = orientation(image)
    for key in ORIENTING:  # else Pillow rewrites them
        image.info.pop(key, None)
    if before != 1:
        from PIL import ImageOps

        ImageOps.exif_transpose(image, in_place=True)
    return before


def describing(image: Image.Image, is_of_pages: Callable[[bytes], object]) -> tuple[bytes, bytes]:
    """The tags that can be made true of a smaller image, and a description of all pages of the file.

    `is_of_pages` tells such a description from others. Damage raises many kinds of errors.
    """
    stored = image.info.get("exif")
    original = Image.Exif()
    if isinstance(stored, bytes):
        original.load(stored)
    else:
        original = image.getexif()
    kept = Image.Exif()
    for tag in _DESCRIBING:
        if tag in original:
            kept[tag] = _value(original[tag])
    stack = b""
    description = kept.get(Base.ImageDescription)
    if isinstance(description, _Text):
        if is_of_pages(description.encode()):
            stack = description.encode()
        if stack or description.startswith(_ARRAY_SHAPE):
            del kept[Base.ImageDescription]
    for directory in (IFD.Exif, IFD.GPSInfo):
        entries = original.get_ifd(directory).items()
        values = {tag: _value(value) for tag, value in entries if tag not in _OUTDATED}
        if values:
            kept.get_ifd(directory).update(values)
            kept[directory] = kept.get_ifd(directory)
    return kept.tobytes() if len(kept) else b"", stack


def says_adobe_rgb(image: Image.Image) -> bool:
    """Whether an image is in Adobe RGB by the rules of DCF, or as some cameras say it."""
    with suppress(Exception):  # damaged EXIF says nothing
        tags = image.getexif()
        space = tags.get_ifd(IFD.Exif).get(Base.ColorSpace)
        if space == _UNCALIBRATED:
            return str(tags.get_ifd(IFD.Interop).get(1, "")).strip("\0 ") == _OPTIONAL_SPACE
        return bool(space == _ADOBE_RGB)
    return False


def in_srgb(exif: bytes) -> bytes:
    """The tags of an image that was converted to sRGB."""
    tags = loaded(exif)
    details = tags.get_ifd(IFD.Exif) if IFD.Exif in tags else {}
    if details.get(Base.ColorSpace, _SRGB) == _SRGB:
        return exif
    details[Base.ColorSpace] = _SRGB
    details.pop(Base.Gamma, None)
    return tags.tobytes()


def loaded(exif: bytes) -> Image.Exif:
    """The tags of `Metadata.exif`."""
    tags = Image.Exif()
    if exif:
        tags.load(exif)
        for values in (tags, *(tags.get_ifd(group) for group in (IFD.Exif, IFD.GPSInfo) if group in tags)):
            for tag, value in values.items():
                values[tag] = _value(value)
    return tags


def resolution(exif: bytes) -> list[float]:
    """Pixels per inch, horizontally and vertically; a `KeyError` or similar if the tags do not tell."""
    tags = loaded(exif)
    factor = _INCH[tags.get(Base.ResolutionUnit, 2)]
    return [float(tags[tag]) * factor for tag in (Base.XResolution, Base.YResolution)]


def scaled(exif: bytes, change: Change) -> bytes:
    """The tags with the resolution that the sensor would have had for the output's pixels."""
    tags = loaded(exif)
    details = tags.get_ifd(IFD.Exif) if IFD.Exif in tags else {}
    if not any(tag in details for tag in _FOCAL_PLANE):
        return exif
    names = _FOCAL_PLANE[::-1] if change.swaps_sides else _FOCAL_PLANE
    values = [details.pop(tag, None) for tag in names]
    for tag, value, factor in zip(_FOCAL_PLANE, values, change.scale, strict=True):
        with suppress(TypeError, ValueError, ArithmeticError):
            pixels = float(value) * float(factor)
            if 0 < pixels < 2**31:
                details[tag] = pixels
    return tags.tobytes()


def texts_as_tags(metadata: Metadata, holds: Collection[str]) -> tuple[dict[int, _Text], bool, list[str]]:
    """Comment and texts as tags, if the format holds EXIF and the tags are free.

    Returns values by tag, whether the comment is lost, and keywords of the texts that are lost.
    """
    tags = loaded(metadata.exif)
    values: dict[int, _Text] = {}

    def is_placed(tag: int | None, value: bytes) -> bool:
        if tag is None or "exif" not in holds:
            return False
        own = values.setdefault(tag, _value(tags.get(tag)) or _Text.of(value))
        return own == _Text.of(value)

    if "text" in holds:
        return {}, False, []
    keywords = [
        key
        for key, text in metadata.text
        if key != "Comment"
        and not (key == "Software" and metadata.software)
        and not is_placed(_TAGS_OF_TEXTS.get(key), text.encode())
    ]
    comment = metadata.comment.rstrip(b"\0") if "comment" not in holds else b""
    return values, bool(comment) and not is_placed(Base.ImageDescription, comment), keywords


def sized(metadata: Metadata, holds: Collection[str], size: tuple[int, int]) -> Image.Exif:
    """The tags for an output of this width and height, with what its format cannot store elsewhere.

    `holds` are the fields of `Metadata` that the format stores.
    """
    tags = loaded(metadata.exif)
    details = tags.get_ifd(IFD.Exif) if IFD.Exif in tags else {}
    for tag, side in zip((Base.ExifImageWidth, Base.ExifImageHeight), size, strict=True):
        if tag in details:
            details[tag] = side
    for tag in RESOLUTION:
        tags.pop(tag, None)
    for vacant, text in texts_as_tags(metadata, holds)[0].items():
        tags[vacant] = text
    if metadata.dpi and (len(tags) or "dpi" not in holds):
        tags[Base.XResolution], tags[Base.YResolution] = metadata.dpi
        tags[Base.ResolutionUnit] = 2
    if metadata.software and (len(tags) or "text" not in holds):
        tags[Base.Software] = _Text.of(metadata.software.encode(errors="replace"))
    return tags
