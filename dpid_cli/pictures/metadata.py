"""What a file tells of a picture beside its pixels: EXIF, XMP, resolution, comments, and what made it.

Pillow's ``info`` and ``Exif`` become a `Metadata`, which holds nothing that a smaller upright picture would
make untrue; a `Metadata` becomes what Pillow's ``save`` is told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PIL import Image, ImageOps
from PIL.ExifTags import IFD, Base

from dpid_cli.pictures.containers import LONGEST_TEXT
from dpid_cli.pictures.settings import remarks

# Other tags of the first directory tell how pixels were stored, or are links into the file.
_DESCRIBING = (
    Base.DocumentName,
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.XResolution,
    Base.YResolution,
    Base.PageName,
    Base.ResolutionUnit,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.HostComputer,
    Base.Rating,
    Base.RatingPercent,
    Base.Copyright,
    Base.XPTitle,
    Base.XPComment,
    Base.XPAuthor,
    Base.XPKeywords,
    Base.XPSubject,
    Base.UniqueCameraModel,
    Base.CameraSerialNumber,
)
# Counted in pixels of the original, or a promise about the whole file.
_OUTDATED = {
    0x9214,  # SubjectArea
    Base.SubjectLocation,
    Base.FocalPlaneXResolution,
    Base.FocalPlaneYResolution,
    Base.FocalPlaneResolutionUnit,
    Base.ExifInteroperabilityOffset,
}
_SHAPE = '{"shape": ['  # how tifffile notes the size of arrays, which readers believe
_TAG_OF_XMP = 700
_XMP_KEYWORD = "XML:com.adobe.xmp"
_RAW_PROFILE = "Raw profile type"  # how ImageMagick wrote binary metadata as text
ORIENTING = ("exif", f"{_RAW_PROFILE} exif", "xmp", _XMP_KEYWORD)  # what may tell how to turn an image
_INCH = {2: 1.0, 3: 2.54}  # what ResolutionUnit counts in
_JPEG_SEGMENT = 65504  # for XMP, which has the longest label


@dataclass(frozen=True)
class Metadata:
    """What describes a picture of any size.

    Attributes
    ----------
    exif : bytes
        Tags as a TIFF structure behind ``Exif`` and two zeros, without orientation and thumbnail.
    xmp : bytes
        An XMP packet, in UTF-8.
    dpi : (float, float) or None
        Pixels per inch, across and down.
    comment : bytes
        The comment of a JPEG or GIF.
    text : tuple of (str, str)
        Keywords and texts of a PNG.
    software : str
        What made the pixels; if empty, what the tags and texts say.
    """

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    comment: bytes = b""
    text: tuple[tuple[str, str], ...] = ()
    software: str = ""


def metadata_of(image: Image.Image) -> tuple[Metadata, list[str]]:
    """What an image tells of itself.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded, if it has pixels.

    Returns
    -------
    Metadata
    list of str
        What is too damaged to be kept.
    """
    lost: list[str] = []
    exif = _exif(image, lost)
    text = _text(image, lost)
    xmp = _xmp(image, lost)
    comment = image.info.get("comment")
    found = Metadata(
        exif=exif,
        xmp=xmp,
        dpi=_dpi(image, exif),
        comment=comment if isinstance(comment, bytes) else dict(text).get("Comment", "").encode(),
        text=text,
    )
    return found, lost


def is_turned(image: Image.Image) -> bool:
    """Whether `take` will exchange width and height, as far as the header tells; nothing is decoded."""
    with suppress(Exception):  # damaged EXIF turns nothing
        found = Image.Image.getexif(image)  # a PNG's own decodes it
        return found.get(Base.Orientation) in (5, 6, 7, 8)
    return False


def orientation(image: Image.Image) -> int:
    """How the image is to be turned, 1 to 8 as in EXIF; damaged EXIF turns nothing."""
    with suppress(Exception):
        value = image.getexif().get(Base.Orientation, 1)
        return value if value in range(1, 9) else 1
    return 1


def take(image: Image.Image) -> tuple[Metadata, list[str], bool]:
    """Turn a decoded image upright and take what it tells, which leaves none of it in it.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded; turned in place as its EXIF or XMP says.

    Returns
    -------
    Metadata
    list of str
        What is too damaged to be kept.
    bool
        Whether it had to be turned.
    """
    return *metadata_of(image), turn(image)


def turn(image: Image.Image) -> bool:
    """Turn it upright and forget what told how, so that Pillow need not rewrite it; whether it was turned."""
    turned = orientation(image) != 1  # is found out before what it stands in is taken away
    for key in ORIENTING:
        image.info.pop(key, None)
    ImageOps.exif_transpose(image, in_place=True)
    return turned


def _exif(image: Image.Image, lost: list[str]) -> bytes:
    stored = image.info.get("exif")
    with remarks() as told:
        try:
            if isinstance(stored, bytes):
                original = Image.Exif()
                original.load(stored)
            else:
                original = image.getexif()
            result = _describing(original)
        except Exception:  # Pillow raises many kinds
            result = b""
            lost.append("EXIF")
    if told and not lost:
        lost.append("part of its EXIF")
    return result


def _describing(original: Image.Exif) -> bytes:
    """The tags that stay true when the picture becomes smaller."""
    kept = Image.Exif()
    for tag in _DESCRIBING:
        if tag in original:
            kept[tag] = original[tag]
    if str(kept.get(Base.ImageDescription)).startswith(_SHAPE):
        del kept[Base.ImageDescription]
    for directory in (IFD.Exif, IFD.GPSInfo):
        values = {tag: value for tag, value in original.get_ifd(directory).items() if tag not in _OUTDATED}
        if values:
            kept.get_ifd(directory).update(values)
            kept[directory] = kept.get_ifd(directory)
    return kept.tobytes() if len(kept) else b""


def _text(image: Image.Image, lost: list[str]) -> tuple[tuple[str, str], ...]:
    """Texts of a PNG, which Pillow puts among its own findings."""
    if image.format != "PNG":
        return ()
    found = {k: value for k, value in image.info.items() if isinstance(k, str) and isinstance(value, str)}
    kept: dict[str, str] = {}
    for key, value in found.items():
        if key == _XMP_KEYWORD or key.startswith(_RAW_PROFILE):
            continue
        del image.info[key]  # it may be called "transparency"
        if len(key) <= 79 and len(value) <= LONGEST_TEXT:
            kept[key] = value
        elif "text" not in lost:
            lost.append("text")
    return tuple(kept.items())


def _xmp(image: Image.Image, lost: list[str]) -> bytes:
    """The packet, if it is XML without declarations of its own."""
    stored = image.info.get("xmp")
    if stored is None:
        return b""
    if isinstance(stored, str):
        stored = stored.encode()
    packet = stored.strip(b"\0") if isinstance(stored, bytes) else b""
    if not packet:
        lost.append("XMP")
        return b""

    from xml.etree import ElementTree  # nothing is expanded: there are no declarations

    try:
        packet.decode()
        if re.search(rb"<!(?!--|\[CDATA\[)", packet):
            raise ValueError
        ElementTree.fromstring(packet)  # noqa: S314
    except (ValueError, ElementTree.ParseError):
        lost.append("XMP")
        return b""
    return re.sub(rb"<xmp:Thumbnails>.*?</xmp:Thumbnails>", b"", packet, flags=re.DOTALL)


def _dpi(image: Image.Image, exif: bytes) -> tuple[float, float] | None:
    """Pixels per inch where the file tells them."""
    told = image.info.get("dpi")
    jpeg = image.format in ("JPEG", "MPO")
    if image.format == "TIFF" or (jpeg and image.info.get("jfif_unit") not in (1, 2)):
        told = None  # it may be Pillow's guess
    try:
        if told is None:
            tags = _loaded(exif)
            factor = _INCH[tags.get(Base.ResolutionUnit, 2)]
            told = [float(tags[tag]) * factor for tag in (Base.XResolution, Base.YResolution)]
        x, y = (round(float(d), 2) for d in told)  # 300 in a PNG is 299.9994
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if all(math.isfinite(d) and 0.5 <= d <= 65535 for d in (x, y)) else None


def _loaded(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    return tags


def save_options(
    metadata: Metadata, format_name: str, holds: Collection[str], size: tuple[int, int]
) -> tuple[dict[str, Any], list[str]]:
    """What Pillow's ``save`` is told to write the metadata.

    Parameters
    ----------
    metadata : Metadata
    format_name : str
        Such as ``jpeg``.
    holds : collection of str
        The fields of `Metadata` that the format can hold.
    size : (int, int)
        Width and height of the picture that is written.

    Returns
    -------
    dict
        Keywords of ``save``. Pillow writes no directories of EXIF into a TIFF: their encoders are the value
        of ``directories``, for `containers.with_directories`.
    list of str
        What is too long for the format.
    """
    options: dict[str, Any] = {}
    if "dpi" in holds and metadata.dpi:
        options["dpi"] = metadata.dpi
    elif format_name == "bmp":
        options["dpi"] = (0, 0)  # Pillow would write 96
    if "comment" in holds and metadata.comment:
        options["comment"] = metadata.comment
    xmp = _sized_xmp(metadata.xmp, size) if "xmp" in holds else b""
    if "text" in holds:
        options["pnginfo"] = _png_texts(metadata, xmp)
    elif xmp:
        options["xmp"] = xmp
    if "exif" in holds:
        tags = _sized_exif(metadata, holds, size)
        if format_name == "tiff":
            _into_tiff(options, tags)
        elif len(tags):
            encoded = tags.tobytes()
            # Pillow's plugins leave to us what stands before it: nothing, and in JPEG XL an offset.
            before = {"webp": b"", "jxl": bytes(4)}.get(format_name)
            options["exif"] = encoded if before is None else before + encoded[6:]
    if format_name != "jpeg":
        return options, []
    long = [key for key, value in options.items() if isinstance(value, bytes) and len(value) > _JPEG_SEGMENT]
    for key in long:
        del options[key]
    if "exif" in long and len(rest := _sized_exif(replace(metadata, exif=b""), holds, size)):
        options["exif"] = rest.tobytes()
    return options, [key if key == "comment" else key.upper() for key in long]


def _sized_exif(metadata: Metadata, holds: Collection[str], size: tuple[int, int]) -> Image.Exif:
    """The tags with what the format has no other place for."""
    tags = _loaded(metadata.exif)
    details = tags.get_ifd(IFD.Exif) if IFD.Exif in tags else {}
    for tag, side in zip((Base.ExifImageWidth, Base.ExifImageHeight), size, strict=True):
        if tag in details:
            details[tag] = side
    for tag in (Base.XResolution, Base.YResolution, Base.ResolutionUnit):
        tags.pop(tag, None)
    if metadata.dpi and (len(tags) or "dpi" not in holds):
        tags[Base.XResolution], tags[Base.YResolution] = metadata.dpi
        tags[Base.ResolutionUnit] = 2
    if metadata.software and (len(tags) or "text" not in holds):
        tags[Base.Software] = metadata.software
    return tags


def _into_tiff(options: dict[str, Any], tags: Image.Exif) -> None:
    """Tags of the first directory for Pillow, and the encoders of the others."""
    directories: dict[int, Callable[[bytes, int], bytes]] = {}
    for directory in (IFD.Exif, IFD.GPSInfo):
        if directory in tags:
            directories[directory] = partial(_directory, directory, tags.get_ifd(directory))
            del tags[directory]
    if xmp := options.pop("xmp", b""):
        tags[_TAG_OF_XMP] = xmp
    if len(tags):
        options["exif"] = tags
    if directories:
        options["directories"] = directories


def _directory(group: int, values: dict[int, Any], header: bytes, offset: int) -> bytes:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    encoder = ImageFileDirectory_v2(header, group=group)
    for tag, value in values.items():
        encoder[tag] = value
    return encoder.tobytes(offset)


def _sized_xmp(packet: bytes, size: tuple[int, int]) -> bytes:
    """The packet with the size as it is and nothing left to turn, wherever it tells them."""
    width, height = size
    now = {
        "tiff:Orientation": 1,
        "tiff:ImageWidth": width,
        "tiff:ImageLength": height,
        "exif:PixelXDimension": width,
        "exif:PixelYDimension": height,
    }
    for name, value in now.items():
        pattern = rf"""({name}(?:\s*=\s*["']|\s*>)\s*)\d+"""
        packet = re.sub(pattern.encode(), rf"\g<1>{value}".encode(), packet)
    return packet


def _png_texts(metadata: Metadata, xmp: bytes) -> Any:
    """A ``PngInfo``, whose module takes a moment to import."""
    from PIL.PngImagePlugin import PngInfo

    texts = dict(metadata.text)
    if metadata.comment and "Comment" not in texts:
        comment = metadata.comment.rstrip(b"\0")  # which some programs write, and PNG forbids
        try:
            texts["Comment"] = comment.decode()
        except UnicodeDecodeError:
            texts["Comment"] = comment.decode("latin-1")
    if metadata.software:
        texts["Software"] = metadata.software
    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, value, zip=len(value) > 1024)
    if xmp:
        chunks.add_itxt(_XMP_KEYWORD, xmp.decode())
    return chunks
