"""What a file tells of a picture beside its pixels: EXIF, XMP, IPTC, resolution, comments, and what made it.

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

from dpid_cli.pictures import iptc
from dpid_cli.pictures.pillow_state import remarks
from dpid_cli.pictures.repair import LONGEST_TEXT

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
_TAG_OF_XMP, TAG_OF_IPTC, _TAG_OF_PHOTOSHOP = 700, 33723, 34377
_XMP_KEYWORD = "XML:com.adobe.xmp"
_RAW_PROFILE = "Raw profile type"  # how ImageMagick wrote binary metadata as text
ORIENTING = ("exif", f"{_RAW_PROFILE} exif", "xmp", _XMP_KEYWORD)  # what may tell how to turn an image
_PNG_IPTC = tuple(f"{_RAW_PROFILE} {kind}" for kind in ("iptc", "8bim", "APP13"))
_RESOLUTION = (Base.XResolution, Base.YResolution, Base.ResolutionUnit)
# What keywords of PNG (its specification, 11.3.3.2) and tags of EXIF both have.
_TAGS_OF_TEXTS = {
    "Description": Base.ImageDescription,
    "Author": Base.Artist,
    "Copyright": Base.Copyright,
    "Software": Base.Software,
}
_INCH = {2: 1.0, 3: 2.54}  # what ResolutionUnit counts in
_JPEG_SEGMENT = 65504  # for XMP, which has the longest label
_LONGEST_IPTC = {"jpeg": iptc.LONGEST_SEGMENT, "png": LONGEST_TEXT * 4 // 9}  # as digits, in lines
_MOST_NAMED = 4  # texts in a message


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
    iptc : bytes
        Records of IPTC (IIM), as they were.
    """

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    comment: bytes = b""
    text: tuple[tuple[str, str], ...] = ()
    software: str = ""
    iptc: bytes = b""


class _Stored(str):
    """A text of EXIF: Pillow takes its bytes for Latin-1 when it reads them, for ASCII when it writes."""

    __slots__ = ()

    @classmethod
    def of(cls, text: bytes) -> _Stored:
        return cls(text.decode("latin-1"))

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return super().encode("latin-1", "replace")


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
        iptc=_iptc(image, lost),
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
            kept[tag] = _stored(original[tag])
    if str(kept.get(Base.ImageDescription)).startswith(_SHAPE):
        del kept[Base.ImageDescription]
    for directory in (IFD.Exif, IFD.GPSInfo):
        found = original.get_ifd(directory).items()
        values = {tag: _stored(value) for tag, value in found if tag not in _OUTDATED}
        if values:
            kept.get_ifd(directory).update(values)
            kept[directory] = kept.get_ifd(directory)
    return kept.tobytes() if len(kept) else b""


def _stored(value: Any) -> Any:
    return _Stored(value) if isinstance(value, str) else value


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


def _iptc(image: Image.Image, lost: list[str]) -> bytes:
    """The records, wherever the format has them; of several the first that are whole."""
    # As they are stored: Pillow's values of these tags are cut where a file calls them integers.
    tags = getattr(getattr(image, "tag_v2", None), "_tagdata", {})
    stored = [
        image.info.get("iptc", b""),  # of a JPEG 2000
        image.info.get("photoshop", {}).get(iptc.RECORDS, b""),  # of a JPEG
        tags.get(TAG_OF_IPTC, b""),
        iptc.in_resources(tags.get(_TAG_OF_PHOTOSHOP, b"")),
        *(iptc.from_text(image.info.get(keyword, "")) for keyword in _PNG_IPTC),
    ]
    found = [iptc.whole(value) or iptc.whole(iptc.swapped(value)) for value in stored]
    if any(stored) and not any(found):
        lost.append("IPTC")
    return next(filter(None, found), b"")


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
        for values in (tags, *(tags.get_ifd(group) for group in (IFD.Exif, IFD.GPSInfo) if group in tags)):
            for tag, value in values.items():
                values[tag] = _stored(value)
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
        Keywords of ``save``. Pillow writes no directories of EXIF and no IPTC into a TIFF: the encoders of
        the former are the value of ``directories``, for `containers.with_directories`, the latter that of
        ``iptc``, as in a JPEG 2000.
    list of str
        What is lost: what the format has no place for, or is too long for it.
    """
    options: dict[str, Any] = {}
    lost = _homeless(metadata, format_name, holds)
    if "dpi" in holds and metadata.dpi:
        options["dpi"] = metadata.dpi
    elif format_name == "bmp":
        options["dpi"] = (0, 0)  # Pillow would write 96
    if "comment" in holds and metadata.comment:
        options["comment"] = metadata.comment
    if len(metadata.iptc) > _LONGEST_IPTC.get(format_name, math.inf):
        lost.append(_too_long(format_name, ["IPTC"]))
        metadata = replace(metadata, iptc=b"")
    xmp = _sized_xmp(metadata.xmp, size) if "xmp" in holds else b""
    if "text" in holds:
        options["pnginfo"] = _png_texts(metadata, xmp)
    elif xmp:
        options["xmp"] = xmp
    options |= _wrapped(metadata.iptc, format_name) if "iptc" in holds else {}
    if "exif" in holds:
        tags = _sized_exif(metadata, holds, size)
        if format_name == "tiff":
            _into_tiff(options, tags)
        elif len(tags):
            encoded = tags.tobytes()
            # Pillow's plugins leave to us what stands before it: nothing, and in JPEG XL an offset.
            before = {"webp": b"", "jxl": bytes(4)}.get(format_name)
            options["exif"] = encoded if before is None else before + encoded[6:]
    if format_name == "jpeg" and (long := _fit_segments(options)):
        lost.append(_too_long(format_name, [key if key == "comment" else key.upper() for key in long]))
        if "exif" in long and len(rest := _sized_exif(replace(metadata, exif=b""), holds, size)):
            options["exif"] = rest.tobytes()
    return options, lost


def _wrapped(records: bytes, format_name: str) -> dict[str, Any]:
    """Keywords of ``save`` for IPTC; a PNG has it among its texts."""
    if not records or format_name == "png":
        return {}
    return {"extra": iptc.segment(records)} if format_name == "jpeg" else {"iptc": records}


def _too_long(format_name: str, what: list[str]) -> str:
    return f"too long for {format_name.upper()}: {', '.join(what)}: left out"


def _fit_segments(options: dict[str, Any]) -> list[str]:
    """Take out what is longer than a segment of a JPEG; its keys."""
    long = [key for key in ("comment", "exif", "xmp") if len(options.get(key, b"")) > _JPEG_SEGMENT]
    for key in long:
        del options[key]
    return long


def _homeless(metadata: Metadata, format_name: str, holds: Collection[str]) -> list[str]:
    """A line about what the format has no place for; what made the pixels is replaced, not lost."""
    made = {Base.Software} if metadata.software else set()
    told = _loaded(metadata.exif).keys() - made - set(_RESOLUTION)
    lost = ["EXIF"] if told and "exif" not in holds else []
    lost += [name for name in ("xmp", "iptc") if getattr(metadata, name) and name not in holds]
    if metadata.dpi and not {"dpi", "exif"} & set(holds):
        lost.append("resolution")
    _, comment, texts = _texts_as_tags(metadata, holds)
    lost += ["comment"] if comment else []
    if texts:
        named = [" ".join("".join(c if c.isprintable() else "?" for c in key).split()) for key in texts]
        more = len(named) - _MOST_NAMED
        named = named if more <= 0 else [*named[:_MOST_NAMED], f"{more} more"]
        lost.append(f"text ({', '.join(named)})")
    what = ", ".join(word.upper() if word in ("xmp", "iptc") else word for word in lost)
    return [f"{format_name.upper()} has no place for {what}: left out"] if lost else []


def _texts_as_tags(metadata: Metadata, holds: Collection[str]) -> tuple[dict[int, _Stored], bool, list[str]]:
    """Comment and texts as tags of EXIF, where the format holds these and they are free.

    Returns
    -------
    dict
        Values by tag.
    bool
        Whether the comment has no place.
    list of str
        Keywords of the texts that have none.
    """
    tags = _loaded(metadata.exif)
    found: dict[int, _Stored] = {}

    def is_placed(tag: int | None, value: bytes) -> bool:
        if tag is None or "exif" not in holds:
            return False
        own = found.setdefault(tag, _stored(tags.get(tag)) or _Stored.of(value))
        return own == _Stored.of(value)

    if "text" in holds:
        return {}, False, []
    keywords = [
        key
        for key, text in metadata.text
        if key != "Comment"
        and not (key == "Software" and metadata.software)
        and not is_placed(_TAGS_OF_TEXTS.get(key), text.encode())
    ]
    homeless = metadata.comment.rstrip(b"\0") if "comment" not in holds else b""
    return found, bool(homeless) and not is_placed(Base.ImageDescription, homeless), keywords


def _sized_exif(metadata: Metadata, holds: Collection[str], size: tuple[int, int]) -> Image.Exif:
    """The tags with what the format has no other place for."""
    tags = _loaded(metadata.exif)
    details = tags.get_ifd(IFD.Exif) if IFD.Exif in tags else {}
    for tag, side in zip((Base.ExifImageWidth, Base.ExifImageHeight), size, strict=True):
        if tag in details:
            details[tag] = side
    for tag in _RESOLUTION:
        tags.pop(tag, None)
    for vacant, text in _texts_as_tags(metadata, holds)[0].items():
        tags[vacant] = text
    if metadata.dpi and (len(tags) or "dpi" not in holds):
        tags[Base.XResolution], tags[Base.YResolution] = metadata.dpi
        tags[Base.ResolutionUnit] = 2
    if metadata.software and (len(tags) or "text" not in holds):
        tags[Base.Software] = _Stored.of(metadata.software.encode(errors="replace"))
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
        texts["Software"] = metadata.software.encode(errors="replace").decode()
    if metadata.iptc:
        texts[_PNG_IPTC[0]] = iptc.as_text(metadata.iptc)
    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, value, zip=len(value) > 1024)
    if xmp:
        chunks.add_itxt(_XMP_KEYWORD, xmp.decode())
    return chunks
