"""What results tell beside their pixels, by Pillow and by other readers; and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

import dpid_cli
from dpid_cli.convert.job import Job
from dpid_cli.convert.recipe import METADATA, TRUNCATED, Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import DpidWarning
from dpid_cli.pictures import FORMATS, MAX_PIXELS, Metadata, Picture, iptc, read, write
from support.command import is_one_error_line, listing, pixels

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmp:Rating="4" tiff:Orientation="6" exif:PixelXDimension='60'>
<exif:PixelYDimension>40</exif:PixelYDimension>
<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
THUMBNAIL = b"\xff\xd8 the old picture, small \xff\xd9"
RECORD = f"dpid-cli {dpid_cli.__version__}: box"
IPTC = (
    b"\x1c\x02\x19\0\x03one" + b"\x1c\x02\x78\x80\x02\0\x0aa capti\xf6n."
)  # a length of its own length, too
HOLDS = {
    "png": {"icc", "exif", "xmp", "dpi", "comment", "iptc"},
    "jpg": {"icc", "exif", "xmp", "dpi", "comment", "iptc"},
    "tif": {"icc", "exif", "xmp", "dpi", "iptc"},
    "webp": {"icc", "exif", "xmp"},
    "avif": {"icc", "exif", "xmp"},
    "bmp": {"dpi"},
    "gif": {"comment"},
    "ppm": set(),
}


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


def check(found: dict, holds: set[str], size: tuple[int, int]) -> None:
    """Everything of ``photo.jpg`` that a format holds, and nothing else."""
    assert found["icc"] == (SRGB if "icc" in holds else None)
    if "exif" in holds:
        exif, details = found["exif"], found["details"]
        assert (exif[Base.Make], exif[Base.Artist]) == ("Camera", "Somebody")
        assert float(exif[Base.XResolution]) == 300 and exif.get(Base.Orientation, 1) == 1
        assert details[Base.DateTimeOriginal] == "2020:02:02 20:20:20" and details[Base.ExposureTime] == 0.25
        assert (details[Base.ExifImageWidth], details[Base.ExifImageHeight]) == size
        assert details[Base.MakerNote] == b"private" and Base.SubjectLocation not in details
        assert found["gps"][1] == "N" and tuple(map(float, found["gps"][2])) == (48, 30, 0)
        assert not found["thumbnail"]
    else:
        assert not found["exif"]
    if "xmp" in holds:
        assert b'xmp:Rating="4"' in found["xmp"] and b'tiff:Orientation="1"' in found["xmp"]
        assert b"exif:PixelXDimension='%d'" % size[0] in found["xmp"]
        assert b"<exif:PixelYDimension>%d<" % size[1] in found["xmp"]
        assert b"Thumbnails" not in found["xmp"]
    else:
        assert found["xmp"] is None
    if "dpi" in holds:
        assert found["dpi"] == pytest.approx((300, 300), abs=0.02)
    assert found["comment"] in ((b"a remark", "a remark") if "comment" in holds else (None,))


@pytest.mark.parametrize("extension", HOLDS)
def test_what_a_format_holds_is_kept(dpid, folder, noise, extension):
    photo_jpg(noise)
    result = dpid("downscale", "photo.jpg", "-s", "2", "-m", "box", "-o", f"out.{extension}")
    name, holds = f"out.{extension}", HOLDS[extension]
    kind = {"ppm": "PPM", "bmp": "BMP", "gif": "GIF"}.get(extension)
    lost = [f"{name}: {kind} holds no colour profile: it is left out\n"] if kind else []
    what = [("EXIF", "exif"), ("XMP", "xmp"), ("resolution", "dpi"), ("comment", "comment")]
    if kind:
        lacking = ", ".join(word for word, key in what if key not in holds)
        lost.append(f"{name}: {kind} has no place for {lacking}: left out\n")
    assert (result.exit_code, result.stderr) == (0, "".join(lost))
    with Image.open(f"out.{extension}") as image:
        assert image.size == (20, 30)
        check(told(image), HOLDS[extension], (20, 30))
    assert THUMBNAIL not in Path(f"out.{extension}").read_bytes()


@pytest.mark.parametrize("extension", ["png", "tif", "webp", "avif"])
def test_through_another_format_and_back(dpid, folder, noise, extension):
    photo_jpg(noise)
    assert dpid("downscale", "photo.jpg", "-s", "1", "-m", "box", "-o", f"a.{extension}").exit_code == 0
    assert dpid("downscale", f"a.{extension}", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    with Image.open("b.jpg") as image:
        assert image.size == (20, 30)
        check(told(image), HOLDS[extension] | {"dpi"}, (20, 30))
        assert image.getexif()[Base.Software].startswith(RECORD)


def test_tiff_by_another_reader(dpid, folder, noise):
    photo_jpg(noise)
    dpid("downscale", "photo.jpg", "-s", "2", "-m", "box", "-o", "out.tif")
    with tifffile.TiffFile("out.tif") as tiff:
        (page,) = tiff.pages
        tags = {tag.name: tag.value for tag in page.tags}
        np.testing.assert_array_equal(page.asarray(), pixels("out.tif"))
    assert tags["Make"] == "Camera" and tags["Software"].startswith(RECORD)
    assert tags["XResolution"] == (300, 1) and tags["ResolutionUnit"] == 2
    assert tags["ExifTag"]["DateTimeOriginal"] == "2020:02:02 20:20:20"
    assert (tags["ExifTag"]["PixelXDimension"], tags["ExifTag"]["PixelYDimension"]) == (20, 30)
    assert tags["GPSTag"]["GPSLatitude"] == (48, 1, 30, 1, 0, 1)
    assert b'xmp:Rating="4"' in tags["XMP"] and tags["InterColorProfile"] == SRGB


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool, a reader that is not Pillow")
@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "webp", "avif"])
def test_exif_by_another_reader(dpid, folder, noise, extension):
    photo_jpg(noise)
    dpid("downscale", "photo.jpg", "-s", "2", "-m", "box", "-o", f"out.{extension}")
    command = ["exiftool", "-json", "-n", f"out.{extension}"]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (found["Make"], found["ExifImageWidth"], found["Rating"]) == ("Camera", 20, 4)
    assert found["GPSLatitude"] == 48.5 and "Warning" not in found and "Error" not in found
    assert found["Software"].startswith(RECORD)


@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "webp", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_once(dpid, folder, extension, orientation):
    """The corner that is shown at the upper left is bright; by EXIF, and by XMP where there is no EXIF."""
    levels = np.full((40, 60), 40, np.uint8)
    stored = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    down, across = stored[orientation]
    levels[20 * down : 20 * down + 20, 30 * across : 30 * across + 30] = 220
    xmp = XMP.replace(b'Orientation="6"', b'Orientation="%d"' % orientation)
    Image.fromarray(levels).convert("RGB").save("exif.jpg", exif=camera(orientation), xmp=xmp)
    Image.fromarray(levels).convert("RGB").save("xmp.jpg", xmp=xmp)
    for source in "exif.jpg", "xmp.jpg":
        name = f"{source}.{extension}"
        result = dpid("downscale", source, "-s", "2", "-m", "box", "-o", name)
        assert (result.exit_code, result.stderr) == (0, "")
        with Image.open(name) as image:
            assert image.size == ((20, 30) if orientation > 4 else (30, 20))
            assert image.getexif().get(Base.Orientation, 1) == 1
        assert b'tiff:Orientation="1"' in Path(name).read_bytes()
        with Path(name).open("rb") as stream:
            once = read(stream, name).pixels
        np.testing.assert_array_equal(once, pixels(name).reshape(once.shape))
        assert once[3, 3].min() > 180 and once[-4, -4].max() < 80


def parts(data: bytes) -> set[str]:
    """Chunks of a PNG or WebP, segments of a JPEG, tags of a TIFF; by their own layouts."""
    found, k = set(), 0
    if data[:2] in (b"II", b"MM"):
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            return {tag.name for tag in tiff.pages[0].tags}
    if data[:4] == b"RIFF":
        k = 12
        while k < len(data):
            found.add(data[k : k + 4].decode().strip())
            k += 8 + (struct.unpack_from("<L", data, k + 4)[0] + 1) // 2 * 2
    elif data[:4] == b"\x89PNG":
        k = 8
        while k < len(data):
            found.add(data[k + 4 : k + 8].decode())
            k += 12 + struct.unpack_from(">L", data, k)[0]
    else:
        k = 2
        while data[k + 1] != 0xDA:
            found.add(f"{data[k + 1]:02x}")
            k += 2 + struct.unpack_from(">H", data, k + 2)[0]
    return found


PLAIN = {
    "png": {"IHDR", "IDAT", "IEND"},
    "jpg": {"e0", "db", "c0", "c4"},
    "webp": {"VP8"},
    "tif": {
        "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation",
        "StripOffsets", "SamplesPerPixel", "RowsPerStrip", "StripByteCounts", "PlanarConfiguration",
    },
}  # fmt: skip
PROFILE = {"png": {"iCCP"}, "jpg": {"e2"}, "webp": {"VP8X", "ICCP"}, "tif": {"InterColorProfile"}}


@pytest.mark.parametrize("extension", [*PLAIN, "avif"])
@pytest.mark.parametrize("policy", ["colour", "strip"])
def test_what_is_not_kept_is_nowhere(dpid, folder, noise, extension, policy):
    photo_jpg(noise)
    args = ("downscale", "photo.jpg", "-s", "2", "-m", "box", "--metadata", policy)
    result = dpid(*args, "-o", f"out.{extension}")
    assert (result.exit_code, result.stderr) == (0, "")
    data = Path(f"out.{extension}").read_bytes()
    assert not [word for word in (b"Camera", b"dpid", b"firmware", b"remark", b"xmpmeta") if word in data]
    with Image.open(f"out.{extension}") as image:
        found = told(image)
        assert image.size == (20, 30)
    assert found["icc"] == (SRGB if policy == "colour" else None)
    assert (found["xmp"], found["comment"]) == (None, None)
    if extension in PLAIN:
        assert parts(data) == PLAIN[extension] | (PROFILE[extension] if policy == "colour" else set())


@pytest.mark.parametrize(
    ("options", "record"),
    [
        ("-m box", "box"),
        ("", "dpid lambda=1 alpha=0 variant=sym normalize=none guidance=gaussian"),
        ("-m dpp --lambda 0.3 --alpha 0.1", "dpp lambda=0.3 alpha=0.1"),
        ("-m stochastic --seed 7", "stochastic form=random seed=7"),
        ("--guidance photo", "guidance=photo"),
    ],
)
def test_record(dpid, photo, options, record):
    args = ("downscale", "photo.png", "-s", "2", *options.split())
    for name in "out.png", "out.jpg":
        assert dpid(*args, "-o", name).exit_code == 0
    with Image.open("out.png") as image:
        software = image.text["Software"]
        assert set(image.text) == {"Software"}
    with Image.open("out.jpg") as image:
        assert dict(image.getexif()) == {Base.Software: software}
    name, version, *words = software.split()
    assert (name, version) == ("dpid-cli", f"{dpid_cli.__version__}:")
    assert set(record.split()) <= set(words)
    outcome = json.loads(dpid(*args, "--json", "-o", "other.png").stdout)
    assert words[0] == outcome["method"]
    used = {key: value for key, value in outcome["parameters"].items() if value is not None}
    read_back = dict(word.split("=") for word in words[1:])
    assert read_back.keys() == used.keys()
    assert all(
        float(read_back[key]) == value if isinstance(value, int | float) else read_back[key] == value
        for key, value in used.items()
    )


@pytest.mark.parametrize(("name", "told"), [("gütig.json", "gütig.json"), ("g\udcff.json", "g?.json")])
def test_a_record_of_any_name(dpid, photo, name, told):
    """In UTF-8, and with something for bytes that are none."""
    filters = Path(dpid_cli.__file__).parent / "downscaling" / "data"
    shutil.copy(filters / "photo.json", name)
    for target in "out.png", "out.jpg", "out.tif":
        assert dpid("downscale", "photo.png", "-s", "2", "--guidance", name, "-o", target).exit_code == 0
    with Image.open("out.png") as image:
        assert f"guidance={told}" in image.text["Software"]
    for target in "out.jpg", "out.tif":
        assert f"guidance={told}".encode() in Path(target).read_bytes()


@pytest.mark.parametrize("extension", ["png", "jpg"])
def test_without_record_the_file_says_what_it_said(dpid, folder, noise, extension):
    texts = PngInfo()
    texts.add_text("Software", "painter")
    exif = Image.Exif()
    exif[Base.Software] = "painter"
    Image.fromarray(noise).save(f"a.{extension}", exif=exif, pnginfo=texts)
    Image.fromarray(noise).save(f"plain.{extension}")
    for name, software in (("a", "painter"), ("plain", None)):
        args = ("downscale", f"{name}.{extension}", "-s", "2", "-m", "box", "--no-record")
        dpid(*args, "-o", f"{name}_out.{extension}")
        with Image.open(f"{name}_out.{extension}") as image:
            assert image.getexif().get(Base.Software) == software
            assert image.info.get("Software") == (software if extension == "png" else None)


@pytest.mark.parametrize("extension", [*HOLDS])
def test_the_same_bytes_every_time(dpid, folder, noise, extension):
    photo_jpg(noise)
    for number in 1, 2:
        args = ("downscale", "photo.jpg", "-s", "2", "-m", "box", "-j", str(number), "-q")
        dpid(*args, "-o", f"{number}.{extension}")
    assert Path(f"1.{extension}").read_bytes() == Path(f"2.{extension}").read_bytes()


def test_texts_of_a_png(dpid, folder, noise):
    texts = PngInfo()
    texts.add_text("Title", "a title")
    texts.add_itxt("Author", "Zoë 山", lang="en")
    texts.add_text("Comment", "long " * 1000, zip=True)
    Image.fromarray(noise).save("a.png", pnginfo=texts)
    for name, lost in (("b.png", ""), ("b.jpg", "Title"), ("b.gif", "Title, Author")):
        result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", name)
        assert lost in result.stderr and result.stderr.count("\n") == bool(lost)
    with Image.open("b.png") as image:
        assert image.text["Title"] == "a title" and image.text["Author"] == "Zoë 山"
        assert image.text["Author"].lang == "en"
        assert image.text["Comment"] == "long " * 1000
    for name in "b.jpg", "b.gif":
        with Image.open(name) as image:
            assert image.info["comment"] == b"long " * 1000


@pytest.mark.parametrize("comment", ["naïve".encode(), "naïve".encode("latin-1"), b"plain\0"])
def test_comments_keep_their_bytes_and_their_meaning(dpid, folder, noise, comment):
    Image.fromarray(noise).save("a.jpg", comment=comment)
    for name in "b.jpg", "b.png":
        dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", name)
    with Image.open("b.jpg") as jpeg, Image.open("b.png") as png:
        assert jpeg.info["comment"] == comment
        assert png.text["Comment"] == ("plain" if comment == b"plain\0" else "naïve")


@pytest.mark.parametrize("extension", ["png", "jpg", "tif"])
def test_no_resolution_is_made_up(dpid, folder, noise, extension):
    exif = Image.Exif()
    exif[Base.Make] = "Camera"  # Pillow takes such a JPEG for 72 pixels per inch
    Image.fromarray(noise).save("a.jpg", exif=exif)
    dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", f"b.{extension}")
    with Image.open(f"b.{extension}") as image:
        assert image.getexif().get(Base.XResolution) is None
        if extension == "jpg":
            assert image.info["jfif_unit"] == 0
        else:
            assert image.info.get("dpi", (1, 1)) == (1, 1)  # what Pillow says of a TIFF without
    dpid("downscale", f"b.{extension}", "-s", "2", "-m", "box", "-o", "c.png")
    with Image.open("c.png") as image:
        assert "dpi" not in image.info


def tags_of(path: str, *names: str) -> list[object]:
    """What ExifTool finds of these."""
    command = ["exiftool", "-json", "-a", *(f"-{name}" for name in names), path]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [found.get(name.rpartition(":")[2]) for name in names]


def resource(number: int, content: bytes, name: bytes = b"") -> bytes:
    """One of Photoshop's, as its file format has it."""
    head = b"8BIM" + struct.pack(">HB", number, len(name)) + name + bytes((len(name) + 1) % 2)
    return head + struct.pack(">L", len(content)) + content + bytes(len(content) % 2)


def with_texts(noise: np.ndarray, **texts: str) -> None:
    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, value)
    Image.fromarray(noise).save("a.png", pnginfo=chunks)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool, a reader that is not Pillow")
@pytest.mark.parametrize("extension", ["jpg", "tif", "webp", "avif", "jp2", "heic", "jxl"])
@pytest.mark.parametrize("depth", ["8", "16"])
def test_texts_that_have_tags(dpid, folder, noise, extension, depth):
    """Of PNG's keywords EXIF has some; the others are told of, and none where nothing shall be kept."""
    if depth == "16" and extension != "tif":
        pytest.skip("which is written by another encoder in TIFFs alone")
    with_texts(noise, Author="Zoë 山", Description="a hill", Copyright="© Zoë", Title="Hill", Comment="far")
    name = f"b.{extension}"
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", name, "--depth", depth)
    kind = {"jpg": "JPEG", "tif": "TIFF", "heic": "HEIF"}.get(extension, extension.upper())
    what = "text (Title)" if extension in ("jpg", "jp2") else "comment, text (Title)"
    assert (result.exit_code, result.stderr) == (0, f"{name}: {kind} has no place for {what}: left out\n")
    assert tags_of(name, "Artist", "ImageDescription", "Copyright") == ["Zoë 山", "a hill", "© Zoë"]
    with_texts(noise, Comment="far away")
    assert dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", name, "--overwrite").stderr == ""
    if extension == "jp2":
        assert b"far away" in Path(name).read_bytes()
    else:
        assert tags_of(name, "File:Comment" if extension == "jpg" else "ImageDescription") == ["far away"]


def test_tags_are_stronger_than_texts(dpid, folder, noise):
    exif = Image.Exif()
    exif[Base.Artist] = "tag"
    texts = PngInfo()
    texts.add_text("Author", "text")
    texts.add_text("Software", "painter")
    Image.fromarray(noise).save("a.png", exif=exif, pnginfo=texts)
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg", "--no-record")
    assert result.stderr == "b.jpg: JPEG has no place for text (Author): left out\n"
    with Image.open("b.jpg") as image:
        assert dict(image.getexif()) == {Base.Artist: "tag", Base.Software: "painter"}


def test_many_texts_are_one_line(dpid, folder, noise):
    with_texts(noise, **{"k\x1b[31m\n": "v"}, **{f"key {number}": "text" for number in range(30)})
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.bmp")
    assert (
        result.stderr
        == "b.bmp: BMP has no place for text (k?[31m?, key 0, key 1, key 2, 27 more): left out\n"
    )
    for policy in "colour", "strip":
        args = ("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.bmp", "--overwrite")
        assert dpid(*args, "--metadata", policy).stderr == ""


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
def test_tags_keep_their_bytes(dpid, folder, noise, extension):
    """Which are UTF-8 by custom, or something else; EXIF knows ASCII alone, and Pillow no other."""
    exif = Image.Exif()
    words = {Base.Artist: "Zo\xeb".encode(), Base.Copyright: b"\xa9 1999", Base.Make: b"plain"}
    exif.update(words)
    Image.fromarray(noise).save(f"a.{extension}", exif=exif)
    for number in range(2):
        name = f"{'ab'[number]}.{extension}"
        assert (
            dpid("downscale", name, "-s", "1", "-m", "box", "-o", f"{'bc'[number]}.{extension}").stderr == ""
        )
    with Image.open(f"c.{extension}") as image:
        found = image.getexif()
    assert {tag: found[tag].encode("latin-1") for tag in words} == words


# IPTC


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool, a reader that is not Pillow")
@pytest.mark.parametrize("target", ["jpg", "tif", "png", "jp2"])
@pytest.mark.parametrize("source", ["jpg", "tif", "png", "jp2"])
@pytest.mark.parametrize("depth", ["8", "16"])
def test_iptc_by_another_writer_and_reader(dpid, folder, noise, source, target, depth):
    if depth == "16" and not {source, target} <= {"tif", "png"}:
        pytest.skip("holds 8 bits")
    Image.fromarray(noise).save("a.png")
    assert dpid("downscale", "a.png", "-s", "1", "--depth", depth, "-o", f"in.{source}").exit_code == 0
    words = ["-Keywords=one", "-Keywords=two", "-Caption-Abstract=a caption of odd length", "-By-line=Zoe"]
    command = [
        "exiftool",
        "-q",
        "-charset",
        "iptc=UTF8",
        *(f"-IPTC:{word[1:]}" for word in words),
        f"in.{source}",
    ]
    if source == "jp2":  # which it reads, but does not write
        dpid("downscale", "a.png", "-s", "1", "-o", "in.jpg")
        command[-1] = "in.jpg"
        subprocess.run(command, check=True)
        assert dpid("downscale", "in.jpg", "-s", "1", "-o", "in.jp2", "--overwrite").stderr == ""
    else:
        subprocess.run(command, check=True)
    result = dpid("downscale", f"in.{source}", "-s", "2", "-m", "box", "-o", f"out.{target}")
    assert (result.exit_code, result.stderr) == (0, "")
    names = ["IPTC:Keywords", "IPTC:Caption-Abstract", "IPTC:By-line", "Warning", "Error"]
    expected = [["one", "two"], "a caption of odd length", "Zoe", None, None]
    assert tags_of(f"in.{source}", *names) == tags_of(f"out.{target}", *names) == expected
    bare = dpid("downscale", f"in.{source}", "-s", "2", "--metadata", "strip", "-o", f"bare.{target}")
    assert bare.stderr == "" and b"a caption" not in Path(f"bare.{target}").read_bytes()


@pytest.mark.parametrize("kind", ["LONG", "swapped", "BYTE", "UNDEFINED", "ASCII", "resources"])
def test_types_of_iptc_in_a_tiff(dpid, folder, noise, kind):
    padded = IPTC + bytes(-len(IPTC) % 4)
    count = len(padded) // 4
    stored = {
        "LONG": (33723, "I", count, struct.unpack(f"<{count}I", padded)),
        "swapped": (33723, "I", count, struct.unpack(f">{count}I", padded)),
        "BYTE": (33723, "B", len(IPTC), IPTC),
        "UNDEFINED": (33723, 7, len(IPTC), IPTC),
        "ASCII": (33723, "s", len(padded), padded),
    }
    irb = resource(0x03ED, bytes(16)) + resource(0x0404, IPTC, b"odd") + resource(0x0405, b"more")
    tag = stored.get(kind, (34377, "B", len(irb), irb))
    tifffile.imwrite("a.tif", noise, photometric="rgb", metadata=None, extratags=[(*tag, True)])
    assert dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    assert dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif").stderr == ""
    with Image.open("b.jpg") as image:
        assert image.info["photoshop"] == {0x0404: IPTC}
    with tifffile.TiffFile("b.tif") as tiff:
        found = tiff.pages[0].tags[33723]
        assert found.dtype == 4 and found.value == padded


@pytest.mark.parametrize("name", ["iptc", "8bim", "APP13"])
def test_iptc_as_imagemagick_writes_it_into_a_png(dpid, folder, noise, name):
    content = IPTC if name == "iptc" else resource(0x0404, IPTC)
    digits = content.hex()
    lines = "\n".join(digits[k : k + 72] for k in range(0, len(digits), 72))
    with_texts(noise, **{f"Raw profile type {name}": f"\n{name}\n{len(content):8d}\n{lines}\n"})
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open("b.jpg") as image:
        assert image.info["photoshop"] == {0x0404: IPTC}


def test_every_page_keeps_its_iptc(dpid, folder, noise):
    captions = [IPTC.replace(b"one", word) for word in (b"1st", b"2nd")]
    with tifffile.TiffWriter("a.tif") as tiff:
        for records in captions:
            tag = (33723, 7, len(records), records, True)
            tiff.write(noise, photometric="rgb", metadata=None, extratags=[tag])
    assert dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif").stderr == ""
    with tifffile.TiffFile("b.tif") as tiff:
        found = [page.tags[33723].value for page in tiff.pages]
    assert [records[: len(IPTC)] for records in found] == captions


@pytest.mark.parametrize("extension", ["webp", "avif", "gif", "bmp", "heic", "jxl", "qoi", "tga"])
def test_iptc_that_has_no_place_is_told_of(dpid, folder, noise, extension):
    Image.fromarray(noise).save("a.jpg", extra=segment(0xED, b"Photoshop 3.0\0" + resource(0x0404, IPTC)))
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", f"b.{extension}")
    kind = {"heic": "HEIF"}.get(extension, extension.upper())
    assert (result.exit_code, result.stderr) == (
        0,
        f"b.{extension}: {kind} has no place for IPTC: left out\n",
    )


def test_iptc_too_long_for_a_segment(dpid, folder, noise):
    def records(length: int) -> bytes:
        return b"\x1c\x02\x78\x80\x04" + struct.pack(">L", length - 9) + b"x" * (length - 9)

    for length, lost in ((65506, ""), (65507, "b.jpg: too long for JPEG: IPTC: left out\n")):
        tag = (33723, 7, length, records(length), True)
        tifffile.imwrite("a.tif", noise, photometric="rgb", metadata=None, extratags=[tag])
        result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.jpg", "--overwrite")
        assert (result.exit_code, result.stderr) == (0, lost)
        with Image.open("b.jpg") as image:
            assert image.info.get("photoshop") == (None if lost else {0x0404: records(length)})
    tag = (33723, 7, 600_000, records(600_000), True)
    tifffile.imwrite("a.tif", noise, photometric="rgb", metadata=None, extratags=[tag])
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.png")
    assert result.stderr == "b.png: too long for PNG: IPTC: left out\n"


@pytest.mark.parametrize(
    "records", [IPTC[:-1], IPTC + b"more", b"no records", b"\x1c\2\5", IPTC[:5] + b"\x1c"]
)
def test_damaged_iptc_is_left_out(dpid, folder, noise, records):
    Image.fromarray(noise).save("a.jpg", extra=segment(0xED, b"Photoshop 3.0\0" + resource(0x0404, records)))
    tifffile.imwrite("a.tif", noise, photometric="rgb", extratags=[(33723, 7, len(records), records, True)])
    for name in "a.jpg", "a.tif":
        result = dpid("downscale", name, "-s", "1", "-m", "box", "-o", "b.png", "--overwrite")
        assert (result.exit_code, result.stderr) == (0, f"{name}: damaged or too long: IPTC: left out\n")
    with_texts(noise, **{"Raw profile type iptc": records.decode("latin-1")})
    result = dpid("downscale", "a.png", "-s", "1", "-m", "box", "-o", "b.jpg", "--overwrite")
    assert (result.exit_code, result.stderr) == (0, "a.png: damaged or too long: IPTC: left out\n")
    for name in "a.jpg", "a.tif":
        dpid("downscale", name, "-s", "1", "-m", "box", "-o", "b.png", "--overwrite")
        with Image.open("b.png") as image:
            assert set(image.text) == {"Software"}
        np.testing.assert_array_equal(pixels("b.png"), pixels(name))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=5),
    length=st.integers(0, 200),
)
def test_any_bytes_are_records_or_none(changes, length):
    """What is taken is what a plain reader takes for records up to the end, and wrapping loses none of it."""
    damaged = bytearray(IPTC * 3)[:length]
    for place, value in changes:
        if damaged:
            damaged[place % len(damaged)] = value
    data = bytes(damaged)
    found = iptc.whole(data)
    assert found in (b"", data.rstrip(b"\0"), data) or data.startswith(found)
    assert not data[len(found) :].strip(b"\0") or not found
    for wrapped in (
        resource(0x0404, data),
        b"Photoshop 3.0\0" + resource(1, data) + resource(0x0404, data, b"n"),
    ):
        assert iptc.in_resources(wrapped) == data
        iptc.in_resources(wrapped[: length // 2])
    if data:
        assert iptc.from_text(iptc.as_text(data)) == data


# Damage


def chunk(tag: bytes, data: bytes, flip: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data) ^ flip)


LONG = zlib.compress(b"long " * 500_000)
PNG_DAMAGE = {
    "long": chunk(b"zTXt", b"Comment\0\0" + LONG),
    "long plain": chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000),
    "very long": chunk(b"tEXt", b"Comment\0" + b"x" * 1_000_000) * 70,
    "checksum": chunk(b"tEXt", b"Comment\0text", flip=1),
    "compression": chunk(b"zTXt", b"Comment\0\7abc"),
    "keyword": chunk(b"tEXt", b"k" * 200 + b"\0text"),
    "exif": chunk(b"eXIf", b"not a directory"),
    "exif checksum": chunk(b"eXIf", camera()[6:], flip=1),
    "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>"),
    "xmp entities": chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    "xmp encoding": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<a>\xff</a>"),
    "long profile": chunk(b"iCCP", b"name\0\0" + LONG),
    "gamma": chunk(b"gAMA", b"\0"),
}


@pytest.mark.parametrize("damage", PNG_DAMAGE)
def test_damage_in_a_png_costs_no_picture(dpid, photo, noise, damage):
    whole = photo.read_bytes()
    Path("bad.png").write_bytes(whole[:33] + PNG_DAMAGE[damage] + whole[33:])
    result = dpid("downscale", "bad.png", "-s", "1", "-m", "box", "-o", "out.png")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1
    assert result.stderr.startswith("bad.png: ") and "left out" in result.stderr
    np.testing.assert_array_equal(pixels("out.png"), noise)
    with Image.open("out.png") as image:
        assert set(image.text) == {"Software"}


@pytest.mark.parametrize("keyword", ["transparency", "icc_profile", "dpi", "exif", "xmp", "comment", "loop"])
def test_keywords_that_are_called_like_findings(dpid, photo, noise, keyword):
    whole = photo.read_bytes()
    Path("bad.png").write_bytes(whole[:33] + chunk(b"tEXt", keyword.encode() + b"\0text") + whole[33:])
    assert dpid("downscale", "bad.png", "-s", "1", "-m", "box", "-o", "out.png").exit_code == 0
    np.testing.assert_array_equal(pixels("out.png"), noise)


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


JPEG_DAMAGE = {
    "exif": segment(0xE1, b"Exif\0\0not a directory"),
    "exif cut": segment(0xE1, camera()[:60]),
    "xmp": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<a><b></a>"),
    "exif resolution": segment(0xE1, camera().replace(b"\x01\x1a\0\x05\0\0\0\1", b"\x01\x1a\0\x01\0\0\0\1")),
    "photoshop": segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed"),
}


@pytest.mark.parametrize("damage", JPEG_DAMAGE)
def test_damage_in_a_jpeg_costs_no_picture(dpid, folder, noise, damage):
    Image.fromarray(noise).save("good.jpg", icc_profile=SRGB)
    whole = Path("good.jpg").read_bytes().replace(b"JFIF", b"none")  # which may tell the resolution
    Path("bad.jpg").write_bytes(whole[:2] + JPEG_DAMAGE[damage] + whole[2:])
    result = dpid("downscale", "bad.jpg", "-s", "1", "-m", "box", "-o", "out.png")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1 and "left out" in result.stderr
    np.testing.assert_array_equal(pixels("out.png"), pixels("good.jpg"))
    with Image.open("out.png") as image:
        assert image.info["icc_profile"] == SRGB


@pytest.mark.parametrize("extension", ["webp", "avif"])
def test_damaged_exif_of_other_formats(dpid, folder, noise, extension):
    Image.fromarray(noise).save(f"good.{extension}", exif=camera())
    whole = Path(f"good.{extension}").read_bytes()
    header = b"MM\0*\0\0\0\x08"
    assert whole.count(header) == 1
    Path(f"bad.{extension}").write_bytes(whole.replace(header, b"not tags"))
    result = dpid("downscale", f"bad.{extension}", "-s", "1", "-m", "box", "-o", "out.png")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1 and "left out" in result.stderr
    np.testing.assert_array_equal(pixels("out.png"), pixels(f"good.{extension}"))


def test_damaged_remarks_leave_the_orientation(dpid, folder, noise):
    photo_jpg(noise)
    whole = Path("photo.jpg").read_bytes()
    Path("bad.jpg").write_bytes(whole[:2] + JPEG_DAMAGE["photoshop"] + whole[2:])
    result = dpid("downscale", "bad.jpg", "-s", "2", "-m", "box", "-o", "out.jpg")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1
    with Image.open("out.jpg") as image:
        assert image.size == (20, 30) and image.getexif()[Base.Make] == "Camera"


def test_resolution_that_makes_no_sense(dpid, folder, noise, capfd):
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    exif[Base.XResolution], exif[Base.YResolution], exif[Base.ResolutionUnit] = 0.0, 72.0, 77
    Image.fromarray(noise).save("a.webp", exif=exif)
    for name in "b.tif", "b.jpg", "b.png", "b.webp":
        assert dpid("downscale", "a.webp", "-s", "2", "-m", "box", "-o", name).stderr == ""
        with Image.open(name) as image:
            assert list(image.getexif().keys() & {Base.Make, Base.XResolution, Base.ResolutionUnit}) == [
                Base.Make
            ]
    assert capfd.readouterr() == ("", "")  # libtiff prints its own warnings


def test_what_is_too_long_for_a_jpeg(dpid, folder, noise):
    texts = PngInfo()
    texts.add_text("Comment", "x" * 70_000)
    Image.fromarray(noise).save("a.png", pnginfo=texts, dpi=(200, 100))
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, "b.jpg: too long for JPEG: comment: left out\n")
    with Image.open("b.jpg") as image:
        assert "comment" not in image.info and image.info["dpi"] == (200, 100)


def test_the_record_stays_where_the_rest_is_too_long(dpid, folder, noise):
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    exif[IFD.Exif] = {Base.MakerNote: b"m" * 70_000}
    Image.fromarray(noise).save("a.png", exif=exif)
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, "b.jpg: too long for JPEG: EXIF: left out\n")
    with Image.open("b.jpg") as image:
        assert list(image.getexif()) == [Base.Software]


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_metadata_that_cannot_be_written_costs_no_picture(noise, name):
    broken = {"png": {"text": (("山", "text"),)}, "tiff": {"exif": camera(), "xmp": "no bytes"}}[name]
    stream = io.BytesIO()
    with pytest.warns(DpidWarning, match="^out: .* cannot hold its metadata: it is left out$"):
        picture = Picture(noise, False, SRGB, "png", Metadata(software="maker", **broken))
        write(picture, stream, FORMATS[name], "out")
    with Image.open(stream) as image:
        np.testing.assert_array_equal(np.array(image), noise)
        assert image.info["icc_profile"] == SRGB
        assert (image.text["Software"] if name == "png" else image.tag_v2[Base.Software]) == "maker"


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    extension=st.sampled_from(["jpg", "png", "webp", "tif"]),
    target=st.sampled_from(["jpeg", "png", "webp", "tiff"]),
)
def test_any_exif_gives_a_picture(tmp_path_factory, changes, extension, target):
    folder = tmp_path_factory.getbasetemp()
    exif = bytearray(camera())
    for place, value in changes:
        exif[6 + place % (len(exif) - 6)] = value
    picture = Image.new("RGB", (6, 4), (200, 100, 50))
    stream = io.BytesIO()
    if extension == "tif":  # whose tags are not a part of their own
        picture.save(stream, "TIFF", exif=camera())
        data = bytearray(stream.getvalue())
        start = data.find(b"Camera")  # behind the directory: texts, and the directory of details
        for place, value in changes:
            data[start + place % (len(data) - start - 100)] = value
    else:
        picture.save(stream, {"jpg": "JPEG"}.get(extension, extension), exif=bytes(exif))
        data = bytearray(stream.getvalue())
    source, out = folder / f"fuzz.{extension}", folder / "fuzz.out"
    source.write_bytes(data)
    job = Job(
        (str(source),),
        Recipe(SizeRequest("scale", 1.0), "box"),
        output=str(out),
        format=target,
        overwrite=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DpidWarning)
        job.run(str(source))
    with Image.open(out) as image:
        assert sorted(image.size) == [4, 6]
        image.load()


# Limits


@pytest.mark.parametrize(
    ("limit", "passes"),
    [("2400", True), ("2399", False), ("2k", False), ("3k", True), ("1M", True), ("1G", True)],
)
def test_most_pixels(dpid, photo, limit, passes):
    before = listing(photo.parent)
    result = dpid("downscale", "photo.png", "-s", "2", "-m", "box", "--max-pixels", limit)
    assert result.exit_code == (0 if passes else 1)
    if not passes:
        number = limit.replace("k", "000")
        assert is_one_error_line(result.stderr) and listing(photo.parent) == before
        assert f"more than {number} pixels" in result.stderr and "--max-pixels" in result.stderr


@pytest.mark.parametrize("limit", ["0", "-1", "1.5M", "1 M", "many", "5m", ""])
def test_limits_that_are_none(dpid, photo, limit):
    result = dpid("downscale", "photo.png", "-s", "2", "--max-pixels", limit)
    assert result.exit_code == 2 and is_one_error_line(result.stderr)


@pytest.mark.parametrize(
    ("limit", "told"), [("899M", "899 million"), ("900M", "truncated"), ("400M", "400 million")]
)
def test_the_limit_is_compared_with_the_header(dpid, folder, limit, told):
    """30000 x 30000 pixels of which none is there; Pillow's own limit is a tenth of it."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    Path("huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
    result = dpid("downscale", "huge.png", "-s", "100", "--max-pixels", limit)
    assert result.exit_code == 1 and is_one_error_line(result.stderr) and told in result.stderr


def test_settings_of_the_process_are_left_alone(dpid, photo):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Path("cut.png").write_bytes(photo.read_bytes()[:3000])
    for limit in "1", "900M":
        args = ("downscale", "photo.png", "cut.png", "-s", "2", "-m", "box", "--overwrite")
        dpid(*args, "--max-pixels", limit, "--truncated", "accept")
        assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.parametrize("extension", ["png", "jpg"])
def test_truncated_files(dpid, folder, extension):
    y, x = np.mgrid[:400, :600]
    smooth = np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    Image.fromarray(smooth).save(f"whole.{extension}")
    whole = Path(f"whole.{extension}").read_bytes()
    Path(f"cut.{extension}").write_bytes(whole[: len(whole) * 2 // 3])
    args = ("downscale", f"cut.{extension}", "-s", "2", "-m", "box", "-o", "cut_out.png")
    refused = dpid(*args)
    assert refused.exit_code == 1 and is_one_error_line(refused.stderr) and "truncated" in refused.stderr
    assert not Path("cut_out.png").exists()
    taken = dpid(*args, "--truncated", "accept")
    assert (taken.exit_code, taken.stdout) == (0, "cut_out.png\n")
    assert taken.stderr.startswith(f"cut.{extension}: ") and "blank" in taken.stderr
    dpid("downscale", f"whole.{extension}", "-s", "2", "-m", "box", "-o", "whole_out.png")
    cut, full = pixels("cut_out.png"), pixels("whole_out.png")
    np.testing.assert_array_equal(cut[:50], full[:50])
    assert (cut[-20:] == cut[-1, -1]).all() and (cut[-20:] != full[-20:]).any()


@pytest.mark.parametrize(
    ("extension", "code"), [("gif", 0), ("bmp", 0), ("ppm", 0), ("tif", 0), ("webp", 1), ("avif", 1)]
)
def test_which_truncated_files_show_something(dpid, folder, noise, extension, code):
    Image.fromarray(noise).save(f"whole.{extension}")
    whole = Path(f"whole.{extension}").read_bytes()
    Path(f"cut.{extension}").write_bytes(whole[: len(whole) * 2 // 3])
    args = ("downscale", f"cut.{extension}", "-s", "2", "-m", "box", "-o", "out.png")
    assert dpid(*args).exit_code == 1
    result = dpid(*args, "--truncated", "accept")
    assert (result.exit_code, result.stderr.count("\n")) == (code, 1)
    assert Path("out.png").exists() is (code == 0)


def test_whole_files_are_not_called_truncated(dpid, photo):
    args = ("downscale", "photo.png", "-s", "2", "-m", "box", "-o")
    assert dpid(*args, "a.png", "--truncated", "accept").stderr == ""
    dpid(*args, "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_accepting_what_is_cut_accepts_nothing_else(dpid, folder):
    Path("text.png").write_text("a letter")
    Path("empty.png").touch()
    result = dpid("downscale", "text.png", "empty.png", "-s", "2", "--truncated", "accept")
    assert result.exit_code == 1 and result.stderr.count("not an image") == 2


def test_options_are_those_of_the_job():
    from dpid_cli.cli.downscale import command

    options = {option.name: option for option in command.params}
    assert tuple(options["metadata"].type.choices) == METADATA
    assert tuple(options["truncated"].type.choices) == TRUNCATED
    limit = options["max_pixels"]
    assert limit.type_cast_value(None, limit.default) == MAX_PIXELS


@pytest.mark.parametrize("wrong", [{"metadata": "some"}, {"truncated": "yes"}, {"max_pixels": 0}])
def test_jobs_that_cannot_work(wrong):
    with pytest.raises(dpid_cli.DpidError, match=next(iter(wrong)).replace("_", "-")):
        Recipe(SizeRequest("scale", 2.0), **wrong).check()
