"""Files whose metadata counts pixels or describes other parts of the file, to damage."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tifffile
from PIL import Image

from support.packets import AREA, CAMERA, CONTAINER, EXIF, GAIN_MAP, ITEM, PANORAMA, REGIONS, SIZE, packet

_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_MICROSOFT = "http://ns.microsoft.com/photo/1.2/t/Region#"
_DRONE = "http://www.dji.com/drone-dji/1.0/"
_GEO_KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2, 3072, 0, 1, 32632)


def crowded() -> bytes:
    """A packet with something of every kind."""
    body = """
<p:FullPanoWidthPixels>40</p:FullPanoWidthPixels><p:CroppedAreaLeftPixels>9</p:CroppedAreaLeftPixels>
<r:Regions rdf:parseType="Resource"><r:AppliedToDimensions s:w="20" s:h="12" s:unit="pixel"/>
<r:RegionList><rdf:Bag><rdf:li><rdf:Description r:Name="a"><r:Area a:x="0.5" a:y=".25" a:w="0.1" a:h="0.2"
 a:d="0.1"/></rdf:Description></rdf:li></rdf:Bag></r:RegionList></r:Regions>
<m:Rectangle>0.1, 0.2, 0.3, 0.4</m:Rectangle>
<i:ImageRegion><rdf:Bag><rdf:li rdf:parseType="Resource"><i:RegionBoundary rdf:parseType="Resource">
<i:rbUnit>pixel</i:rbUnit><i:rbX>1</i:rbX><i:rbY>2</i:rbY><i:rbW>3</i:rbW><i:rbH>4</i:rbH><i:rbRx>5</i:rbRx>
<i:rbVertices><rdf:Seq><rdf:li i:rbX="1" i:rbY="2"/></rdf:Seq></i:rbVertices></i:RegionBoundary></rdf:li>
</rdf:Bag></i:ImageRegion>
<c:Directory><rdf:Seq><rdf:li><c:Item t:Semantic="MotionPhoto"/></rdf:li></rdf:Seq></c:Directory>"""
    attributes = (
        'g:MotionPhoto="1" h:Version="1.0" p:CroppedAreaImageWidthPixels="20" e:PixelXDimension="20" '
        'e:FocalPlaneXResolution="4000/3" e:FocalPlaneYResolution="1.5" d:CalibratedFocalLength="3666.6" '
        'd:DewarpData="2020-01-01;1,2,3,4,5"'
    )
    spaces = {"p": PANORAMA, "r": REGIONS, "s": SIZE, "a": AREA, "m": _MICROSOFT, "i": _IPTC, "c": CONTAINER}
    spaces |= {"t": ITEM, "g": CAMERA, "h": GAIN_MAP, "e": EXIF, "d": _DRONE}
    return packet(body, attributes, **spaces)


def jpegs() -> Iterator[bytes]:
    """With such a packet, upright and turned, and with a packet in two parts."""
    image = Image.fromarray(np.arange(240, dtype=np.uint8).reshape(12, 20))
    exif = Image.Exif()
    for orientation in 1, 6:
        exif[274] = orientation
        stream = io.BytesIO()
        image.save(stream, "JPEG", xmp=crowded(), exif=exif)
        yield stream.getvalue()
    digest = b"0123456789ABCDEF0123456789ABCDEF"
    note = f'n:HasExtendedXMP="{digest.decode()}"'
    second = b"http://ns.adobe.com/xmp/extension/\0" + digest + struct.pack(">LL", 30, 0) + b"<a/>".ljust(30)
    stream = io.BytesIO()
    extra = struct.pack(">HH", 0xFFE1, 2 + len(second)) + second
    image.save(stream, "JPEG", xmp=packet("", note, n="http://ns.adobe.com/xmp/note/"), extra=extra)
    yield stream.getvalue()


def tiffs() -> Iterator[bytes]:
    """Stacks of OME and of ImageJ, and maps."""
    pages = np.arange(720, dtype=np.uint16).reshape(3, 12, 20)
    for options in (
        {"ome": True, "metadata": {"axes": "CYX", "PhysicalSizeX": 0.25}},
        {"imagej": True, "metadata": {"axes": "ZYX", "unit": "um"}, "resolution": (4, 4)},
    ):
        stream = io.BytesIO()
        tifffile.imwrite(stream, pages, photometric="minisblack", **options)
        yield stream.getvalue()
    scale = [(33550, 12, 3, (10.0, 10.0, 0.0), True), (33922, 12, 6, (0.0, 0.0, 0.0, 4e5, 5e6, 0.0), True)]
    matrix = [(34264, 12, 16, (8.0, -6.0, 0.0, 4e5) * 4, True), (50844, 12, 92, (1.0,) * 92, True)]
    items = "<GDALMetadata><Item name='STATISTICS_MEAN'>1</Item></GDALMetadata>"
    common = [(34735, 3, 16, _GEO_KEYS, True), (42112, 2, 0, items, True), (42113, 2, 0, "-9999", True)]
    for tags, kind in ((scale, np.uint8), (matrix, np.float32)):
        stream = io.BytesIO()
        tifffile.imwrite(stream, pages[0].astype(kind), extratags=tags + common, metadata=None)
        yield stream.getvalue()


def png(plain: bytes) -> bytes:
    """A PNG with pixels that are not square, and with such a packet."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + crowded())
    return plain[:33] + chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)) + text + plain[33:]
