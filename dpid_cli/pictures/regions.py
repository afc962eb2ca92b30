"""Regions of an image in XMP, such as faces: moved to where they are in the output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dpid_cli.pictures.change import Change
from dpid_cli.pictures.markup import Document, Element, Node
from dpid_cli.pictures.rdf import decimal, fields, items, number

_MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
_ACDSEE = "http://ns.acdsee.com/regions/"
# By the name of a structure: the names of its areas, and the name spaces of their fields and of dimensions.
_STRUCTURES = {
    _MWG + "Regions": (
        (_MWG + "Area",),
        "http://ns.adobe.com/xmp/sType/Area#",
        "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    ),
    _ACDSEE + "Regions": (
        (_ACDSEE + "DLYArea", _ACDSEE + "ALYArea"),
        "http://ns.acdsee.com/sType/Area#",
        "http://ns.acdsee.com/sType/Dimensions#",
    ),
}
_MICROSOFT = "http://ns.microsoft.com/photo/1.2/t/Region#Rectangle"
_ROLL = "http://ns.apple.com/faceinfo/1.0/AngleInfoRoll"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SAME_SHAPE = 0.02  # the most by which aspect ratios may differ: sizes are whole numbers
_UNCHANGED = 1e-6

Box = tuple[float, float, float, float]  # left, top, right, bottom, as shares of width and height


def scaled(document: Document, change: Change) -> list[str]:
    """Move all regions, and return names of what is removed."""
    removed: list[str] = []
    for element in document.elements():
        if element.name in _STRUCTURES:
            removed += _structure(document, element, change)
        elif element.name == _IPTC + "ImageRegion":
            for item in items(element):
                removed += _iptc_region(document, item, change)
    for node in document.nodes():
        if node.name == _MICROSOFT:
            removed += _rectangle(document, node, change)
        elif node.name == _ROLL and change.orientation != 1:
            document.remove(node)
    return removed


def _box(box: Box, change: Change) -> Box | None:
    """A box of the stored image in the output, clipped to it; None if nothing of it is left."""
    left, top, right, bottom = box
    corners = [change.placed(left, top), change.placed(right, bottom)]
    (left, right), (top, bottom) = (sorted(sides) for sides in zip(*corners, strict=True))
    if change.is_cropped:
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, 1), min(bottom, 1)
        if left > right or top > bottom or ((left == right or top == bottom) and box[:2] != box[2:]):
            return None
    return left, top, right, bottom


@dataclass(frozen=True)
class _Frame:
    """What the numbers of a region are measured in, before and after."""

    before: tuple[float, float] = (1, 1)
    after: tuple[float, float] = (1, 1)

    @classmethod
    def of(cls, unit: str, change: Change, stated: tuple[float, float] | None = None) -> _Frame:
        """Shares of the image's sides, or pixels of the size that the file states."""
        return cls(stated or change.stored, change.output) if unit == "pixel" else cls()

    def read(self, values: Sequence[float]) -> list[float]:
        """Coordinates, horizontal and vertical in turn, as shares."""
        return [value / self.before[k % 2] for k, value in enumerate(values)]

    def written(self, values: Sequence[float]) -> list[float]:
        """Shares as coordinates."""
        return [value * self.after[k % 2] for k, value in enumerate(values)]


def _numbers(nodes: dict[str, Node], names: Sequence[str]) -> list[float] | None:
    """The values of fields, or None if some is missing or no number."""
    values = [number(nodes[name].value) if name in nodes else None for name in names]
    return [float(value) for value in values if value is not None] if None not in values else None


def _write(document: Document, nodes: dict[str, Node], names: Sequence[str], values: Sequence[float]) -> None:
    for name, value in zip(names, values, strict=True):
        before = number(nodes[name].value)
        if before is None or abs(float(before) - value) > _UNCHANGED:
            document.replace(nodes[name], decimal(value))


def _structure(document: Document, element: Element, change: Change) -> list[str]:
    """Move the regions of a structure, if it states the size of this image or none."""
    areas, space, sizes = _STRUCTURES[element.name]
    nodes = fields(element)
    stated = None
    for name, node in nodes.items():
        if name.endswith("/AppliedToDimensions") and isinstance(node, Element):
            sides = fields(node)
            stated = _numbers(sides, (sizes + "w", sizes + "h"))
            if stated is None or not all(stated):
                document.remove(element)
                return ["regions without a size"]
            in_pixels = _text(sides, sizes + "unit") in ("", "pixel")
            if in_pixels:
                _write(document, sides, (sizes + "w", sizes + "h"), change.output)
    if stated is not None and not _is_alike(stated, change.stored):
        if not _is_alike(stated, change.upright):
            document.remove(element)
            return ["regions of an image of another shape"]
        # Some programs count from the corner that is shown at the upper left.
        change = Change(change.upright, change.cropped, change.output, offset=change.offset)
    removed = []
    for region in _regions(nodes):
        parts = fields(region)
        for name in areas:
            area = parts.get(name)
            if isinstance(area, Element) and not _area(document, area, space, change, stated):
                document.remove(region)
                removed.append("a region that is not in the output")
    return removed


def _regions(nodes: dict[str, Node]) -> Iterator[Element]:
    for name, node in nodes.items():
        if name.endswith("/RegionList"):
            yield from items(node)


def _text(nodes: dict[str, Node], name: str) -> str:
    return nodes[name].value.strip() if name in nodes else ""


def _is_alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two sizes have the same aspect ratio."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= _SAME_SHAPE


def _area(
    document: Document, area: Element, space: str, change: Change, stated: Sequence[float] | None
) -> bool:
    """Move a rectangle, circle or point, which is stated by its centre; whether it is in the output."""
    nodes = fields(area)
    centre, extent = (space + "x", space + "y"), (space + "w", space + "h")
    size = (stated[0], stated[1]) if stated else None
    frame = _Frame.of(_text(nodes, space + "unit"), change, size)
    place = _numbers(nodes, centre)
    if place is None:
        return False
    x, y = frame.read(place)
    sides = _numbers(nodes, extent)
    width, height = frame.read(sides) if sides else (0.0, 0.0)
    box = _box((x - width / 2, y - height / 2, x + width / 2, y + height / 2), change)
    if box is None:
        return False
    left, top, right, bottom = box
    _write(document, nodes, centre, frame.written([(left + right) / 2, (top + bottom) / 2]))
    if sides:
        _write(document, nodes, extent, frame.written([right - left, bottom - top]))
    if diameter := _numbers(nodes, [space + "d"]):
        # A share of the shorter side
        factor = min(change.upright) / float(min(change.cropped))
        if frame != _Frame():
            factor = frame.after[0] / float(change.cropped[0]) * max(change.stored) / max(frame.before)
        _write(document, nodes, [space + "d"], [diameter[0] * factor])
    return True


def _rectangle(document: Document, node: Node, change: Change) -> list[str]:
    """Move a rectangle that is one text: left, top, width and height."""
    values = [float(value) for value in map(number, node.value.split(",")) if value is not None]
    if len(values) != 4:
        document.remove(node)
        return ["a damaged region"]
    left, top, width, height = values
    box = _box((left, top, left + width, top + height), change)
    if box is None:
        document.remove(node)
        return ["a region that is not in the output"]
    moved = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
    if any(abs(new - old) > _UNCHANGED for new, old in zip(moved, values, strict=True)):
        document.replace(node, ", ".join(map(decimal, moved)))
    return []


def _iptc_region(document: Document, item: Element, change: Change) -> list[str]:
    """Move a rectangle, stated by its upper left corner, a circle, or a polygon."""
    boundary = fields(item).get(_IPTC + "RegionBoundary")
    if not isinstance(boundary, Element):
        return []
    nodes = fields(boundary)
    frame = _Frame.of(_text(nodes, _IPTC + "rbUnit"), change)
    corner, extent = (_IPTC + "rbX", _IPTC + "rbY"), (_IPTC + "rbW", _IPTC + "rbH")
    for vertex in items(nodes.get(_IPTC + "rbVertices")):
        _move_point(document, fields(vertex), corner, frame, change)
    place, sides = _numbers(nodes, corner), _numbers(nodes, extent)
    if place is not None and sides is not None:
        (x, y), (width, height) = frame.read(place), frame.read(sides)
        box = _box((x, y, x + width, y + height), change)
        if box is None:
            document.remove(item)
            return ["a region that is not in the output"]
        _write(document, nodes, corner, frame.written(box[:2]))
        _write(document, nodes, extent, frame.written([box[2] - box[0], box[3] - box[1]]))
    elif place is not None:
        _move_point(document, nodes, corner, frame, change)
    if radius := _numbers(nodes, [_IPTC + "rbRx"]):  # a share of the width
        factor = change.stored[0] / float(change.cropped[0])
        (across,) = frame.read(radius)
        _write(document, nodes, [_IPTC + "rbRx"], frame.written([across * factor]))
    return []


def _move_point(
    document: Document, nodes: dict[str, Node], names: Sequence[str], frame: _Frame, change: Change
) -> None:
    place = _numbers(nodes, names)
    if place is not None:
        point = change.placed(*frame.read(place))
        if change.is_cropped:
            point = min(max(point[0], 0), 1), min(max(point[1], 0), 1)
        _write(document, nodes, names, frame.written(point))
