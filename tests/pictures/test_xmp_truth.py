"""XMP that counts pixels, names positions, or describes other parts of a file: true of the output, or gone.

ExifTool reads the outputs.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
from pathlib import Path
from xml.dom import minidom

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dpid_cli.pictures import xmp
from dpid_cli.pictures.change import Change
from support.measured import crowded
from support.packets import (
    CAMERA,
    CONTAINER,
    EXIF,
    GAIN_MAP,
    ITEM,
    PANORAMA,
    RDF,
    found,
    packet,
    regions,
    save,
    simple,
    write,
    written_packet,
)

pytestmark = pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
FORMS = pytest.mark.parametrize("form", ["attributes", "elements"])
SPHERE = {
    "ProjectionType": "equirectangular",
    "CroppedAreaImageWidthPixels": 403,
    "CroppedAreaImageHeightPixels": 101,
    "FullPanoWidthPixels": 800,
    "FullPanoHeightPixels": 400,
    "CroppedAreaLeftPixels": 397,
    "CroppedAreaTopPixels": 150,
    "LargestValidInteriorRectLeft": 3,
    "LargestValidInteriorRectTop": 1,
    "LargestValidInteriorRectWidth": 400,
    "LargestValidInteriorRectHeight": 100,
    "PoseHeadingDegrees": 120.5,
}


@FORMS
def test_a_part_of_a_sphere(dpid, folder, form):
    save("a.jpg", (403, 101), simple(PANORAMA, form, **SPHERE))
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, "")
    assert found("b.jpg", "XMP-GPano") == {
        "ProjectionType": "equirectangular",
        "CroppedAreaImageWidthPixels": 202,
        "CroppedAreaImageHeightPixels": 51,
        "FullPanoWidthPixels": 401,  # 800 * 202 / 403
        "FullPanoHeightPixels": 202,
        "CroppedAreaLeftPixels": 199,  # 202 of 401 remain
        "CroppedAreaTopPixels": 76,
        "LargestValidInteriorRectLeft": 2,
        "LargestValidInteriorRectTop": 1,
        "LargestValidInteriorRectWidth": 200,
        "LargestValidInteriorRectHeight": 50,
        "PoseHeadingDegrees": 120.5,
    }


def test_a_sphere_keeps_its_corner_when_its_end_is_cropped(dpid, folder):
    save("a.png", (403, 101), simple(PANORAMA, "elements", **SPHERE))
    dpid("batch", "a.png", "out", "-s", "2", "-m", "box", "--multiple-of", "4", "-j", "1")
    (out,) = Path("out").glob("*.png")
    tags = found(str(out), "XMP-GPano")
    assert (tags["CroppedAreaImageWidthPixels"], tags["CroppedAreaImageHeightPixels"]) == (200, 50)
    assert (tags["FullPanoWidthPixels"], tags["CroppedAreaLeftPixels"]) == (400, 198)


def test_a_turned_panorama_is_none(dpid, folder):
    save("a.jpg", (40, 20), simple(PANORAMA, "elements", **SPHERE), orientation=6)
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (
        result.stderr == "a.jpg: no longer valid for the output: panorama, as the image was turned: dropped\n"
    )
    assert not found("b.jpg", "XMP-GPano")


CORNERS = {  # where a small area right below the upper left corner goes, by orientation
    1: (0.1, 0.3), 2: (0.9, 0.3), 3: (0.9, 0.7), 4: (0.1, 0.7),
    5: (0.3, 0.1), 6: (0.7, 0.1), 7: (0.7, 0.9), 8: (0.3, 0.9),
}  # fmt: skip


@FORMS
@pytest.mark.parametrize("unit", ["normalized", "pixel"])
@pytest.mark.parametrize("orientation", CORNERS)
def test_faces_are_turned_with_the_image(dpid, folder, form, unit, orientation):
    """The closed form of `CORNERS` is also what Pillow does with a bright spot there."""
    size = (200, 100)
    area = (0.1, 0.3, 0.04, 0.08) if unit == "normalized" else (20, 30, 8, 8)
    xmp = regions(form, unit, size, area)
    save("a.png", size, xmp, orientation)
    with Image.open("a.png") as image:
        image.paste(255, (18, 28, 22, 32))
        write(image, "a.png", xmp, exif=image.getexif())
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.png")
    assert (result.exit_code, result.stderr) == (0, "")
    info = found("b.png", "XMP-mwg-rs")["RegionInfo"]
    width, height = (50, 100) if orientation > 4 else (100, 50)
    assert info["AppliedToDimensions"] == {"W": width, "H": height, "Unit": "pixel"}
    (region,) = info["RegionList"]
    x, y = CORNERS[orientation]
    w, h = (4 / width, 4 / height)
    if unit == "pixel":
        x, y, w, h = x * width, y * height, 4, 4
    expected = {"X": x, "Y": y, "W": w, "H": h}
    assert {key: region["Area"][key] for key in expected} == pytest.approx(expected, abs=1e-6)
    with Image.open("b.png") as image:
        left, top, right, bottom = image.convert("L").point(lambda level: 255 * (level > 150)).getbbox()
    middle = ((left + right) / 2, (top + bottom) / 2)
    place = (x, y) if unit == "pixel" else (x * width, y * height)
    assert place == pytest.approx(middle, abs=0.6)


@pytest.mark.parametrize("is_turned", [True, False])
@pytest.mark.parametrize("orientation", [3, 6])
def test_faces_in_formats_whose_decoders_turn_images(dpid, folder, orientation, is_turned):
    """HEIF as phones write it, with both its own orientation and that of EXIF; the latter does not count."""
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    exif = Image.Exif()
    exif[274] = orientation
    xmp = regions("elements", "normalized", (200, 100), (0.1, 0.3, 0.04, 0.08))
    Image.new("RGB", (200, 100)).save("a.heic", exif=exif.tobytes() if is_turned else exif, xmp=xmp)
    assert dpid("downscale", "a.heic", "-s", "2", "-m", "box", "-o", "b.png").stderr == ""
    info = found("b.png", "XMP-mwg-rs")["RegionInfo"]
    with Image.open("b.png") as image:
        assert image.size == ((50, 100) if is_turned and orientation == 6 else (100, 50))
        assert (info["AppliedToDimensions"]["W"], info["AppliedToDimensions"]["H"]) == image.size
    (region,) = info["RegionList"]
    assert (region["Area"]["X"], region["Area"]["Y"]) == CORNERS[orientation if is_turned else 1]


@pytest.mark.parametrize("size", [(100, 200), (50, 100)])
def test_faces_of_programs_that_count_in_the_upright_image(dpid, folder, size):
    """Which the size tells that the regions apply to."""
    save("a.jpg", (200, 100), regions("elements", "normalized", size, (0.1, 0.3, 0.1, 0.1)), 6)
    assert dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    (region,) = found("b.jpg", "XMP-mwg-rs")["RegionInfo"]["RegionList"]
    assert (region["Area"]["X"], region["Area"]["Y"]) == (0.1, 0.3)


def test_faces_of_another_image(dpid, folder):
    save("a.jpg", (200, 100), regions("attributes", "normalized", (100, 99), (0.1, 0.3, 0.1, 0.1)))
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg")
    problem = "no longer valid for the output: regions of an image of another shape"
    assert result.stderr == f"a.jpg: {problem}: dropped\n"
    assert not found("b.jpg", "XMP-mwg-rs")


@FORMS
def test_faces_in_a_cropped_image(dpid, folder, form):
    """One keeps its pixels, one loses some, and one is gone: 110 x 60 pixels become 96 x 48, then 48 x 24."""
    areas = [
        (22 / 110, 12 / 60, 11 / 110, 6 / 60),
        (96 / 110, 30 / 60, 20 / 110, 20 / 60),
        (0.95, 0.95, 0.02, 0.02),
    ]
    save("a.png", (110, 60), regions(form, "normalized", (110, 60), *areas))
    result = dpid("batch", "a.png", "out", "-s", "2", "-m", "box", "--multiple-of", "16", "-j", "1")
    assert (
        result.stderr.count("no longer valid for the output: a region that is not in the output: dropped")
        == 1
    )
    (out,) = Path("out").glob("*.png")
    first, second = found(str(out), "XMP-mwg-rs")["RegionInfo"]["RegionList"]
    assert (str(first["Name"]), str(second["Name"])) == ("0", "1")
    wanted = {"X": 22 / 96, "Y": 12 / 48, "W": 11 / 96, "H": 6 / 48}
    assert {key: first["Area"][key] for key in wanted} == pytest.approx(wanted, abs=1e-6)
    wanted = {"X": 91 / 96, "Y": 30 / 48, "W": 10 / 96, "H": 20 / 48}  # its columns 86 to 96 are left
    assert {key: second["Area"][key] for key in wanted} == pytest.approx(wanted, abs=1e-6)


def test_faces_as_microsoft_stores_them(dpid, folder):
    body = """<m:RegionInfo rdf:parseType="Resource"><i:Regions><rdf:Bag><rdf:li g:PersonDisplayName="A"
 g:Rectangle="0.1, 0.2, 0.25, 0.5"/></rdf:Bag></i:Regions></m:RegionInfo>"""
    space = "http://ns.microsoft.com/photo/1.2/"
    xmp = packet(body, m=space, i=space + "t/RegionInfo#", g=space + "t/Region#")
    save("a.jpg", (200, 100), xmp, 6)
    assert dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    (region,) = found("b.jpg", "XMP-MP")["RegionInfoMP"]["Regions"]
    assert region == {"PersonDisplayName": "A", "Rectangle": "0.3, 0.1, 0.5, 0.25"}


@pytest.mark.parametrize("unit", ["relative", "pixel"])
def test_regions_of_iptc(dpid, folder, unit):
    """A rectangle, a circle and a polygon; turned by 180 degrees."""
    across, down = (1, 1) if unit == "relative" else (200, 100)

    def region(shape: str, fields: str) -> str:
        return f"""<rdf:li rdf:parseType="Resource"><e:RegionBoundary rdf:parseType="Resource">
<e:rbShape>{shape}</e:rbShape><e:rbUnit>{unit}</e:rbUnit>{fields}</e:RegionBoundary></rdf:li>"""

    def point(x: float, y: float) -> str:
        return f"<e:rbX>{x * across}</e:rbX><e:rbY>{y * down}</e:rbY>"

    rectangle = point(0.1, 0.2) + f"<e:rbW>{0.3 * across}</e:rbW><e:rbH>{0.4 * down}</e:rbH>"
    circle = point(0.25, 0.5) + f"<e:rbRx>{0.05 * across}</e:rbRx>"
    vertex = '<rdf:li rdf:parseType="Resource">{}</rdf:li>'
    polygon = "".join(vertex.format(point(*place)) for place in ((0, 0), (0.5, 0), (0.5, 0.25)))
    polygon = f"<e:rbVertices><rdf:Seq>{polygon}</rdf:Seq></e:rbVertices>"
    items = region("rectangle", rectangle) + region("circle", circle) + region("polygon", polygon)
    body = f"<e:ImageRegion><rdf:Bag>{items}</rdf:Bag></e:ImageRegion>"
    save("a.jpg", (200, 100), packet(body, e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"), 3)
    assert dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    across, down = (1, 1) if unit == "relative" else (100, 50)
    first, second, third = (item["RegionBoundary"] for item in found("b.jpg", "XMP-iptcExt")["ImageRegion"])
    assert [first[f"Rb{key}"] for key in "XYWH"] == pytest.approx(
        [0.6 * across, 0.4 * down, 0.3 * across, 0.4 * down]
    )
    assert [second[f"Rb{key}"] for key in ("X", "Y", "Rx")] == pytest.approx(
        [0.75 * across, 0.5 * down, 0.05 * across]
    )
    vertices = [(vertex["RbX"], vertex["RbY"]) for vertex in third["RbVertices"]]
    assert vertices == [(across, down), (0.5 * across, down), (0.5 * across, 0.75 * down)]


@FORMS
@pytest.mark.parametrize(
    ("orientation", "expected"), [(1, ("2000", "750")), (3, ("2000", "750")), (6, ("1500", "1000"))]
)
def test_resolution_of_the_sensor(dpid, folder, form, orientation, expected):
    """4000 pixels across and 1500 down, each for the size of the sensor."""
    xmp = simple(EXIF, form, FocalPlaneXResolution="4000/1", FocalPlaneYResolution="3000/2")
    exif = Image.Exif()
    exif[274] = orientation
    exif[0x8769] = {0xA20E: 4000.0, 0xA20F: 1500.0, 0xA210: 2, 0x829A: 0.25}
    if orientation == 6:
        expected = "750", "2000"
    Image.new("L", (64, 48), 90).save("a.jpg", xmp=xmp, exif=exif)
    assert dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    names = "FocalPlaneXResolution", "FocalPlaneYResolution"
    for group in "XMP-exif", "ExifIFD":
        tags = found("b.jpg", group)
        assert tuple(f"{float(tags[name]):g}" for name in names) == expected


def test_positions_in_pixels_are_dropped(dpid, folder):
    body = "<e:SubjectArea><rdf:Seq><rdf:li>5</rdf:li><rdf:li>9</rdf:li></rdf:Seq></e:SubjectArea>"
    save("a.jpg", (64, 48), packet(body, "e:PixelXDimension='64' e:ExposureTime='1/4'", e=EXIF))
    assert dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    assert found("b.jpg") == {"ExifImageWidth": 32, "ExposureTime": 0.25}


@FORMS
@pytest.mark.parametrize("end", ["jpg", "png", "webp", "tif"])
def test_a_motion_photo_is_a_still(dpid, folder, form, end):
    values = {
        "MotionPhoto": 1,
        "MotionPhotoVersion": 1,
        "MotionPhotoPresentationTimestampUs": 9,
        "BurstID": "b",
    }
    values |= {"MicroVideo": 1, "MicroVideoVersion": 1, "MicroVideoOffset": 4321}
    stated = simple(CAMERA, form, **values).decode()
    directory = f"""<c:Directory xmlns:c="{CONTAINER}" xmlns:i="{ITEM}"><rdf:Seq>
<rdf:li rdf:parseType="Resource"><c:Item i:Mime="image/jpeg" i:Semantic="Primary"/></rdf:li>
<rdf:li rdf:parseType="Resource"><c:Item i:Semantic="MotionPhoto" i:Length="4321"/></rdf:li>
</rdf:Seq></c:Directory></rdf:Description>"""
    save("a.jpg", (64, 48), stated.replace("</rdf:Description>", directory).encode())
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", f"b.{end}")
    problem = "no longer valid for the output: motion photo (its video is not kept)"
    assert (result.exit_code, result.stderr) == (0, f"a.jpg: {problem}: dropped\n")
    assert found(f"b.{end}").get("BurstID") == "b"
    rest = written_packet(f"b.{end}")
    assert not [word for word in (b"Motion", b"MicroVideo", b"container", b"4321") if word in rest]
    minidom.parseString(rest)


@FORMS
def test_gain_maps_and_depth_maps_leave_nothing(dpid, folder, form):
    gain = simple(GAIN_MAP, form, Version="1.0", GainMapMax="2.5").decode()
    depth = simple(
        "http://ns.google.com/photos/1.0/depthmap/", form, Format="RangeLinear", Near="1.5", Data="QUJD"
    )
    start, end = depth.index(b"<rdf:Description"), depth.index(b"</rdf:RDF>")
    save("a.jpg", (64, 48), gain.replace("</rdf:RDF>", depth[start:end].decode() + "</rdf:RDF>").encode())
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert result.stderr.splitlines() == [
        "a.jpg: its HDR gain map is dropped",
        "a.jpg: no longer valid for the output: depth map: dropped",
    ]
    rest = written_packet("b.jpg")
    assert not [word for word in (b"hdr-gain-map", b"Version", b"depthmap", b"QUJD") if word in rest]
    assert {node.nodeName for node in minidom.parseString(rest).getElementsByTagName("*")} == {
        "x:xmpmeta",
        "rdf:RDF",
        "rdf:Description",
    }


@pytest.mark.parametrize(("orientation", "is_kept"), [(1, True), (8, False)])
def test_calibration_of_a_drone(dpid, folder, orientation, is_kept):
    values = {
        "CalibratedFocalLength": 3666.6,
        "CalibratedOpticalCenterX": 2736,
        "CalibratedOpticalCenterY": 1824,
    }
    values |= {"DewarpData": "2022-06-08;3700.5,3690,-9.5,4,-0.1,0.02,0,0,-0.04", "GimbalYawDegree": "-12.3"}
    save("a.jpg", (48, 32), simple("http://www.dji.com/drone-dji/1.0/", "attributes", **values), orientation)
    result = dpid("downscale", "a.jpg", "-s", "4", "-m", "box", "-o", "b.jpg")
    tags = found("b.jpg", "XMP-drone-dji")
    if is_kept:
        assert result.stderr == ""
        assert tags == {
            "CalibratedFocalLength": 916.65,
            "CalibratedOpticalCenterX": 684,
            "CalibratedOpticalCenterY": 456,
            "DewarpData": "2022-06-08;925.125,922.5,-2.375,1,-0.1,0.02,0,0,-0.04",
            "GimbalYawDegree": -12.3,
        }
    else:
        assert result.stderr == "a.jpg: no longer valid for the output: calibration of the camera: dropped\n"
        assert tags == {"GimbalYawDegree": -12.3}


def test_thumbnails_in_any_form(dpid, folder):
    """Of any prefix, and within other structures."""
    image = '<rdf:li rdf:parseType="Resource"><g:width>9</g:width><g:image>SMALL</g:image></rdf:li>'
    body = f"""<old:Thumbnails><rdf:Alt>{image}</rdf:Alt></old:Thumbnails><old:Rating>4</old:Rating>
<s:PageInfo xmlns:s="http://ns.adobe.com/xap/1.0/t/pg/"><rdf:Seq>{image}</rdf:Seq></s:PageInfo>"""
    xmp = packet(body, old="http://ns.adobe.com/xap/1.0/", g="http://ns.adobe.com/xap/1.0/g/img/")
    save("a.jpg", (64, 48), xmp)
    assert dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    rest = written_packet("b.jpg")
    assert b"SMALL" not in rest and b"Thumbnails" not in rest and b"<old:Rating>4<" in rest


def test_what_is_true_keeps_its_bytes(dpid, folder):
    """Comments, entities, unusual quotes and white space of a packet, but for one number."""
    body = """<!-- <e:PixelXDimension>64</e:PixelXDimension> --><d:title   x:y = 'a &gt; &quot;b&quot;'
 ><![CDATA[<e:PixelYDimension>48]]></d:title ><e:PixelXDimension
 >64</e:PixelXDimension\n>"""
    xmp = packet(body, e=EXIF, d="http://purl.org/dc/elements/1.1/")
    save("a.png", (64, 48), xmp)
    dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.png")
    assert xmp.replace(b"\n >64<", b"\n >32<") in Path("b.png").read_bytes()


def extended(first: bytes, second: bytes, *, damage: str = "") -> list[bytes]:
    """Segments of a packet in two parts, as cameras and Photoshop write them."""
    digest = hashlib.md5(second, usedforsecurity=False).hexdigest().upper().encode()
    note = b'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="%s"' % digest
    segments = [b"http://ns.adobe.com/xap/1.0/\0" + first.replace(b"rdf:about=", note + b" rdf:about=", 1)]
    parts = [(place, second[place : place + 400]) for place in range(0, len(second), 400)]
    for place, part in reversed(parts[1:] if damage == "missing" else parts):
        content = part.replace(b"LONG", b"GNOL") if damage == "changed" else part
        head = b"http://ns.adobe.com/xmp/extension/\0" + digest
        length = 2**31 if damage == "length" else len(second)
        segments.append(head + struct.pack(">LL", length, place) + content)
    return segments


def save_with_segments(name: str, segments: list[bytes]) -> None:
    Image.new("L", (64, 48), 90).save("plain.jpg")
    plain = Path("plain.jpg").read_bytes()
    added = b"".join(struct.pack(">HH", 0xFFE1, 2 + len(part)) + part for part in segments)
    Path(name).write_bytes(plain[:20] + added + plain[20:])


TITLE = packet("", "d:format='image/jpeg'", d="http://purl.org/dc/elements/1.1/")
LONG_TEXT = "LONG text " * 300
HISTORY = packet(f"<p:History>{LONG_TEXT}</p:History>", p="http://ns.adobe.com/photoshop/1.0/")


@pytest.mark.parametrize("end", ["jpg", "png", "webp"])
def test_packets_in_two_parts(dpid, folder, end):
    save_with_segments("a.jpg", extended(TITLE, HISTORY))
    assert found("a.jpg")["History"].split() == LONG_TEXT.split()
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", f"b.{end}")
    assert (result.exit_code, result.stderr) == (0, "")
    tags = found(f"b.{end}")
    assert tags["Format"] == "image/jpeg" and tags["History"].split() == LONG_TEXT.split()
    assert "HasExtendedXMP" not in tags


@pytest.mark.parametrize("damage", ["missing", "changed", "length"])
def test_damaged_second_parts(dpid, folder, damage):
    save_with_segments("a.jpg", extended(TITLE, HISTORY, damage=damage))
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, "a.jpg: damaged or too long: part of its XMP: dropped\n")
    tags = found("b.jpg")
    assert tags["Format"] == "image/jpeg" and not tags.keys() & {"History", "HasExtendedXMP"}


@FORMS
def test_long_packets_get_two_parts_in_a_jpeg(dpid, folder, form):
    text = "edit; " * 20_000
    xmp = simple("http://ns.adobe.com/photoshop/1.0/", form, History=text, City="Paris")
    save("a.png", (64, 48), xmp)
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg")
    if form == "attributes":  # which cannot be moved
        assert result.stderr == "b.jpg: too long for JPEG: XMP: dropped\n"
        return
    assert (result.exit_code, result.stderr) == (0, "")
    tags = found("b.jpg")
    assert tags["History"].strip() == text.strip() and tags["City"] == "Paris"
    assert b"Paris" in written_packet("b.jpg") and len(tags["HasExtendedXMP"]) == 32
    dpid("downscale", "b.jpg", "-s", "2", "-m", "box", "-o", "c.png")
    assert found("c.png")["History"].strip() == text.strip() and RDF.encode() in written_packet("c.png")


ODD = st.sampled_from(
    ["0", "-1", "", ".", "1e99", "1e-99", "nan", "inf", "1/0", "9" * 12, "9" * 99, "\u0663", "a"]
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_any_numbers_give_a_packet(data):
    """Numbers that make no sense are no reason to raise, or to write what is no XML."""
    parts = re.split(r"(?<=[\">])([0-9./, ]+)(?=[<\"])", crowded().decode())
    for place in data.draw(st.lists(st.integers(0, len(parts) // 2 - 1), min_size=1, max_size=6)):
        parts[2 * place + 1] = data.draw(ODD)
    size = st.tuples(st.integers(1, 9999), st.integers(1, 9999))
    upright = data.draw(size)
    cropped = tuple(min(sides) for sides in zip(upright, data.draw(size), strict=True))
    output = tuple(min(sides) for sides in zip(cropped, data.draw(size), strict=True))
    stored = xmp.checked("".join(parts).encode())
    result, removed = xmp.scaled(stored, Change(upright, cropped, output, data.draw(st.integers(1, 8))))
    minidom.parseString(result)
    assert "motion photo (its video is not kept)" in removed and b"MotionPhoto=" not in result
