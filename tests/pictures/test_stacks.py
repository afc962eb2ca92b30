"""Descriptions of all pages together, and pixels that are not square; by tifffile and Pillow."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import dpid_cli
from support.specimens import chunk


def stack(kind: str = "uint16", pages: int = 6, shape: tuple[int, ...] = (40, 60)) -> np.ndarray:
    levels = np.random.default_rng(2).integers(0, 256, (pages, *shape))
    return (levels / 256).astype(kind) if kind.startswith("float") else levels.astype(kind)


def ome_tif(name: str, pixels: np.ndarray, **metadata: Any) -> None:
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2} | metadata
    tifffile.imwrite(name, pixels, ome=True, metadata=metadata, photometric="minisblack")


def pixels_of(name: str) -> dict[str, Any]:
    """The element Pixels of OME-XML."""
    with tifffile.TiffFile(name) as tiff:
        found: dict[str, Any] = tifffile.xml2dict(tiff.ome_metadata)["OME"]
    assert "UUID" not in found
    return found["Image"]["Pixels"]


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [("-s", "2"), ("--size", "20x16", "--fit", "exact")])
def test_ome(dpid, folder, kind, size):
    ome_tif("a.tif", stack(kind))
    result = dpid("downscale", "a.tif", *size, "-m", "box", "-o", "b.tif")
    assert (result.exit_code, result.stderr) == (0, "")
    with tifffile.TiffFile("b.tif") as tiff:
        (series,) = tiff.series
        assert (series.kind, series.axes, series.dtype) == ("ome", "CYX", np.dtype(kind))
        height, width = series.shape[1:]
    pixels = pixels_of("b.tif")
    sizes = [pixels[f"Size{axis}"] for axis in "XYCZT"]
    assert sizes == [width, height, 6, 1, 1]
    assert pixels["PhysicalSizeX"] * width == pytest.approx(0.25 * 60)
    assert pixels["PhysicalSizeY"] * height == pytest.approx(0.5 * 40)
    assert (pixels["PhysicalSizeZ"], pixels["Type"]) == (2, kind.replace("float32", "float"))


def test_ome_of_colours_slices_and_times(dpid, folder):
    """Each page is of one slice and time; OME counts each of the three colours."""
    tifffile.imwrite(
        "a.tif",
        np.zeros((2, 3, 40, 60, 3), np.uint8),
        ome=True,
        metadata={"axes": "TZYXS"},
        photometric="rgb",
    )
    assert dpid("downscale", "a.tif", "-s", "4", "-m", "box", "-o", "b.tif").stderr == ""
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.series[0].axes == "TZYXS" and tiff.series[0].shape == (2, 3, 10, 15, 3)


def test_ome_of_another_depth(dpid, folder):
    ome_tif("a.tif", stack())
    assert dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif", "--depth", "8").stderr == ""
    assert pixels_of("b.tif")["Type"] == "uint8"
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.series[0].dtype == np.uint8 and tiff.series[0].kind == "ome"


@pytest.mark.parametrize("out", ["b.tif", "b.png"])
def test_ome_of_one_page_among_several(dpid, folder, out):
    ome_tif("a.tif", stack())
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "--frame", "0", "-o", out)
    assert (result.exit_code, result.stderr) == (
        0,
        "a.tif: no longer valid for the output: OME-XML: dropped\n",
    )
    assert b"OME" not in Path(out).read_bytes()


def rewritten(name: str, change: tuple[str, str]) -> None:
    """A file whose OME-XML differs."""
    with tifffile.TiffFile(name) as tiff:
        text, pixels = tiff.ome_metadata, tiff.asarray()
    assert change[0] in text
    with tifffile.TiffWriter(name) as writer:
        for number, page in enumerate(pixels):
            description = text.replace(*change) if number == 0 else None
            writer.write(page, metadata=None, description=description, photometric="minisblack")


LIES = {
    "pages": ('SizeC="6"', 'SizeC="5"'),
    "size": ('SizeX="60"', 'SizeX="61"'),
    "channels": ('SamplesPerPixel="1"', 'SamplesPerPixel="3"'),
    "number": ('PhysicalSizeX="0.25"', 'PhysicalSizeX="wide"'),
    "damage": ("</OME>", "</OM>"),
    "declaration": ("<OME ", "<!DOCTYPE a [<!ENTITY b 'c'>]><OME "),
    "elsewhere": ("<TiffData ", "<MetadataOnly/><TiffData "),
    "others": (
        '<TiffData IFD="0" PlaneCount="6"/>',
        '<TiffData IFD="0"><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData>',
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_ome_that_cannot_be_true(dpid, folder, lie):
    ome_tif("a.tif", stack())
    rewritten("a.tif", LIES[lie])
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1
    assert result.stderr == "a.tif: page 0: no longer valid for the output: OME-XML: dropped\n"
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.ome_metadata is None and len(tiff.pages) == 6


def test_regions_in_ome(dpid, folder):
    ome_tif("a.tif", stack())
    region = '<ROI ID="ROI:0"><Union><Rectangle ID="Shape:0" X="5" Y="6" Width="9" Height="9"/></Union></ROI>'
    rewritten("a.tif", ("</OME>", region + "</OME>"))
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif")
    assert result.stderr == "a.tif: page 0: no longer valid for the output: regions of interest: dropped\n"
    with tifffile.TiffFile("b.tif") as tiff:
        assert "ROI" not in tifffile.xml2dict(tiff.ome_metadata)["OME"]


def imagej_tif(name: str, pixels: np.ndarray, density: float = 4, **metadata: Any) -> None:
    tifffile.imwrite(name, pixels, imagej=True, resolution=(density, density), metadata=metadata)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_imagej(dpid, folder, kind):
    imagej_tif("a.tif", stack(kind), 50_000.5, axes="CYX", unit="um", spacing=1.5)
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif")
    assert (result.exit_code, result.stderr) == (0, "")
    with tifffile.TiffFile("a.tif") as before, tifffile.TiffFile("b.tif") as after:
        assert (
            after.imagej_metadata
            == {key: value for key, value in before.imagej_metadata.items() if key not in ("min", "max")}
            or after.imagej_metadata == before.imagej_metadata
        )
        (series,) = after.series
        assert (series.kind, series.axes, series.shape) == ("imagej", "CYX", (6, 20, 30))
        tags = after.pages[0].tags
        for name in "XResolution", "YResolution":
            assert np.divide(*tags[name].value) == pytest.approx(25_000.25)
        assert tags["ResolutionUnit"].value == 1


@pytest.mark.parametrize(("unit", "named"), [("INCH", "inch"), ("CENTIMETER", "cm")])
def test_imagej_with_a_length(dpid, folder, unit, named):
    """The unit of the tags goes into the description, which is stronger."""
    description = "ImageJ=1.53t\nxorigin=30\nyorigin=20\n"
    tifffile.imwrite(
        "a.tif",
        stack(pages=1)[0],
        description=description,
        metadata=None,
        resolution=(200_000, 100_000),
        resolutionunit=unit,
    )
    assert (
        dpid("downscale", "a.tif", "--size", "30x10", "--fit", "exact", "-m", "box", "-o", "b.tif").stderr
        == ""
    )
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.imagej_metadata == {"ImageJ": "1.53t", "xorigin": 15, "yorigin": 5, "unit": named}
        tags = tiff.pages[0].tags
        assert np.divide(*tags["XResolution"].value) == 100_000
        assert np.divide(*tags["YResolution"].value) == 25_000


def test_imagej_through_another_format(dpid, folder):
    exif = Image.Exif()
    exif[270], exif[282], exif[283], exif[296] = "ImageJ=1.53t\nunit=um\n", 4.0, 4.0, 1
    Image.new("L", (60, 40)).save("a.jpg", exif=exif)
    assert dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.tif").stderr == ""
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.imagej_metadata == {"ImageJ": "1.53t", "unit": "um"}
        assert tiff.pages[0].tags["XResolution"].value == (2, 1)


@pytest.mark.parametrize("description", ["ImageJ=1.53t\nimages=7\n", "ImageJ=1.53t\nimages=6\nslices=2\n"])
def test_imagej_with_other_pages(dpid, folder, description):
    with tifffile.TiffWriter("a.tif") as writer:
        for number, page in enumerate(stack()):
            writer.write(page, metadata=None, description=description if number == 0 else None)
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif")
    assert result.stderr == "a.tif: page 0: no longer valid for the output: ImageJ's description: dropped\n"
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.imagej_metadata is None


@pytest.mark.parametrize(
    "text", ["Aperio Image Library v1\r\n60x40 |AppMag = 20|MPP = 0.5", "ImageJ=1.53t\n"]
)
def test_descriptions_in_other_formats(dpid, folder, text):
    """Which other readers of microscopes look for, and which count the pixels of the whole slide."""
    exif = Image.Exif()
    exif[270], exif[271] = text, "Maker"
    Image.new("L", (60, 40)).save("a.jpg", exif=exif)
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1 and "description" in result.stderr
    with Image.open("b.jpg") as image:
        assert image.getexif()[271] == "Maker" and 270 not in image.getexif()


# Pixels that are not square


def png(name: str, size: tuple[int, int], aspect: tuple[int, int], depth: int = 8) -> None:
    shape = size[::-1]
    Image.fromarray(np.full(shape, 90, np.uint8 if depth == 8 else np.uint16)).save("plain.png")
    data = Path("plain.png").read_bytes()
    Path(name).write_bytes(data[:33] + chunk(b"pHYs", struct.pack(">IIB", *aspect, 0)) + data[33:])


def aspect_of(name: str) -> float | None:
    """Pixels per length across, by those down; None if nothing is stated."""
    with Image.open(name) as image:
        if name.endswith(".tif"):
            tags = image.tag_v2
            return float(tags[282]) / float(tags[283]) if 282 in tags and tags[296] == 1 else None
        if name.endswith(".jpg"):
            x, y = image.info["jfif_density"]
            assert image.info["jfif_unit"] == 0
            return None if x == y else x / y
        return image.info["aspect"][0] / image.info["aspect"][1] if "aspect" in image.info else None


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("end", ["png", "jpg", "tif"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (("-s", "2"), 2),
        (("--size", "8x16", "--fit", "exact"), None),
        (("--size", "16x5", "--fit", "exact"), 2 * 16 / 5),
    ],
)
def test_pixels_that_are_not_square(dpid, folder, depth, end, size, expected):
    if (end, depth) == ("jpg", 16):
        pytest.skip("which has 8 bits")
    png("a.png", (16, 16), (2, 1), depth)
    result = dpid("downscale", "a.png", *size, "-m", "box", "-o", f"b.{end}")
    assert (result.exit_code, result.stderr) == (0, "")
    assert aspect_of(f"b.{end}") == (expected if expected is None else pytest.approx(expected, rel=1e-4))
    if expected:
        dpid("downscale", f"b.{end}", "-s", "1", "-m", "box", "-o", "c.png")
        assert aspect_of("c.png") == pytest.approx(expected, rel=1e-4)


def test_turned_pixels(dpid, folder):
    exif = Image.Exif()
    exif[274] = 6
    png("a.png", (16, 8), (3, 2))
    Path("a.png").write_bytes(
        Path("a.png").read_bytes()[:33] + chunk(b"eXIf", exif.tobytes()[6:]) + Path("a.png").read_bytes()[33:]
    )
    dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.png")
    assert aspect_of("b.png") == pytest.approx(2 / 3)


@pytest.mark.parametrize("aspect", [(2, 1), (5, 5), (0, 0)])
def test_formats_of_square_pixels(dpid, folder, aspect):
    png("a.png", (16, 16), aspect)
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.webp")
    lost = "b.webp: WebP cannot store aspect ratio of pixels: dropped\n" if aspect == (2, 1) else ""
    assert (result.exit_code, result.stderr) == (0, lost)


def test_animations_of_such_pixels(dpid, folder):
    frames = [Image.new("L", (16, 16), level) for level in (9, 90)]
    frames[0].save("plain.png", save_all=True, append_images=frames[1:])
    data = Path("plain.png").read_bytes()
    Path("a.png").write_bytes(data[:33] + chunk(b"pHYs", struct.pack(">IIB", 1, 2, 0)) + data[33:])
    assert dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.png").stderr == ""
    assert aspect_of("b.png") == 0.5
    with Image.open("b.png") as image:
        assert image.n_frames == 2


def test_metadata_of_an_animation_is_told_of_once(dpid, folder):
    """One line, though all frames have it."""
    note = 'xmlns:c="http://ns.google.com/photos/1.0/camera/" c:MotionPhoto="1"'
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    xmp = f'<rdf:RDF xmlns:rdf="{rdf}"><rdf:Description rdf:about="" {note}/></rdf:RDF>'
    frames = [Image.new("RGB", (16, 16), (level,) * 3) for level in (9, 90, 200)]
    frames[0].save("a.webp", save_all=True, append_images=frames[1:], xmp=xmp.encode(), lossless=True)
    result = dpid("downscale", "a.webp", "-s", "2", "-m", "box", "-o", "b.webp")
    assert (
        result.stderr
        == "a.webp: no longer valid for the output: motion photo (its video is not kept): dropped\n"
    )
    (done,) = dpid_cli.batch([("a.webp", "c.webp")], scale=2, method="box")
    assert done.warnings == (result.stderr.strip(),)
