"""Images with metadata of every kind."""

from __future__ import annotations

import json
import struct
import subprocess
import zlib

import numpy as np
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


XMP = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmp:Rating="4" tiff:Orientation="6" exif:PixelXDimension='60'>
<exif:PixelYDimension>40</exif:PixelYDimension>
<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


THUMBNAIL = b"\xff\xd8 the old picture, small \xff\xd9"


def camera(orientation: int = 1) -> bytes:
    """EXIF as cameras write it, with a thumbnail."""
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    exif[Base.Artist] = "Somebody"
    exif[Base.Software] = "firmware"
    exif[Base.Orientation] = orientation
    exif[Base.XResolution] = exif[Base.YResolution] = 300.0
    exif[Base.ResolutionUnit] = 2
    exif[IFD.Exif] = {
        Base.ExifVersion: b"0232",
        Base.DateTimeOriginal: "2020:02:02 20:20:20",
        Base.ExposureTime: 0.25,
        Base.ExifImageWidth: 60,
        Base.ExifImageHeight: 40,
        Base.MakerNote: b"private",
        Base.SubjectLocation: (30, 20),
    }
    exif[IFD.GPSInfo] = {1: "N", 2: (48.0, 30.0, 0.0)}
    tiff = bytearray(exif.tobytes()[6:])
    (count,) = struct.unpack_from(">H", tiff, 8)
    tiff += bytes(len(tiff) % 2)
    struct.pack_into(">L", tiff, 10 + 12 * count, len(tiff))
    tiff += struct.pack(">HHHLLHHLLL", 2, 513, 4, 1, len(tiff) + 30, 514, 4, 1, len(THUMBNAIL), 0)
    return b"Exif\0\0" + bytes(tiff) + THUMBNAIL


def photo_jpg(noise: np.ndarray, orientation: int = 6) -> None:
    """``photo.jpg``, which holds everything."""
    Image.fromarray(noise).save(
        "photo.jpg",
        exif=camera(orientation),
        xmp=XMP,
        dpi=(300, 300),
        comment="a remark",
        icc_profile=SRGB,
        quality=95,
    )


def told(image: Image.Image) -> dict[str, object]:
    """What Pillow finds."""
    image.load()
    exif = image.getexif()
    info = image.info
    return {
        "icc": info.get("icc_profile"),
        "exif": dict(exif),
        "details": exif.get_ifd(IFD.Exif),
        "gps": exif.get_ifd(IFD.GPSInfo),
        "thumbnail": exif.get_ifd(IFD.IFD1),
        "xmp": info.get("xmp"),
        "dpi": info.get("dpi"),
        "comment": info.get("comment", info.get("Comment")),
    }


def tags_of(path: str, *names: str) -> list[object]:
    """What ExifTool finds of these."""
    command = ["exiftool", "-json", "-a", *(f"-{name}" for name in names), path]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [found.get(name.rpartition(":")[2]) for name in names]


def with_texts(noise: np.ndarray, **texts: str) -> None:
    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, value)
    Image.fromarray(noise).save("a.png", pnginfo=chunks)


def chunk(tag: bytes, data: bytes, flip: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data) ^ flip)


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data
