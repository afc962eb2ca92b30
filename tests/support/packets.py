"""XMP packets of programs and cameras, and what ExifTool reads of files that contain them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
PANORAMA = "http://ns.google.com/photos/1.0/panorama/"
CAMERA = "http://ns.google.com/photos/1.0/camera/"
CONTAINER = "http://ns.google.com/photos/1.0/container/"
ITEM = "http://ns.google.com/photos/1.0/container/item/"
GAIN_MAP = "http://ns.adobe.com/hdr-gain-map/1.0/"
REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
SIZE = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
EXIF = "http://ns.adobe.com/exif/1.0/"


def packet(body: str, attributes: str = "", **spaces: str) -> bytes:
    """A packet whose only description has these attributes and elements; spaces by prefix."""
    declared = "".join(f' xmlns:{prefix}="{space}"' for prefix, space in spaces.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about=""{declared} {attributes}>{body}'
        '</rdf:Description></rdf:RDF></x:xmpmeta>\n   \n<?xpacket end="w"?>'
    ).encode()


def simple(space: str, form: str, **values: object) -> bytes:
    """Properties as attributes or as elements, of a prefix that nobody expects."""
    if form == "attributes":
        return packet("", " ".join(f"odd:{name}='{value}'" for name, value in values.items()), odd=space)
    return packet("".join(f"<odd:{name}>{value}</odd:{name}>\n" for name, value in values.items()), odd=space)


def regions(form: str, unit: str, size: tuple[int, int], *areas: tuple[float, ...]) -> bytes:
    """Regions that are named by numbers: x and y of their centres, width and height."""
    width, height = size
    items = ""
    for number, (x, y, w, h) in enumerate(areas):
        fields = {"x": x, "y": y, "w": w, "h": h, "unit": unit}
        if form == "attributes":
            stated = " ".join(f'a:{key}="{value}"' for key, value in fields.items())
            items += (
                f'<rdf:li><rdf:Description r:Name="{number}"><r:Area {stated}/></rdf:Description></rdf:li>'
            )
        else:
            stated = "".join(f"<a:{key}>{value}</a:{key}>" for key, value in fields.items())
            items += f'<rdf:li rdf:parseType="Resource"><r:Area rdf:parseType="Resource">{stated}</r:Area>'
            items += f"<r:Name>{number}</r:Name></rdf:li>"
    body = f"""<r:Regions rdf:parseType="Resource">
<r:AppliedToDimensions d:w="{width}" d:h="{height}" d:unit="pixel"/>
<r:RegionList><rdf:Bag>{items}</rdf:Bag></r:RegionList></r:Regions>"""
    return packet(body, r=REGIONS, a=AREA, d=SIZE)


def save(name: str, size: tuple[int, int], xmp: bytes, orientation: int = 1, **options: Any) -> None:
    """A gray image with a packet."""
    exif = Image.Exif()
    if orientation != 1:
        exif[Base.Orientation] = orientation
    write(Image.fromarray(np.full(size[::-1], 90, np.uint8)), name, xmp, exif=exif, **options)


def write(image: Image.Image, name: str, xmp: bytes, **options: Any) -> None:
    """An image with a packet, which Pillow stores in PNGs as a text."""
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
    image.save(name, pnginfo=texts, xmp=xmp, **options)


def found(name: str, group: str = "XMP") -> dict[str, Any]:
    """What ExifTool reads of a group, by name; structures as dictionaries and lists."""
    command = ["exiftool", "-json", "-n", "-struct", f"-{group}:all", "-a", name]
    (tags,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    del tags["SourceFile"]
    return tags


def written_packet(name: str) -> bytes:
    """The packet of a file, as stored."""
    data = Path(name).read_bytes()
    start = data.index(b"<x:xmpmeta")
    return data[start : data.index(b"</x:xmpmeta>", start) + len(b"</x:xmpmeta>")]
