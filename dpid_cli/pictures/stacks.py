"""Descriptions of all pages of a file together, as microscopes write them: OME-XML and ImageJ's lines."""

from __future__ import annotations

import re
from contextlib import suppress

from dpid_cli.pictures.change import Change
from dpid_cli.pictures.markup import Attribute, Document, Element
from dpid_cli.pictures.rdf import decimal, number

_IMAGEJ = b"ImageJ="
# How descriptions begin that tell sizes of a whole file and of its other images; none is kept.
_OTHERS = {
    b"Aperio ": "Aperio's description",
    b"<MetaData>": "MetaMorph's description",
    b"<scn ": "Leica's description",
}
_OME = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:.{0,4000}<)?(?:\w+:)?OME[\s>]", re.DOTALL)
_ORIGINS = (b"xorigin", b"yorigin")  # of ImageJ, in pixels
_RANGE = (b"min", b"max")
_TYPES = {"": "uint8", "16": "uint16", "F": "float"}


def title(description: bytes) -> str:
    """What messages call a description; empty for one of a single image, by a person."""
    if description.startswith(_IMAGEJ):
        return "ImageJ's description"
    if _OME.match(description):
        return "OME-XML"
    return next((name for start, name in _OTHERS.items() if description.startswith(start)), "")


def is_calibrated(description: bytes) -> bool:
    """Whether the resolution is in a unit that the description names."""
    return description.startswith(_IMAGEJ)


def with_unit(description: bytes, unit: bytes) -> bytes:
    """ImageJ's lines with a unit, where they name none."""
    if re.search(rb"^unit=", description, re.MULTILINE):
        return description
    return description.rstrip(b"\n\0") + b"\nunit=" + unit + b"\n"


def scaled(
    description: bytes, change: Change, pages: int, mode: str, *, same_values: bool
) -> tuple[bytes, list[str]]:
    """What is true of an output of so many pages in this mode, and names of what had to be removed.

    `same_values` is whether pixels still have the values of the file.
    """
    result = b""
    removed: list[str] = []
    if change.orientation == 1 and description.startswith(_IMAGEJ):
        result = _scaled_lines(description, change, pages, same_values)
    elif change.orientation == 1 and _OME.match(description):
        with suppress(ValueError):
            result, removed = _scaled_ome(description, change, pages, mode)
    return result, removed if result else [title(description)]


def _scaled_ome(description: bytes, change: Change, pages: int, mode: str) -> tuple[bytes, list[str]]:
    document = Document(description)
    pixels = [element for element in document.elements() if element.local == "Pixels"]
    if sum(_scaled_pixels(document, one, change, mode) for one in pixels) != pages or not pixels:
        raise ValueError("it describes other pages")
    _forget_file(document)
    regions = [element for element in document.elements() if element.local in ("ROI", "ROIRef")]
    for element in regions:
        document.remove(element)
    return document.content(), ["regions of interest"] * bool(regions)


def _scaled_lines(description: bytes, change: Change, pages: int, same_values: bool) -> bytes:
    lines = description.rstrip(b"\0").split(b"\n")
    values = {key: value for key, _, value in (line.partition(b"=") for line in lines)}
    counts = [values.get(key, b"1") for key in (b"images", b"channels", b"slices", b"frames")]
    if not all(re.fullmatch(rb"\d{1,9}", count.strip()) for count in counts):
        return b""
    images, *sides = map(int, counts)
    if images != pages or (any(side > 1 for side in sides) and sides[0] * sides[1] * sides[2] != pages):
        return b""
    result = []
    for line in lines:
        key, mark, value = line.partition(b"=")
        if key in _ORIGINS:
            origin = number(value.decode("latin-1").strip())
            if origin is None:
                return b""
            axis = _ORIGINS.index(key)
            value = decimal((origin - change.offset[axis]) * change.scale[axis]).encode()
        if same_values or key not in _RANGE:
            result.append(key + mark + value)
    return b"\n".join(result)


def _scaled_pixels(document: Document, pixels: Element, change: Change, mode: str) -> int:
    """Describe the pixels of the output; how many pages they take, or a `ValueError` if that is unknown."""
    attributes = {attribute.local: attribute for attribute in pixels.attributes}
    width, height, *extent = (_count(attributes, "Size" + axis) for axis in "XYCZT")
    if (width, height) != change.upright:
        raise ValueError("it describes images of another size")
    name, _, depth = mode.partition(";")
    channels = len(name)
    for axis, ratio in zip("XY", change.scale, strict=True):
        document.replace(attributes[f"Size{axis}"], str(change.output["XY".index(axis)]))
        physical = attributes.get(f"PhysicalSize{axis}")
        if physical is not None and ratio != 1:
            size = number(physical.value)
            if size is None:
                raise ValueError("a physical size is no number")
            document.replace(physical, repr(float(size / ratio)))
    if "Type" in attributes:
        document.replace(attributes["Type"], _TYPES[depth])
    for local in ("SignificantBits", "BigEndian", "Interleaved"):
        if local in attributes:
            document.remove(attributes[local])
    for child in pixels.children:
        if child.local in ("BinData", "MetadataOnly"):
            raise ValueError("its pixels lie elsewhere")
        if child.local == "Channel":
            samples = {attribute.local: attribute for attribute in child.attributes}
            if _count(samples, "SamplesPerPixel", 1) != channels:
                raise ValueError("it describes other channels")
    planes, rest = divmod(extent[0], channels)
    if rest:
        raise ValueError("it describes other channels")
    return planes * extent[1] * extent[2]


def _count(attributes: dict[str, Attribute], name: str, default: int | None = None) -> int:
    if name not in attributes and default is not None:
        return default
    if name not in attributes or not re.fullmatch(r"\d{1,9}", attributes[name].value.strip()):
        raise ValueError(f"{name} is missing")
    return int(attributes[name].value)


def _forget_file(document: Document) -> None:
    """Remove what names the file itself; a `ValueError` if there are other files."""
    own = {attribute.value for attribute in document.root.attributes if attribute.local == "UUID"}
    for element in document.elements():
        if element.local == "BinaryOnly":
            raise ValueError("it describes another file")
        if element.local == "UUID":
            if element.value.strip() not in own:
                raise ValueError("some pages lie in other files")
            document.remove(element)
    for attribute in document.root.attributes:
        if attribute.local == "UUID":
            document.remove(attribute)
