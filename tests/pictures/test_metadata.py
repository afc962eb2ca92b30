"""Metadata: what is kept, and what is not."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

import dpid_cli
from dpid_cli.pictures import format_of, read
from support.command import pixels
from support.described import SRGB, THUMBNAIL, XMP, camera, photo_jpg, tags_of, told, with_texts

RECORD = f"dpid-cli {dpid_cli.__version__}: box"


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
    lost = [f"{name}: {kind} cannot store colour profiles: dropped\n"] if kind else []
    what = [("EXIF", "exif"), ("XMP", "xmp"), ("resolution", "dpi"), ("comment", "comment")]
    if kind:
        lacking = ", ".join(word for word, key in what if key not in holds)
        lost.append(f"{name}: {kind} cannot store {lacking}: dropped\n")
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
        ("", "dpid lambda=1 alpha=0 variant=sym normalize=none noise=0 guidance=gaussian"),
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
    kind = format_of(Path(name)).title
    what = "text (Title)" if extension in ("jpg", "jp2") else "comment, text (Title)"
    assert (result.exit_code, result.stderr) == (0, f"{name}: {kind} cannot store {what}: dropped\n")
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
    assert result.stderr == "b.jpg: JPEG cannot store text (Author): dropped\n"
    with Image.open("b.jpg") as image:
        assert dict(image.getexif()) == {Base.Artist: "tag", Base.Software: "painter"}


def test_many_texts_are_one_line(dpid, folder, noise):
    with_texts(noise, **{"k\x1b[31m\n": "v"}, **{f"key {number}": "text" for number in range(30)})
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.bmp")
    assert result.stderr == "b.bmp: BMP cannot store text (k?[31m?, key 0, key 1, key 2, 27 more): dropped\n"
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
