"""XMP packets in two parts (ISO 16684-3, 1.1.3.1), for files that limit the length of the first."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator

from dpid_cli.pictures.markup import Document, Element
from dpid_cli.pictures.rdf import RDF

_NOTE = "http://ns.adobe.com/xmp/note/"
_EXTENDED = "HasExtendedXMP"
_LABEL = b"http://ns.adobe.com/xmp/extension/\0"
_HEAD = struct.Struct(">32sLL")  # digest, length of the whole, where this part lies in it
_PART = 65400  # bytes in a segment
_LONGEST = 2**24  # bytes
_REFERENCE = 300  # bytes that the first part needs to name the second


def merged(packet: bytes, segments: Iterable[bytes]) -> tuple[bytes, bool]:
    """A packet with its second part, which stands in some of these segments; and whether it is whole.

    Nothing refers to the second part afterwards. A damaged packet stays as it is.
    """
    if _EXTENDED.encode() not in packet:
        return packet, True
    try:
        document = Document(packet)
    except ValueError:
        return packet, True
    references = [node for node in document.nodes() if node.name == _NOTE + _EXTENDED]
    if not references:
        return packet, True
    parts = _descriptions(_joined(references[0].value.strip(), segments))
    for node in references:
        document.remove(node)
    target = _container(document)
    if not parts or target is None or not target.children:
        return document.content(), False
    document.append(target, b"".join(parts))
    return document.content(), True


def _container(document: Document) -> Element | None:
    return next((element for element in document.elements() if element.name == RDF + "RDF"), None)


def _descriptions(packet: bytes) -> list[bytes]:
    try:
        document = Document(packet)
    except ValueError:
        return []
    container = _container(document)
    return [document.alone(child) for child in container.children] if container else []


def _joined(digest: str, segments: Iterable[bytes]) -> bytes:
    """The second part; empty if some of it is missing or damaged."""
    content, covered = bytearray(), 0
    for segment in segments:
        if not segment.startswith(_LABEL) or len(segment) < len(_LABEL) + _HEAD.size:
            continue
        name, length, place = _HEAD.unpack_from(segment, len(_LABEL))
        data = segment[len(_LABEL) + _HEAD.size :]
        if name.decode("latin-1").upper() != digest.upper() or length > _LONGEST:
            continue
        content = content or bytearray(length)
        if len(content) != length or place + len(data) > length:
            return b""
        content[place : place + len(data)] = data
        covered += len(data)
    whole = bytes(content)
    if covered < len(whole) or hashlib.md5(whole, usedforsecurity=False).hexdigest() != digest.lower():
        return b""
    return whole.strip(b"\0")


def split(packet: bytes, most: int) -> tuple[bytes, list[bytes]] | None:
    """A first part of at most so many bytes, and segments with the second; None if that is impossible."""
    document = Document(packet)
    container = _container(document)
    if container is None or not container.children:
        return None
    first, *others = container.children
    movable = sorted([*others, *first.children], key=lambda element: element.end - element.start)
    rest = len(packet) + _REFERENCE - most
    moved: list[Element] = []
    while rest > 0 and movable:
        moved.append(movable.pop())
        rest -= moved[-1].end - moved[-1].start
    if rest > 0:
        return None
    for element in moved:
        document.remove(element)
    own = set(map(id, first.children))
    properties = [(document.alone(element), id(element) in own) for element in moved]
    rdf = b'<rdf:RDF xmlns:rdf="%s">' % RDF.encode()
    about = b'<rdf:Description rdf:about="">%s</rdf:Description>'
    content = b"".join(about % part if is_property else part for part, is_property in properties)
    extension = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + rdf + content + b"</rdf:RDF></x:xmpmeta>"
    digest = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper().encode()
    reference = (
        b'<rdf:Description xmlns:rdf="%s" xmlns:xmpNote="%s" rdf:about="" xmpNote:HasExtendedXMP="%s"/>'
    )
    document.append(container, reference % (RDF.encode(), _NOTE.encode(), digest))
    return document.content(), list(_segments(extension, digest))


def _segments(extension: bytes, digest: bytes) -> Iterator[bytes]:
    for place in range(0, len(extension), _PART):
        yield _LABEL + _HEAD.pack(digest, len(extension), place) + extension[place : place + _PART]
