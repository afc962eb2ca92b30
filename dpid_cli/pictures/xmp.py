"""XMP packets: what is read of them, and what stays true when an image changes."""

from __future__ import annotations

from dpid_cli.pictures import regions
from dpid_cli.pictures.change import Change
from dpid_cli.pictures.markup import XMLNS, Document, Node
from dpid_cli.pictures.rdf import decimal, number

_TIFF = "http://ns.adobe.com/tiff/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_PANORAMA = "http://ns.google.com/photos/1.0/panorama/"
_DRONE = "http://www.dji.com/drone-dji/1.0/"
_THUMBNAILS = "http://ns.adobe.com/xap/1.0/Thumbnails"
_EMBEDDED = "http://ns.adobe.com/xap/1.0/g/img/image"  # within whatever has a thumbnail
_MOTION = "motion photo (its video is not kept)"
# By the name space of what describes other parts of a file, none of which is kept. Codecs tell of gain maps.
_OTHER_PARTS = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": "",
    "http://ns.apple.com/HDRGainMap/1.0/": "",
    "http://ns.apple.com/pixeldatainfo/1.0/": "",
    "http://ns.google.com/photos/1.0/container/": "",
    "http://ns.google.com/photos/1.0/container/item/": "",
    "http://ns.google.com/photos/1.0/depthmap/": "depth map",
    "http://ns.google.com/photos/1.0/focus/": "depth map",
    "http://ns.google.com/photos/1.0/image/": "embedded image",
    "http://ns.google.com/photos/dd/1.0/": "depth map",  # and those that begin so
    "http://ns.oplus.com/photos/1.0/camera/": _MOTION,
    "http://ns.xiaomi.com/photos/1.0/camera/": "embedded image",
}
_DEPTH_PARTS = "http://ns.google.com/photos/dd/1.0/"
_SEMANTIC = "http://ns.google.com/photos/1.0/container/item/Semantic"
# By what a part of a file means, as its directory says.
_PARTS = {"MotionPhoto": _MOTION, "Depth": "depth map", "DepthMap": "depth map"}
# Positions and coefficients in pixels, for which no output needs them.
_DROPPED = {
    _THUMBNAILS: "",
    _EXIF + "SubjectArea": "",
    _EXIF + "SubjectLocation": "",
    _DRONE + "VignettingData": "vignetting of the camera",
    _DRONE + "CalibratedHMatrix": "calibration of the camera",
    _DRONE + "DewarpHMatrix": "calibration of the camera",
} | {
    _CAMERA + name + end: _MOTION
    for name in ("MotionPhoto", "MicroVideo")
    for end in ("", "Version", "Offset", "PresentationTimestampUs")
}
_PLAIN_SIZES = (
    (_TIFF + "ImageWidth", _TIFF + "ImageLength"),
    (_EXIF + "PixelXDimension", _EXIF + "PixelYDimension"),
)
_FOCAL_PLANE = (_EXIF + "FocalPlaneXResolution", _EXIF + "FocalPlaneYResolution")
_CALIBRATION = tuple(
    _DRONE + name
    for name in (
        "CalibratedFocalLength", "CalibratedOpticalCenterX", "CalibratedOpticalCenterY",
        "RelativeOpticalCenterX", "RelativeOpticalCenterY", "DewarpData",
    )
)  # fmt: skip


class _Packet:
    """A packet while it is changed."""

    def __init__(self, packet: bytes) -> None:
        self.document = Document(packet)
        self.removed: list[str] = []
        self._nodes: dict[str, list[Node]] = {}
        for node in self.document.nodes():
            self._nodes.setdefault(node.name, []).append(node)

    def called(self, name: str) -> list[Node]:
        """All properties of a name."""
        return self._nodes.get(name, [])

    def number(self, name: str) -> float | None:
        """The value of a property."""
        value = next((number(node.value) for node in self.called(name)), None)
        return None if value is None else float(value)

    def replace(self, name: str, value: str) -> None:
        """Give every property of a name another value."""
        for node in self.called(name):
            self.document.replace(node, value)

    def remove(self, name: str, label: str = "") -> None:
        """Remove every property of a name."""
        for node in self.called(name):
            self.document.remove(node)
            self.removed.append(label)


def checked(packet: bytes) -> bytes:
    """The packet without thumbnails, or nothing if it is no XML or has declarations of its own."""
    try:
        found = _Packet(packet.strip(b"\0"))
    except ValueError:
        return b""
    found.remove(_THUMBNAILS)
    for element in found.document.elements():
        if any(child.name == _EMBEDDED for child in element.children):
            found.document.remove(element)
        for attribute in element.attributes:
            if attribute.name == _EMBEDDED:
                found.document.remove(attribute)
    return found.document.content()


def scaled(packet: bytes, change: Change) -> tuple[bytes, list[str]]:
    """A checked packet with what is true of the output, and names of what had to be removed."""
    if not packet:
        return packet, []
    found = _Packet(packet)
    for names in _PLAIN_SIZES:
        for name, side in zip(names, change.output, strict=True):
            found.replace(name, str(side))
    found.replace(_TIFF + "Orientation", "1")
    for name, label in _DROPPED.items():
        found.remove(name, label)
    _remove_other_parts(found)
    _scale_focal_plane(found, change)
    _scale_panorama(found, change)
    _scale_calibration(found, change)
    found.removed += regions.scaled(found.document, change)
    return found.document.content(), [*dict.fromkeys(filter(None, found.removed))]


def _remove_other_parts(found: _Packet) -> None:
    """Remove what describes further images, depths and videos in the file."""
    for node in found.called(_SEMANTIC):
        found.removed.append(_PARTS.get(node.value.strip(), ""))
    for node in found.document.nodes():
        space = node.value if node.space == XMLNS else node.space
        space = _DEPTH_PARTS if space.startswith(_DEPTH_PARTS) else space
        if space in _OTHER_PARTS:
            found.document.remove(node)
            if node.space != XMLNS:
                found.removed.append(_OTHER_PARTS[space])


def _scale_focal_plane(found: _Packet, change: Change) -> None:
    """Pixels per unit of the sensor."""
    names = _FOCAL_PLANE[::-1] if change.swaps_sides else _FOCAL_PLANE
    values = [next((number(node.value) for node in found.called(name)), None) for name in names]
    is_lone = sum(bool(found.called(name)) for name in names) == 1 and change.swaps_sides
    for name, value, factor in zip(_FOCAL_PLANE, values, change.scale, strict=True):
        if value is None or is_lone:
            found.remove(name, "resolution of the focal plane")
        elif value * factor != value or change.swaps_sides:
            result = (value * factor).limit_denominator(10**6)
            found.replace(name, f"{result.numerator}/{result.denominator}")


def _scale_panorama(found: _Packet, change: Change) -> None:
    """Where the image lies in a panorama, in pixels."""
    if change.orientation != 1:
        for node in found.document.nodes():
            if node.space == _PANORAMA:
                found.document.remove(node)
                found.removed.append("panorama, as the image was turned")
        return
    axes = (("Width", "Left", 0), ("Height", "Top", 1))
    for side, start, axis in axes:
        own = _PANORAMA + f"CroppedAreaImage{side}Pixels"
        output, stated = change.output[axis], found.number(own)
        factor = float(change.scale[axis])
        if stated:  # which another program may not have changed
            factor = output * change.upright[axis] / (stated * float(change.cropped[axis]))
        full = found.number(_PANORAMA + f"FullPano{side}Pixels")
        full = None if full is None else max(round(full * factor), output)
        first = found.number(_PANORAMA + f"CroppedArea{start}Pixels")
        moved = float(change.offset[axis] * change.scale[axis])
        first = None if first is None else max(round(first * factor + moved), 0)
        if full is not None and first is not None:
            first = min(first, full - output)
        inner = found.number(_PANORAMA + f"LargestValidInteriorRect{start}")
        inner = None if inner is None else min(max(round(inner * factor - moved), 0), output)
        length = found.number(_PANORAMA + f"LargestValidInteriorRect{side}")
        length = None if length is None else max(round(length * factor), 0)
        if length is not None:
            length = min(length, output - (inner or 0))
        values = {
            own: output,
            _PANORAMA + f"FullPano{side}Pixels": full,
            _PANORAMA + f"CroppedArea{start}Pixels": first,
            _PANORAMA + f"LargestValidInteriorRect{start}": inner,
            _PANORAMA + f"LargestValidInteriorRect{side}": length,
        }
        for name, value in values.items():
            if value is None:
                found.remove(name, "part of the panorama")
            else:
                found.replace(name, str(value))


def _scale_calibration(found: _Packet, change: Change) -> None:
    """The focal length and the centre of a drone's camera, in pixels."""
    across, down = change.scale
    is_uneven = abs(across / down - 1) > 0.01
    for name in _CALIBRATION:
        factors = [down if name.endswith("Y") else across]
        if name.endswith("DewarpData"):
            factors = [across, down, across, down]
        for node in found.called(name):
            head, mark, rest = node.value.rpartition(";")  # a date
            values = rest.split(",")
            numbers = [number(value) for value in values[: len(factors)]]
            usable = [value for value in numbers if value is not None]
            if change.orientation != 1 or is_uneven or len(usable) < len(factors):
                found.document.remove(node)
                found.removed.append("calibration of the camera")
            elif change.cropped != change.output:
                scaled_ = [decimal(v * factor) for v, factor in zip(usable, factors, strict=True)]
                found.document.replace(node, head + mark + ",".join([*scaled_, *values[len(factors) :]]))
